//! `package.json`.
//!
//! The section is often outside the three lines of context. A line whose section is not to be seen is
//! taken as a dependency if its key is a named package: wherever else it may stand (`scripts`,
//! `config`), both its values must be version ranges, so it runs nothing and names no source; at worst
//! it changes nothing. Keys that have another meaning at the top or in `engines` need their section.
//!
//! A key of `overrides` or `resolutions` may be more than a name: `a>lodash`, `**/lodash`,
//! `lodash@^4`, and a value may be of another package: `npm:lodash@1`. Both are read as the package that
//! is installed.

use super::json::{JsonLine, Nest, json_line, pieces};
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Sections that name dependencies directly.
const DEPENDENCIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// Sections that pin dependencies of dependencies, perhaps nested.
const OVERRIDES: [&str; 2] = ["overrides", "resolutions"];

/// Sections that decide no version of a dependency.
const WITHOUT_VERSIONS: [&str; 9] = [
    "engines",
    "volta",
    "keywords",
    "peerDependenciesMeta",
    "dependenciesMeta",
    "author",
    "contributors",
    "repository",
    "bugs",
];

/// Keys of prose and of the project's own name.
const PROSE: [&str; 8] = [
    "name",
    "description",
    "homepage",
    "license",
    "author",
    "repository",
    "url",
    "bugs",
];

/// Packages whose names are also keys of the manifest itself, of `engines` or of version managers.
const AMBIGUOUS: [&str; 13] = [
    "version", "name", "type", "main", "license", "node", "npm", "yarn", "pnpm", "bun", "deno",
    "vscode", "electron",
];

/// Reader of `package.json`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct PackageJson<'a> {
    nest: Nest<'a>,
}

impl<'a> PackageJson<'a> {
    /// Takes in the last section that opens above the hunk.
    pub fn heading(&mut self, line: &'a str) {
        if let JsonLine::Open(Some(key)) = json_line(line) {
            self.nest.follow(JsonLine::Open(Some(key)));
        }
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        self.piece(line, json_line(line))
    }

    /// Returns what a line with several keys or brackets says; `None` if that is not understood.
    pub fn inside(&self, line: &'a str) -> Option<Vec<Read<'a>>> {
        let mut reader = self.clone();
        let pieces = pieces(line)?;
        (pieces.len() > 1).then(|| {
            let read = |piece| reader.piece(line, piece);
            pieces.into_iter().map(read).collect()
        })
    }

    fn piece(&mut self, line: &'a str, piece: JsonLine<'a>) -> Read<'a> {
        self.nest.follow(piece);
        match piece {
            JsonLine::Pair(key, value) => self.pair(line, key, value),
            JsonLine::Open(Some(key)) => self.open(key),
            JsonLine::Open(None) | JsonLine::Close | JsonLine::Blank => Read::IDLE,
            JsonLine::Element(_) | JsonLine::Literal(..) if self.is_without_versions() => {
                Read::ELSE
            }
            JsonLine::Element(_) | JsonLine::Literal(..) | JsonLine::Other => Read::NOTHING,
        }
    }

    fn is_without_versions(&self) -> bool {
        self.nest.within(&WITHOUT_VERSIONS)
    }

    /// Reads the opening of a bracket: what is inside is read as it comes, unless the key is a package in
    /// a place where that means something else.
    fn open(&self, key: &'a str) -> Read<'a> {
        let in_overrides = self.nest.within(&OVERRIDES);
        if in_overrides || self.is_without_versions() || DEPENDENCIES.contains(&key) {
            return Read::IDLE;
        }
        Read::NOTHING
    }

    fn pair(&self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        if self.nest.within(&OVERRIDES) {
            return self.pin(line, key, value);
        }
        match self.nest.key(0) {
            Some(section) if DEPENDENCIES.contains(&section) => {}
            Some(_) if self.is_without_versions() => return Read::ELSE,
            Some(_) => return Read::SECTION,
            None if PROSE.contains(&key) => return Read::ELSE,
            None if AMBIGUOUS.contains(&key) => return Read::SECTION,
            // Only `resolutions` has such keys.
            None if key.contains(['>', '*']) || is_path_or_ranged(key) => {
                return match self.pin(line, key, value) {
                    Read::Place(place) => Read::Place(place.aliased(NotABumpReason::Section)),
                    read => read,
                };
            }
            None => {}
        }
        requirement(line, key, value)
    }

    /// Reads a line of `overrides` or `resolutions`.
    fn pin(&self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        let key = match key {
            // The package that the object around is about.
            "." => self.nest.key(0).unwrap_or(key),
            _ => key,
        };
        let Some(name) = pinned(key) else {
            return Read::NOTHING;
        };
        if value.strip_prefix('$') == Some(name) {
            // As the project itself asks for it.
            return Read::IDLE;
        }
        let value = match value.strip_prefix("npm:") {
            Some(range) if !is_name(range) => range,
            _ => value,
        };
        requirement(line, name, value)
    }
}

/// Returns the place of `"name": "value"` where that is a dependency.
fn requirement<'a>(line: &'a str, name: &'a str, value: &'a str) -> Read<'a> {
    let (role, syntax) = (Role::Requirement, Syntax::Npm);
    if let Some((target, range)) = alias(value)
        && target != name
    {
        let place = Place::new(Package::named(target), role, syntax, line, range);
        return Read::Place(place.aliased(NotABumpReason::NonRegistrySource));
    }
    let place = Place::new(Package::named(name), role, syntax, line, value);
    Read::Place(match value.contains([':', '/', '#', '@']) {
        // Something else under this name, perhaps of an affected package.
        true => place.aliased(NotABumpReason::NonRegistrySource),
        false => place,
    })
}

