//! `pnpm-lock.yaml`, lockfile versions 5 to 9.

use super::integrity;
use super::package_json::{alias, pinned};
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Deeper than pnpm nests; what lies deeper has no readable parent.
const MAX_DEPTH: usize = 16;

/// Reader of `pnpm-lock.yaml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct PnpmLock<'a> {
    /// The keys around, by indentation.
    around: Vec<(usize, &'a str)>,
    /// The entry of the last line.
    pub entry: u32,
}

impl<'a> PnpmLock<'a> {
    /// Takes in the last section that opens above the hunk.
    pub fn heading(&mut self, line: &'a str) {
        if let Some((key, "")) = key_value(line.trim_end())
            && !line.starts_with(' ')
        {
            self.around.push((0, key));
        }
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let body = line.trim_end();
        let content = body.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            return Read::IDLE;
        }
        let Some((key, value)) = key_value(content) else {
            return match self.within(&["transitivePeerDependencies", "os", "cpu", "libc"]) {
                true => Read::IDLE,
                false => Read::NOTHING,
            };
        };
        let indent = body.len() - content.len();
        while self
            .around
            .last()
            .is_some_and(|(outer, _)| *outer >= indent)
        {
            self.around.pop();
        }
        let parent = self.around.last().map(|(_, key)| *key);
        if matches!(value, "" | "{}") || is_timestamp(value) {
            return self.head(line, indent, key, value);
        }
        match parent {
            Some("engines" | "settings" | "peerDependenciesMeta") => return Read::ELSE,
            Some("patchedDependencies") => return Read::SECTION,
            Some("overrides") => return pin(line, key, unquoted(value)),
            _ => {}
        }
        self.field(line, parent, key, value)
    }

    /// Returns the packages that a version was resolved with, in brackets behind it.
    pub fn inside(line: &'a str) -> Option<Vec<Read<'a>>> {
        let (_, peers) = line.split_once('(')?;
        let (mut found, mut rest) = (Vec::new(), peers);
        loop {
            let end = rest.find(['(', ')'])?;
            let (peer, after) = rest.split_at_checked(end)?;
            if !peer.is_empty() {
                let (name, version) = locked_key(peer)?;
                let package = Package::named(name);
                let place = Place::new(package, Role::Mention, Syntax::Exact, line, version);
                found.push(Read::Place(place));
            }
            rest = after.get(1..)?;
            if !rest.contains(['(', ')']) {
                return matches!(rest.trim_end(), "" | ":" | "': {}" | "':" | ": {}" | "'")
                    .then_some(found);
            }
        }
    }

    fn within(&self, keys: &[&str]) -> bool {
        self.around
            .last()
            .is_some_and(|(_, key)| keys.contains(key))
    }

    fn head(&mut self, line: &'a str, indent: usize, key: &'a str, value: &'a str) -> Read<'a> {
        self.entry += 1;
        if self.around.len() < MAX_DEPTH {
            self.around.push((indent, key));
        }
        let Some((name, version)) = locked_key(key) else {
            let parent = self.around.iter().rev().nth(1).map(|(_, key)| *key);
            let in_importer = match parent {
                Some(parent) => is_dependency_section(parent) || parent == "default",
                None => indent > 2,
            };
            return match value {
                "" if in_importer && !is_dependency_section(key) => {
                    Read::Place(Place::head(key, ""))
                }
                _ => Read::IDLE,
            };
        };
        let place = Place::new(
            Package::named(name),
            Role::Locked,
            Syntax::Exact,
            line,
            version,
        );
        let mut place = match is_timestamp(value) {
            true => place.without_digest_from(":"),
            false => place,
        };
        // A time is no digest.
        place.digest = place.digest.map(|_| "");
        if key.contains('(') {
            // What it was resolved with may be affected as well.
            return Read::Peers(place);
        }
        Read::Place(place)
    }

    fn field(
        &self,
        line: &'a str,
        parent: Option<&'a str>,
        key: &'a str,
        value: &'a str,
    ) -> Read<'a> {
        let text = unquoted(value);
        let (package, role) = match (key, parent) {
            ("resolution", _) => return resolution(value),
            ("specifier" | "version", None) => return Read::UNSEEN,
            ("specifier", Some(parent)) => (parent, Role::Requirement),
            ("version", Some(parent)) => (parent, Role::Locked),
            // Not the package's own name or content any more.
            ("name", Some(parent)) if locked_key(parent).is_some() => {
                return Read::Poison(NotABumpReason::Alias, None);
            }
            ("patched", _) => return Read::ELSEWHERE,
            ("deprecated" | "engines" | "hasBin" | "dev" | "optional" | "requiresBuild", _)
            | ("lockfileVersion" | "cpu" | "os" | "libc" | "cacheControl", _) => {
                return Read::IDLE;
            }
            // In `dependencies` a version, in `specifiers` a requirement.
            _ if text.starts_with(|first: char| first.is_ascii_digit())
                && !matches!(parent, Some("specifiers" | "peerDependencies")) =>
            {
                (key, Role::Locked)
            }
            _ => (key, Role::Requirement),
        };
        // `lodash@4.17.15`, `/lodash/4.17.15`: another package under this name.
        let aliased = match role {
            Role::Locked => locked_key(text).filter(|(name, _)| !name.is_empty()),
            _ => locked_key(text).or_else(|| alias(text)),
        };
        if let Some((target, version)) = aliased {
            let (package, exact) = (Package::named(target), text.starts_with("npm:"));
            let syntax = if exact { Syntax::Npm } else { Syntax::Exact };
            let role = if exact { role } else { Role::Locked };
            let place = Place::new(package, role, syntax, line, version);
            return Read::Place(place.aliased(NotABumpReason::NonRegistrySource));
        }
        let (text, peers) = match text.split_once('(') {
            Some((own, _)) if role == Role::Locked => (own, true),
            _ => (text, false),
        };
        let syntax = match role {
            Role::Locked => Syntax::Exact,
            _ => Syntax::Npm,
        };
        let place = Place::new(Package::named(package), role, syntax, line, text);
        match peers {
            true => Read::Peers(place),
            false => Read::Place(place),
        }
    }
}

