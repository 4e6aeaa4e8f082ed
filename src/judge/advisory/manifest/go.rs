//! `go.mod` and `go.sum`.
//!
//! A required version is taken as exact: minimal version selection builds it, unless another module
//! requires a later one, which `go.sum` then names.
//!
//! Two words on a line mean what the block around them says: required, excluded, replaced. Where that is
//! not to be seen, neither in the hunk nor in its heading, they mean nothing.

use super::is_base64;
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Reader of `go.mod`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct GoMod<'a> {
    /// The directive of the block that is open.
    block: Option<&'a str>,
}

impl<'a> GoMod<'a> {
    /// Takes in the last line above the hunk that begins a directive.
    pub fn heading(&mut self, line: &'a str) {
        if !line.starts_with([' ', '\t']) {
            let mut words = before_comment(line).split_ascii_whitespace();
            if let (Some(directive), Some("("), None) = (words.next(), words.next(), words.next()) {
                self.block = Some(directive);
            }
        }
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let code = before_comment(line).trim();
        let mut words = code.split_ascii_whitespace();
        let (Some(first), second, third) = (words.next(), words.next(), words.next()) else {
            return Read::IDLE;
        };
        if second == Some("(") && third.is_none() {
            self.block = Some(first);
            return Read::IDLE;
        }
        if first == ")" {
            self.block = None;
            return Read::IDLE;
        }
        if code.contains("=>") {
            let path = if first == "replace" {
                second
            } else {
                Some(first)
            };
            return Read::Poison(NotABumpReason::Replaced, path.map(Package::named));
        }
        match (self.block, first, second, third, words.next()) {
            (None, "require", Some(path), Some(version), None)
            | (Some("require"), path, Some(version), None, None) => required(line, path, version),
            (None, "exclude", Some(path), Some(version), None)
            | (Some("exclude"), path, Some(version), None, None) => {
                Read::Excludes(Package::named(path), version)
            }
            // Commands, which have no version of their own.
            (None, "tool", Some(_), None, _)
            | (Some("tool"), _, None, _, _)
            | (None, "module", Some(_), None, _) => Read::ELSE,
            _ => Read::SECTION,
        }
    }

    /// Returns what a line of several modules says: the module that a `replace` takes instead.
    pub fn inside(line: &'a str) -> Option<Vec<Read<'a>>> {
        let (_, taken) = before_comment(line).split_once("=>")?;
        let mut words = taken.split_ascii_whitespace();
        let (path, version) = (words.next()?, words.next()?);
        let Read::Place(place) = required(line, path, version) else {
            return None;
        };
        let place = place.aliased(NotABumpReason::Replaced);
        words.next().is_none().then(|| vec![Read::Place(place)])
    }
}

fn required<'a>(line: &'a str, path: &'a str, version: &'a str) -> Read<'a> {
    // `go 1.21`, `toolchain go1.21.0`, `module x`: no module path starts without a dot.
    if !path
        .bytes()
        .take_while(|byte| *byte != b'/')
        .any(|byte| byte == b'.')
    {
        return Read::SECTION;
    }
    Read::Place(Place::new(
        Package::named(path),
        Role::Requirement,
        Syntax::Exact,
        line,
        version,
    ))
}

/// Whether a module of this path may have this version: `v2` and later stand in the path, `/v2` or
/// `.v2` at gopkg.in, or the version is `+incompatible`.
pub(in super::super) fn path_takes(path: &str, version: &str) -> bool {
    let incompatible = version.ends_with("+incompatible");
    let Some(major) = version
        .strip_prefix('v')
        .and_then(|rest| rest.split('.').next())
    else {
        return false;
    };
    let in_path = if path.starts_with("gopkg.in/") {
        path.rsplit_once(".v")
    } else {
        path.rsplit_once("/v")
    };
    let number = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
    };
    match in_path {
        Some((_, suffix)) if number(suffix.trim_end_matches("-unstable")) => {
            let gopkg = path.starts_with("gopkg.in/");
            let same = suffix.trim_end_matches("-unstable") == major;
            (same && !incompatible) || (gopkg && suffix == "1" && major == "0")
        }
        // gopkg.in/x.v0
        Some((_, "0")) if path.starts_with("gopkg.in/") => major == "0",
        _ => matches!(major, "0" | "1") != incompatible,
    }
}

fn before_comment(line: &str) -> &str {
    let comment = memchr::memchr_iter(b'/', line.as_bytes())
        .find(|slash| line.as_bytes().get(slash + 1) == Some(&b'/'));
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

/// Reads a line of `go.sum`: `path version h1:…` or `path version/go.mod h1:…`.
pub(super) fn read_sum(line: &str) -> Read<'_> {
    let mut words = line.split_ascii_whitespace();
    let (Some(path), Some(version), Some(digest), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Read::NOTHING;
    };
    if !digest
        .strip_prefix("h1:")
        .is_some_and(|digest| is_base64(digest, 32))
    {
        return Read::NOTHING;
    }
    let manifest = version.strip_suffix("/go.mod");
    let mut mark = Mark::of(Owner::Named(
        Package::named(path),
        manifest.unwrap_or(version),
    ));
    (mark.digest, mark.partial) = (digest, manifest.is_some());
    Read::Mark(mark)
}

#[cfg(test)]
mod tests {
    use super::path_takes;

    #[test]
    fn a_major_version_stands_in_the_path_or_is_incompatible() {
        for (path, version) in [
            ("x.y/z", "v0.1.0"),
            ("x.y/z", "v1.9.0"),
            ("x.y/z", "v24.0.9+incompatible"),
            ("x.y/z/v2", "v2.0.1"),
            ("x.y/z/v10", "v10.0.0-20200101000000-aaaaaaaaaaaa"),
            ("x.y/vendor", "v1.0.0"),
            ("gopkg.in/yaml.v3", "v3.0.1"),
            ("gopkg.in/yaml.v1", "v1.0.0"),
            ("gopkg.in/yaml.v1", "v0.0.0-20200101000000-aaaaaaaaaaaa"),
        ] {
            assert!(path_takes(path, version), "{path} {version}");
        }
        for (path, version) in [
            ("x.y/z", "v24.0.9"),
            ("x.y/z", "v1.0.0+incompatible"),
            ("x.y/z/v2", "v3.0.0"),
            ("x.y/z/v2", "v1.0.0"),
            ("x.y/z/v2", "v2.0.0+incompatible"),
            ("gopkg.in/yaml.v3", "v2.0.0"),
            ("x.y/z", "1.0.0"),
        ] {
            assert!(!path_takes(path, version), "{path} {version}");
        }
    }
}
