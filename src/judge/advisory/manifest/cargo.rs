//! `Cargo.toml` and `Cargo.lock`.

use super::is_hex_digest;
use super::toml::{TomlLine, table_value, toml_line};
use crate::diff::cut::cut;
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Keys that fill a dependency from elsewhere than crates.io.
const SOURCES: [&str; 7] = [
    "git",
    "path",
    "registry",
    "registry-index",
    "branch",
    "tag",
    "rev",
];
/// Keys of `[package]` and `[workspace.package]` that hold version-like text.
const AMBIGUOUS: [&str; 6] = [
    "version",
    "edition",
    "rust-version",
    "resolver",
    "name",
    "license",
];

/// Reader of `Cargo.toml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct CargoToml<'a> {
    /// What the section holds, once it was to be seen: as [`dependency_section`] says.
    section: Option<Option<Option<&'a str>>>,
    /// The entry of the last line: one a section.
    pub entry: u32,
}

impl<'a> CargoToml<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        match toml_line(line) {
            TomlLine::Section(name) => {
                self.section = Some(dependency_section(name));
                self.entry += 1;
                Read::NOTHING
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Table(key, inside) => self.table(line, key, inside),
            _ => Read::NOTHING,
        }
    }

    fn pair(&self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        let package = match self.section {
            None if AMBIGUOUS.contains(&key) => return Read::SECTION,
            None | Some(Some(None)) => key,
            Some(Some(Some(package))) => match key {
                "version" => package,
                "package" if value != package => return Read::Poison(NotABumpReason::Alias, None),
                _ if SOURCES.contains(&key) => return Read::ELSEWHERE,
                _ => return Read::NOTHING,
            },
            Some(None) => return Read::SECTION,
        };
        place(line, package, value)
    }

    fn table(&self, line: &'a str, key: &'a str, inside: &'a str) -> Read<'a> {
        if !matches!(self.section, None | Some(Some(None))) {
            return Read::SECTION;
        }
        let (mut elsewhere, mut renamed) = (false, false);
        let value = table_value(inside, "version", |key| {
            elsewhere |= SOURCES.contains(&key);
            renamed |= key == "package";
        });
        match value {
            _ if elsewhere => Read::ELSEWHERE,
            _ if renamed => Read::Still(NotABumpReason::Alias),
            Some(value) => place(line, key, value),
            None => Read::NOTHING,
        }
    }
}

fn place<'a>(line: &'a str, package: &'a str, value: &'a str) -> Read<'a> {
    Read::Place(Place::new(
        Package::named(package),
        Role::Requirement,
        Syntax::Cargo,
        line,
        value,
    ))
}

/// Returns whether the section holds dependencies, and the one that it is about, if it is about one.
fn dependency_section(section: &str) -> Option<Option<&str>> {
    const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    // `[target.'cfg(unix)'.dependencies]`: the condition may hold dots, but in quotes.
    let inner = if let Some(target) = section.strip_prefix("target.") {
        let quote = target
            .chars()
            .next()
            .filter(|first| matches!(first, '\'' | '"'));
        match quote {
            Some(quote) => target
                .strip_prefix(quote)?
                .split_once(quote)?
                .1
                .strip_prefix('.')?,
            None => cut(target, b'.')?.1,
        }
    } else {
        section.strip_prefix("workspace.").unwrap_or(section)
    };
    match cut(inner, b'.') {
        None => TABLES.contains(&inner).then_some(None),
        Some((table, name)) => TABLES
            .contains(&table)
            .then(|| Some(name.trim_matches('"'))),
    }
}

/// Reader of `Cargo.lock`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct CargoLock<'a> {
    in_package: bool,
    name: Option<&'a str>,
    /// The entry of the last line: one a `[[package]]`.
    pub entry: u32,
}

impl<'a> CargoLock<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        match toml_line(line) {
            TomlLine::Section(section) => {
                self.entry += 1;
                self.in_package = section == "package";
                self.name = None;
                Read::NOTHING
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Element(text) => mention(line, text),
            _ => Read::NOTHING,
        }
    }

    fn pair(&mut self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        if !self.in_package {
            return Read::UNSEEN;
        }
        match (key, self.name) {
            ("name", _) => {
                self.name = Some(value);
                Read::NOTHING
            }
            ("version", Some(name)) => Read::Place(Place::new(
                Package::named(name),
                Role::Locked,
                Syntax::Exact,
                line,
                value,
            )),
            // An entry without a source is a member of the workspace.
            ("source", _) if is_crates_io(value) => Read::Registry,
            ("source", _) => Read::ELSEWHERE,
            ("checksum", Some(_)) if is_hex_digest(value) => Read::Mark(Mark::of(Owner::Entry)),
            _ => Read::NOTHING,
        }
    }
}

fn is_crates_io(source: &str) -> bool {
    matches!(
        source,
        "registry+https://github.com/rust-lang/crates.io-index" | "sparse+https://index.crates.io/"
    )
}

/// `"name version"`, as other entries mention a crate that is locked in several versions.
fn mention<'a>(line: &'a str, text: &'a str) -> Read<'a> {
    let mut words = text.splitn(3, ' ');
    let (Some(name), Some(version)) = (words.next(), words.next()) else {
        return Read::NOTHING;
    };
    let source = words.next().map(|word| word.trim_matches(['(', ')']));
    if source.is_some_and(|source| !is_crates_io(source)) {
        return Read::ELSEWHERE;
    }
    Read::Place(Place::new(
        Package::named(name),
        Role::Mention,
        Syntax::Exact,
        line,
        version,
    ))
}

#[cfg(test)]
mod tests {
    use super::dependency_section;

    #[test]
    fn dependency_sections_are_known_by_name() {
        assert_eq!(dependency_section("dependencies"), Some(None));
        assert_eq!(dependency_section("workspace.dependencies"), Some(None));
        assert_eq!(
            dependency_section("target.'cfg(a.b)'.dev-dependencies"),
            Some(None)
        );
        assert_eq!(
            dependency_section("dependencies.serde"),
            Some(Some("serde"))
        );
        for other in [
            "package",
            "patch.crates-io",
            "replace",
            "features",
            "workspace.package",
            "target.x",
        ] {
            assert_eq!(dependency_section(other), None, "{other}");
        }
    }
}