/// Returns package and range of `npm:package@range`; the range is empty where there is none.
pub(super) fn alias(value: &str) -> Option<(&str, &str)> {
    let target = value.strip_prefix("npm:")?;
    if !is_name(target) {
        return None;
    }
    let at = target.get(1..)?.find('@').map(|at| at + 1);
    match at {
        Some(at) => Some((target.get(..at)?, target.get(at + 1..)?)),
        None => Some((target, target.get(target.len()..)?)),
    }
}

/// Whether the text begins as a name and not as a range.
fn is_name(text: &str) -> bool {
    let named = |first: char| first.is_ascii_alphabetic() || matches!(first, '@' | '_');
    text.starts_with(named) && !text.starts_with("v0") && !is_v_version(text)
}

fn is_v_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Whether a key is more than a name: a path, or a name with a range.
fn is_path_or_ranged(key: &str) -> bool {
    let slashes = key.matches('/').count();
    slashes > usize::from(key.starts_with('@'))
        || key.get(1..).is_some_and(|rest| rest.contains('@'))
}

/// Returns the package that a key of `overrides` or `resolutions` is about: `lodash` of `a>lodash@^4`,
/// `**/lodash`, `a/**/lodash@npm:^4`.
pub(super) fn pinned(key: &str) -> Option<&str> {
    // A `>` behind `@`, `|`, a space or another sign belongs to a range.
    let bytes = key.as_bytes();
    let child = memchr::memrchr_iter(b'>', bytes).find(|at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        before.is_some_and(|byte| !matches!(byte, b'@' | b' ' | b'|'))
            && bytes.get(at + 1).is_some_and(|byte| *byte != b'=')
    });
    let key = child.map_or(key, |at| key.get(at + 1..).unwrap_or_default());
    // The range begins at an `@` that begins no scope.
    let range = memchr::memchr_iter(b'@', key.as_bytes())
        .find(|at| *at > 0 && key.as_bytes().get(at - 1) != Some(&b'/'));
    let path = range.map_or(key, |at| key.get(..at).unwrap_or_default());
    let name = match path.rsplit_once('/') {
        None => path,
        Some((before, _)) => {
            let scope = before.rsplit('/').next().unwrap_or(before);
            let start = match scope.starts_with('@') {
                true => before.len() - scope.len(),
                false => before.len() + 1,
            };
            path.get(start..)?
        }
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~@/".contains(&byte);
    (!name.is_empty() && name != "." && name.bytes().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{alias, pinned};

    #[test]
    fn a_pin_is_about_the_last_package_of_its_key() {
        for (key, name) in [
            ("lodash", "lodash"),
            ("**/lodash", "lodash"),
            ("a/lodash", "lodash"),
            ("a/**/lodash", "lodash"),
            ("**/@s/b", "@s/b"),
            ("@s/b", "@s/b"),
            ("@s/a/b", "b"),
            ("lodash@^4", "lodash"),
            ("lodash@npm:^4.17.15", "lodash"),
            ("lodash@>=4 <5", "lodash"),
            ("lodash@>4", "lodash"),
            ("a>lodash", "lodash"),
            ("a@>=1>@s/b@2", "@s/b"),
            ("a@1 || >2>lodash", "lodash"),
        ] {
            assert_eq!(pinned(key), Some(name), "{key}");
        }
        assert_eq!(pinned(""), None);
        assert_eq!(pinned("a b"), None);
        assert_eq!(pinned("**"), None);
    }

    #[test]
    fn an_alias_names_package_and_range() {
        assert_eq!(alias("npm:pug@3.0.0"), Some(("pug", "3.0.0")));
        assert_eq!(alias("npm:@s/b@^1"), Some(("@s/b", "^1")));
        assert_eq!(alias("npm:pug"), Some(("pug", "")));
        assert_eq!(alias("npm:^4.17.0"), None);
        assert_eq!(alias("npm:v4.17.0"), None);
        assert_eq!(alias("^4.17.0"), None);
    }
}