fn is_dependency_section(key: &str) -> bool {
    matches!(
        key,
        "dependencies" | "devDependencies" | "optionalDependencies" | "peerDependencies"
    )
}

/// Reads a line of `overrides`: what the project's manifest pins.
fn pin<'a>(line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
    let Some(name) = pinned(unquoted(key)) else {
        return Read::NOTHING;
    };
    if value.strip_prefix('$') == Some(name) {
        return Read::IDLE;
    }
    let (package, range) = alias(value).unwrap_or((name, value));
    let role = match range.starts_with(|first: char| first.is_ascii_digit()) {
        true => Role::Locked,
        false => Role::Requirement,
    };
    let place = Place::new(Package::named(package), role, Syntax::Npm, line, range);
    Read::Place(match package == name {
        true => place,
        false => place.aliased(NotABumpReason::NonRegistrySource),
    })
}

/// `{integrity: sha512-…}` alone: with a tarball, repository or directory it is not the registry's.
fn resolution(value: &str) -> Read<'_> {
    let digest = value
        .strip_prefix("{integrity: ")
        .and_then(|rest| rest.strip_suffix('}'));
    match digest.map(integrity) {
        Some(mark @ Read::Mark(_)) => mark,
        _ => Read::ELSEWHERE,
    }
}

/// Splits `key: value`, `key:` and `'key': value`.
fn key_value(content: &str) -> Option<(&str, &str)> {
    let (key, rest) = match content.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'')?,
        None => {
            let end = content
                .find(": ")
                .or_else(|| content.len().checked_sub(1))?;
            content.split_at_checked(end)?
        }
    };
    let value = rest.strip_prefix(':')?;
    let clean =
        !key.is_empty() && !key.starts_with(['#', '-', '"', '{', '[', '&', '*', '!', '|', '>']);
    clean.then_some((key, value.trim()))
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('\'')
        .and_then(|inside| inside.strip_suffix('\''))
        .unwrap_or(value)
}

/// `'2020-08-13T16:53:54.152Z'`, as the section `time` has it.
fn is_timestamp(value: &str) -> bool {
    let inside = unquoted(value);
    inside.len() == 24
        && inside.ends_with('Z')
        && inside
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z'))
}

/// Returns name and version of `/lodash@4.17.20`, `lodash@4.17.20` or `/lodash/4.17.20`.
fn locked_key(key: &str) -> Option<(&str, &str)> {
    // Behind the version stand the peers that it was resolved with: `a@1.0.0(b@2.0.0)`.
    let key = key.split_once('(').map_or(key, |(own, _)| own);
    let bare = key.strip_prefix('/').unwrap_or(key);
    let (name, version) = match bare.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() && !version.contains('/') => (name, version),
        _ if bare.len() < key.len() => bare.rsplit_once('/')?,
        _ => return None,
    };
    let registry = !name.contains(':') && version.starts_with(|first: char| first.is_ascii_digit());
    registry.then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::{key_value, locked_key};

    #[test]
    fn keys_of_all_lockfile_versions_are_read() {
        assert_eq!(locked_key("/lodash/4.17.20"), Some(("lodash", "4.17.20")));
        assert_eq!(locked_key("/@a/b/1.0.0"), Some(("@a/b", "1.0.0")));
        assert_eq!(locked_key("/lodash@4.17.20"), Some(("lodash", "4.17.20")));
        assert_eq!(locked_key("@a/b@1.0.0"), Some(("@a/b", "1.0.0")));
        assert_eq!(locked_key("/a@1.0.0(b@2.0.0)"), Some(("a", "1.0.0")));
        assert_eq!(locked_key("dependencies"), None);
        assert_eq!(locked_key("github.com/a/b"), None);
        assert_eq!(locked_key("@a/b"), None);
    }

    #[test]
    fn only_plain_keys_are_keys() {
        assert_eq!(key_value("'@a/b@1.0.0': {}"), Some(("@a/b@1.0.0", "{}")));
        assert_eq!(key_value("lodash:"), Some(("lodash", "")));
        assert_eq!(key_value("# lodash: 1"), None);
        assert_eq!(key_value("- lodash: 1"), None);
        assert_eq!(key_value(""), None);
        assert_eq!(key_value("lodash"), None);
    }
}
