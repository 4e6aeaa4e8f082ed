//! `pnpm-lock.yaml`, lockfile versions 5 to 9.

use super::integrity;
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
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let body = line.trim_end();
        let content = body.trim_start_matches(' ');
        let Some((key, value)) = key_value(content) else {
            return Read::NOTHING;
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
        if parent
            .is_some_and(|parent| matches!(parent, "engines" | "settings" | "patchedDependencies"))
        {
            return Read::SECTION;
        }
        self.field(line, parent, key, value)
    }

    fn head(&mut self, line: &'a str, indent: usize, key: &'a str, value: &'a str) -> Read<'a> {
        self.entry += 1;
        if self.around.len() < MAX_DEPTH {
            self.around.push((indent, key));
        }
        let Some((name, version)) = locked_key(key) else {
            return Read::NOTHING;
        };
        let place = Place::new(
            Package::named(name),
            Role::Locked,
            Syntax::Exact,
            line,
            version,
        );
        Read::Place(match is_timestamp(value) {
            true => place.without_digest_from(":"),
            false => place,
        })
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
            // In `dependencies` a version, in `specifiers` and `overrides` a requirement.
            _ if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.') =>
            {
                (key, Role::Locked)
            }
            _ => (key, Role::Requirement),
        };
        let syntax = match role {
            Role::Locked => Syntax::Exact,
            _ => Syntax::Npm,
        };
        Read::Place(Place::new(
            Package::named(package),
            role,
            syntax,
            line,
            text,
        ))
    }
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
