//! `yarn.lock`, classic (v1) and berry.

use super::npm_lock::tarball_version;
use super::{integrity, is_hex_digest};
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::requirement::Syntax;

/// Reader of `yarn.lock`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct YarnLock<'a> {
    /// The package of the current entry, if its head is to be seen and names one registry package.
    package: Option<&'a str>,
    /// The entry of the last line.
    pub entry: u32,
}

impl<'a> YarnLock<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let body = line.trim_end();
        if body.is_empty() || body.starts_with('#') {
            return Read::NOTHING;
        }
        if !body.starts_with([' ', '\t']) {
            self.entry += 1;
            self.package = head_package(body);
            return match self.package {
                Some(name) => {
                    let package = Package::named(name);
                    Read::Place(Place::new(package, Role::Head, Syntax::Exact, "", ""))
                }
                None => Read::ELSEWHERE,
            };
        }
        let Some(field) = body
            .strip_prefix("  ")
            .filter(|field| !field.starts_with(' '))
        else {
            return Read::NOTHING;
        };
        // `key value` is classic, `key: value` is berry; values may be quoted.
        let Some((key, value)) = field.split_once(' ') else {
            return Read::NOTHING;
        };
        let (key, value) = (key.trim_end_matches(':'), unquoted(value.trim()));
        self.field(line, key, value)
    }

    fn field(&self, line: &'a str, key: &str, value: &'a str) -> Read<'a> {
        if !matches!(
            key,
            "version" | "resolved" | "resolution" | "integrity" | "checksum"
        ) {
            return Read::NOTHING;
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
                return Read::Mark(Mark::of(Owner::Entry));
            }
            _ => return Read::NOTHING,
        };
        let Some(text) = text else {
            return Read::ELSEWHERE;
        };
        let place = Place::new(Package::named(name), role, Syntax::Exact, line, text);
        Read::Place(place.without_digest_from("#"))
    }
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|inside| inside.strip_suffix('"'))
        .unwrap_or(value)
}

/// Returns the one package that all descriptors of a head name, each with a range of the registry:
/// `lodash@^4.17.20, lodash@^4.17.4:` or `"lodash@npm:^4.17.20, lodash@npm:^4":`.
fn head_package(head: &str) -> Option<&str> {
    let mut package = None;
    for descriptor in head.strip_suffix(':')?.split(", ") {
        // Classic quotes each descriptor, berry the whole list.
        let descriptor = descriptor.trim_matches('"');
        // The first `@` of a scoped name belongs to the name.
        let at = descriptor.get(1..)?.find('@')? + 1;
        let (name, range) = descriptor.split_at_checked(at)?;
        let range = range.strip_prefix('@')?;
        let range = range.strip_prefix("npm:").unwrap_or(range);
        // `npm:other@1`, `patch:`, `workspace:`, `user/repo`: not the package by its own name.
        if range.contains([':', '/', '@', '#']) || name.contains(['"', ' ']) {
            return None;
        }
        if *package.get_or_insert(name) != name {
            return None;
        }
    }
    package
}

fn resolution_version<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    value.strip_prefix(name)?.strip_prefix("@npm:")
}

#[cfg(test)]
mod tests {
    use super::head_package;

    #[test]
    fn a_head_names_one_registry_package_or_none() {
        assert_eq!(
            head_package("lodash@^4.17.20, lodash@^4.17.4:"),
            Some("lodash")
        );
        assert_eq!(
            head_package("\"@a/b@^1.0.0\", \"@a/b@^1.2.0\":"),
            Some("@a/b")
        );
        assert_eq!(
            head_package("\"lodash@npm:^4.17.20, lodash@npm:^4\":"),
            Some("lodash")
        );
        for other in [
            "lodash@npm:evil@^4:",
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
}
