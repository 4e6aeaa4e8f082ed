//! `package-lock.json` and `npm-shrinkwrap.json`, lockfile versions 1 to 3.

use super::integrity;
use super::json::{JsonLine, Nest, json_line};
use super::package_json::alias;
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Sections of an entry that hold requirements.
const REQUIREMENTS: [&str; 5] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "requires",
];

/// Sections of an entry that decide no version.
const WITHOUT_VERSIONS: [&str; 9] = [
    "bin",
    "engines",
    "funding",
    "directories",
    "peerDependenciesMeta",
    "os",
    "cpu",
    "libc",
    "workspaces",
];

/// Reader of npm's lock files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct NpmLock<'a> {
    nest: Nest<'a>,
    /// The package that an entry says it is, where it installs under another name.
    renamed: Option<(u32, &'a str)>,
}

impl<'a> NpmLock<'a> {
    /// Returns the entry of the last line.
    pub fn entry(&self) -> u32 {
        self.nest.entry()
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let scanned = json_line(line);
        self.nest.follow(scanned);
        match scanned {
            JsonLine::Open(Some(key)) => self.open(key),
            JsonLine::Pair(key, value) => self.pair(line, key, value),
            JsonLine::Literal("inBundle" | "bundled", "true") => {
                Read::Poison(NotABumpReason::Bundled, None)
            }
            JsonLine::Literal("link", "true") => Read::ELSEWHERE,
            JsonLine::Element(_) if !self.nest.within(&WITHOUT_VERSIONS) => Read::NOTHING,
            JsonLine::Other => Read::NOTHING,
            _ => Read::IDLE,
        }
    }

    /// Reads the opening of an entry, or of a section of one.
    fn open(&self, key: &'a str) -> Read<'a> {
        let is_entry = match self.nest.key(1) {
            Some(parent) => matches!(parent, "packages" | "dependencies"),
            None => true,
        };
        match package_of(key) {
            Some(name) if is_entry || key.contains("node_modules/") => {
                Read::Place(Place::head(name, ""))
            }
            _ => Read::IDLE,
        }
    }

    fn pair(&mut self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        let Some(around_it) = self.nest.key(0) else {
            // Requirements of the project may be listed far below their section.
            return match key {
                "version" | "resolved" | "integrity" | "name" => Read::UNSEEN,
                _ => requirement(line, key, value),
            };
        };
        if REQUIREMENTS.contains(&around_it) {
            // The requirements of other packages do not change unless those packages do.
            return match (self.nest.key(1), requirement(line, key, value)) {
                (None | Some(""), read) => read,
                (Some(_), Read::Place(place)) => {
                    Read::Place(place.aliased(NotABumpReason::Section))
                }
                (Some(_), read) => read,
            };
        }
        if WITHOUT_VERSIONS.contains(&around_it) {
            return Read::ELSE;
        }
        let Some(name) = package_of(around_it) else {
            return Read::ELSE;
        };
        let renamed = self.renamed.filter(|(entry, _)| *entry == self.entry());
        let own = renamed.map_or(name, |(_, renamed)| renamed);
        let package = Package::named(own);
        let aliased = |place: Place<'a>| match renamed {
            Some(_) => Read::Place(place.aliased(NotABumpReason::Alias)),
            None => Read::Place(place),
        };
        match key {
            "version" => {
                let mut place = Place::new(package, Role::Locked, Syntax::Exact, line, value);
                // Lockfile version 2 keeps a copy in the form of version 1, which npm 7 and later ignore.
                place.legacy = name.len() == around_it.len();
                aliased(place)
            }
            "resolved" => match resolved(line, own, value) {
                Read::Place(place) => aliased(place),
                read => read,
            },
            "integrity" => integrity(value),
            "name" if value != name => {
                self.renamed = Some((self.entry(), value));
                Read::Place(Place::head(value, "").aliased(NotABumpReason::Alias))
            }
            _ => Read::IDLE,
        }
    }
}

fn requirement<'a>(line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
    let (package, range) = alias(value).unwrap_or((key, value));
    let (role, syntax) = (Role::Requirement, Syntax::Npm);
    let place = Place::new(Package::named(package), role, syntax, line, range);
    Read::Place(match package == key {
        true => place,
        false => place.aliased(NotABumpReason::Alias),
    })
}

/// Returns the package that an entry installs: `node_modules/a/node_modules/@s/b` is `@s/b`. The
/// project itself (`""`) and its workspaces are none.
fn package_of(key: &str) -> Option<&str> {
    if let Some((_, name)) = key.rsplit_once("node_modules/") {
        return (!name.is_empty()).then_some(name);
    }
    let plain = !key.contains('/') || (key.starts_with('@') && key.matches('/').count() == 1);
    (plain && !key.is_empty()).then_some(key)
}

fn resolved<'a>(line: &'a str, name: &'a str, url: &'a str) -> Read<'a> {
    let Some(version) = tarball_version(name, url) else {
        return Read::ELSEWHERE;
    };
    let place = Place::new(
        Package::named(name),
        Role::Source,
        Syntax::Exact,
        line,
        version,
    );
    Read::Place(place.without_digest_from("#"))
}

/// Returns the version in a registry's tarball URL, `https://{host}/{name}/-/{base}-{version}.tgz`
/// with an optional `#{digest}`.
///
/// Which host is not checked here: it is part of the frame, so it cannot change.
pub(super) fn tarball_version<'a>(name: &str, url: &'a str) -> Option<&'a str> {
    let (path, digest) = url
        .split_once('#')
        .map_or((url, None), |(path, digest)| (path, Some(digest)));
    if digest.is_some_and(|digest| !super::is_hex_digest(digest)) || !path.starts_with("https://") {
        return None;
    }
    let (base, file) = path.strip_suffix(".tgz")?.rsplit_once("/-/")?;
    let owner = base.strip_suffix(name)?;
    let odd = path.contains(['?', '%']) || (path.contains('@') && !name.starts_with('@'));
    if !owner.ends_with('/') || owner.ends_with("//") || odd {
        return None;
    }
    let bare = name.rsplit_once('/').map_or(name, |(_, bare)| bare);
    let version = file.strip_prefix(bare)?.strip_prefix('-')?;
    version
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(version)
}

#[cfg(test)]
mod tests {
    use super::{package_of, tarball_version};

    #[test]
    fn a_tarball_url_must_be_of_the_package_itself() {
        let url = "https://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz";
        assert_eq!(tarball_version("lodash", url), Some("4.17.21"));
        assert_eq!(
            tarball_version("@a/b", "https://r.example/@a/b/-/b-1.0.0.tgz"),
            Some("1.0.0")
        );
        for evil in [
            "https://registry.npmjs.org/evil-lodash/-/lodash-4.17.21.tgz",
            "https://registry.npmjs.org/lodash/-/evil-4.17.21.tgz",
            "http://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz",
            "git+ssh://git@github.com/x/lodash.git#abc",
            "https://user@evil.example/lodash/-/lodash-4.17.21.tgz",
            "https://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz?x=1",
            "https:///lodash/-/lodash-4.17.21.tgz",
            "file:lodash-4.17.21.tgz",
        ] {
            assert_eq!(tarball_version("lodash", evil), None, "{evil}");
        }
    }

    #[test]
    fn the_project_and_its_workspaces_are_no_packages() {
        assert_eq!(package_of(""), None);
        assert_eq!(package_of("packages/lodash"), None);
        assert_eq!(package_of("a/node_modules/@s/b"), Some("@s/b"));
        assert_eq!(package_of("lodash"), Some("lodash"));
    }
}
