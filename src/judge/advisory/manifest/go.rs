//! `go.mod` and `go.sum`.
//!
//! A required version is taken as exact: minimal version selection builds it, unless another module
//! requires a later one, which `go.sum` then names.

use super::is_base64;
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Reader of `go.mod`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct GoMod<'a> {
    /// The directive of the block that is open, once it was to be seen.
    block: Option<&'a str>,
}

impl<'a> GoMod<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let code = before_comment(line).trim();
        let mut words = code.split_ascii_whitespace();
        let (Some(first), second, third) = (words.next(), words.next(), words.next()) else {
            return Read::NOTHING;
        };
        if second == Some("(") && third.is_none() {
            self.block = Some(first);
            return Read::NOTHING;
        }
        if first == ")" {
            self.block = None;
            return Read::NOTHING;
        }
        if code.contains("=>") {
            let path = if first == "replace" {
                second
            } else {
                Some(first)
            };
            return Read::Poison(NotABumpReason::Replaced, path.map(Package::named));
        }
        let (path, version) = match (first, second, third, words.next()) {
            ("require", Some(path), Some(version), None) if self.block.is_none() => (path, version),
            (path, Some(version), None, None) if matches!(self.block, None | Some("require")) => {
                (path, version)
            }
            _ => return Read::SECTION,
        };
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
    let version = version.strip_suffix("/go.mod").unwrap_or(version);
    Read::Mark(Mark::of(Owner::Named(Package::named(path), version)))
}
