//! `yarn.lock`, classic (v1) and berry.

use super::npm_lock::tarball_version;
use super::package_json::alias;
use super::{integrity, is_hex_digest};
use crate::judge::advisory::place::{Mark, Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Reader of `yarn.lock`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct YarnLock<'a> {
    /// The package of the current entry, if its head is to be seen and names one registry package.
    package: Option<&'a str>,
    /// Whether the entry installs it under another name.
    renamed: bool,
    /// The section of the entry that is open.
    section: Option<&'a str>,
    /// The entry of the last line.
    pub entry: u32,
}

impl<'a> YarnLock<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let body = line.trim_end();
        if body.is_empty() || body.starts_with('#') {
            return Read::IDLE;
        }
        if !body.starts_with([' ', '\t']) {
            self.entry += 1;
            self.section = None;
            return self.head(body);
        }
        let Some(field) = body.strip_prefix("  ") else {
            return Read::NOTHING;
        };
        if let Some(inner) = field.strip_prefix("  ") {
            return self.inner(line, inner);
        }
        // `key value` is classic, `key: value` is berry; values may be quoted.
        let Some((key, value)) = field.split_once(' ') else {
            self.section = field.strip_suffix(':');
            return Read::IDLE;
        };
        let (key, value) = (key.trim_end_matches(':'), unquoted(value.trim()));
        self.field(line, key, value)
    }

    fn head(&mut self, body: &'a str) -> Read<'a> {
        let found = head_package(body);
        self.package = found.map(|(package, _)| package);
        self.renamed = found.is_some_and(|(_, renamed)| renamed);
        match found {
            Some((name, false)) => Read::Place(Place::head(name, body)),
            Some((name, true)) => {
                Read::Place(Place::head(name, body).aliased(NotABumpReason::NonRegistrySource))
            }
            None => Read::ELSEWHERE,
        }
    }

    /// Reads what an entry requires of others: it changes only with the entry.
    fn inner(&self, line: &'a str, inner: &'a str) -> Read<'a> {
        match self.section {
            None | Some("dependencies" | "optionalDependencies" | "peerDependencies") => {}
            Some("bin" | "dependenciesMeta" | "peerDependenciesMeta") => return Read::IDLE,
            Some(_) => return Read::NOTHING,
        }
        let Some((key, value)) = inner.split_once(' ') else {
            return Read::NOTHING;
        };
        let key = unquoted(key.strip_suffix(':').unwrap_or(key));
        let value = unquoted(value.trim());
        let (package, range) = match alias(value) {
            Some(aliased) => aliased,
            None => (key, value.strip_prefix("npm:").unwrap_or(value)),
        };
        let (role, syntax) = (Role::Requirement, Syntax::Npm);
        let place = Place::new(Package::named(package), role, syntax, line, range);
        Read::Place(place.aliased(NotABumpReason::Section))
    }

    fn field(&self, line: &'a str, key: &str, value: &'a str) -> Read<'a> {
        if !matches!(
            key,
            "version" | "resolved" | "resolution" | "integrity" | "checksum"
        ) {
            return Read::IDLE;
        }
        let Some(name) = self.package else {
            return Read::UNSEEN;
        };
        let (text, role) = match key {
            "version" => (Some(value), Role::Locked),
            "resolved" => (tarball_version(name, value), Role::Source),
            "resolution" => (resolution_version(name, value), Role::Source),
            "integrity" => return integrity(value),
            // Berry: `10c0/…`, the compression before the digest.
            _ if is_hex_digest(value.rsplit_once('/').map_or(value, |(_, hex)| hex)) => {
                return Read::Mark(Mark::digest(value));
            }
            _ => return Read::NOTHING,
        };
        let Some(text) = text else {
            return Read::ELSEWHERE;
        };
        let place = Place::new(Package::named(name), role, Syntax::Exact, line, text);
        let place = place.without_digest_from("#");
        Read::Place(match self.renamed {
            true => place.aliased(NotABumpReason::Alias),
            false => place,
        })
    }
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|inside| inside.strip_suffix('"'))
        .unwrap_or(value)
}

/// Returns the one package that all descriptors of a head install, each with a range of the registry, and
/// whether under another name: `lodash@^4.17.20, lodash@^4.17.4:` or `"lodash@npm:^4.17.20, lodash@npm:^4":`.
fn head_package(head: &str) -> Option<(&str, bool)> {
    let mut found = None;
    for descriptor in head.strip_suffix(':')?.split(", ") {
        let (name, range) = split_descriptor(descriptor)?;
        let (package, range, renamed) = match alias(range) {
            Some((package, range)) => (package, range, package != name),
            None => (name, range.strip_prefix("npm:").unwrap_or(range), false),
        };
        // `patch:`, `workspace:`, `user/repo`: not the package by its own name.
        if range.contains([':', '/', '@', '#']) || name.contains(['"', ' ']) {
            return None;
        }
        let (known, known_renamed) = found.get_or_insert((package, renamed));
        if *known != package {
            return None;
        }
        *known_renamed |= renamed;
    }
    found
}

/// Splits `name@range`; classic quotes each descriptor, berry the whole list.
fn split_descriptor(descriptor: &str) -> Option<(&str, &str)> {
    let descriptor = descriptor.trim_matches('"');
    // The first `@` of a scoped name belongs to the name.
    let at = descriptor.get(1..)?.find('@')? + 1;
    let (name, range) = descriptor.split_at_checked(at)?;
    Some((name, range.strip_prefix('@')?))
}

/// Returns the ranges that a head of one package is for.
pub(in super::super) fn ranges(head: &str) -> impl Iterator<Item = &str> {
    let head = head.strip_suffix(':').unwrap_or(head);
    head.split(", ").filter_map(|descriptor| {
        let (_, range) = split_descriptor(descriptor)?;
        Some(match alias(range) {
            Some((_, range)) => range,
            None => range.strip_prefix("npm:").unwrap_or(range),
        })
    })
}

fn resolution_version<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    value.strip_prefix(name)?.strip_prefix("@npm:")
}

#[cfg(test)]
mod tests {
    use super::{head_package, ranges};

    #[test]
    fn a_head_names_one_registry_package_or_none() {
        assert_eq!(
            head_package("lodash@^4.17.20, lodash@^4.17.4:"),
            Some(("lodash", false))
        );
        assert_eq!(
            head_package("\"@a/b@^1.0.0\", \"@a/b@^1.2.0\":"),
            Some(("@a/b", false))
        );
        assert_eq!(
            head_package("\"lodash@npm:^4.17.20, lodash@npm:^4\":"),
            Some(("lodash", false))
        );
        assert_eq!(
            head_package("\"lodash@npm:evil@^4\":"),
            Some(("evil", true))
        );
        for other in [
            "lodash@^4, evil@^4:",
            "\"lodash@patch:lodash@npm%3A4.17.20#./x.patch\":",
            "lodash@user/repo:",
            "__metadata:",
            "lodash:",
            "@:",
        ] {
            assert_eq!(head_package(other), None, "{other}");
        }
    }

    #[test]
    fn a_head_lists_the_ranges_that_it_is_for() {
        let of = |head| ranges(head).collect::<Vec<_>>();
        assert_eq!(of("a@^1, a@1.2.3:"), ["^1", "1.2.3"]);
        assert_eq!(of("\"@s/a@npm:^1, @s/a@npm:1 || 2\":"), ["^1", "1 || 2"]);
        assert_eq!(of("\"b@npm:a@1.2.3\":"), ["1.2.3"]);
    }
}
