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
/// Keys of `[package]` and `[workspace.package]` that hold version-like text or prose.
const AMBIGUOUS: [&str; 12] = [
    "version",
    "edition",
    "rust-version",
    "resolver",
    "name",
    "license",
    "description",
    "documentation",
    "homepage",
    "repository",
    "readme",
    "default-run",
];
/// Sections, or what they begin with, that decide no version.
const METADATA: [&str; 10] = [
    "package", "lib", "bin", "example", "test", "bench", "features", "profile", "lints", "badges",
];

/// Reader of `Cargo.toml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct CargoToml<'a> {
    section: Section<'a>,
    /// The version of the section's own dependency, once it was to be seen.
    version: Option<&'a str>,
    /// The crate that the section's own dependency is of, where it has another name.
    renamed: Option<&'a str>,
    /// The entry of the last line: one a section.
    pub entry: u32,
}

/// What a section holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Section<'a> {
    /// It opens above the hunk.
    #[default]
    Unseen,
    /// `name = requirement`; others may take their version from here where it is the workspace's.
    Dependencies { shared: bool },
    /// The keys of one dependency.
    One { package: &'a str, shared: bool },
    /// `name = source`: what is built in place of the registry's.
    Patch,
    /// The workspace's own, which may hold dependencies behind a dot.
    Workspace,
    /// Nothing that has a version of a dependency.
    Metadata,
    /// Anything else.
    Other,
}

impl<'a> CargoToml<'a> {
    /// Takes in the last section that opens above the hunk.
    pub fn heading(&mut self, line: &'a str) {
        if let TomlLine::Section(name) = toml_line(line) {
            self.section = section_of(name);
        }
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        match toml_line(line) {
            TomlLine::Section(name) => {
                self.section = section_of(name);
                (self.version, self.renamed) = (None, None);
                self.entry += 1;
                match name.rsplit_once('.') {
                    Some((_, package)) if self.section == Section::Patch => {
                        Read::Poison(NotABumpReason::Replaced, Some(patched(package)))
                    }
                    _ => Read::IDLE,
                }
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Table(key, inside) => self.table(line, key, inside),
            TomlLine::Literal(key, value) => self.literal(key, value),
            // No array of this file holds a version.
            TomlLine::Open(_)
            | TomlLine::Close
            | TomlLine::Element(_)
            | TomlLine::List(..)
            | TomlLine::Blank => Read::IDLE,
            TomlLine::LongText => Read::Murky,
            TomlLine::ElementTable(_) | TomlLine::Other => Read::NOTHING,
        }
    }

    fn pair(&mut self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        match self.resolved(key) {
            (Section::Unseen, key) if AMBIGUOUS.contains(&key) => Read::ELSE,
            (Section::Unseen, key) => place(line, key, value, false),
            (Section::Dependencies { shared }, key) => place(line, key, value, shared),
            (Section::One { package, shared }, key) => {
                self.field(line, package, shared, key, value)
            }
            (Section::Patch, key) => Read::Poison(NotABumpReason::Replaced, Some(patched(key))),
            (Section::Metadata | Section::Workspace, _) => Read::ELSE,
            (Section::Other, _) => Read::SECTION,
        }
    }

    /// Reads one key of one dependency.
    fn field(
        &mut self,
        line: &'a str,
        package: &'a str,
        shared: bool,
        key: &str,
        value: &'a str,
    ) -> Read<'a> {
        let own = matches!(self.section, Section::One { .. });
        match key {
            "version" if own && self.renamed.is_some() => {
                let package = self.renamed.unwrap_or(package);
                aliased(place(line, package, value, shared))
            }
            "version" => {
                self.version = own.then_some(value);
                place(line, package, value, shared)
            }
            "package" if value == package => Read::IDLE,
            "package" if own => match self.version {
                Some(version) => aliased(place(line, value, version, shared)),
                None => {
                    self.renamed = Some(value);
                    aliased(Read::Place(Place::head(value, "")))
                }
            },
            "package" => Read::Unread(Package::named(value)),
            _ if SOURCES.contains(&key) => {
                let package = Package::named(self.renamed.unwrap_or(package));
                Read::Poison(NotABumpReason::NonRegistrySource, Some(package))
            }
            _ => Read::NOTHING,
        }
    }

    fn literal(&self, key: &'a str, value: &str) -> Read<'a> {
        match self.resolved(key) {
            (Section::One { package, .. }, "workspace") if value == "true" => {
                Read::Inherits(Package::named(package))
            }
            (Section::One { .. }, "optional" | "default-features" | "public")
            | (Section::Metadata | Section::Workspace, _) => Read::ELSE,
            _ => Read::NOTHING,
        }
    }

    fn table(&self, line: &'a str, key: &'a str, inside: &'a str) -> Read<'a> {
        let shared = match self.resolved(key) {
            (Section::Unseen, _) => false,
            (Section::Dependencies { shared }, _) => shared,
            (Section::Patch, key) => {
                return Read::Poison(NotABumpReason::Replaced, Some(patched(key)));
            }
            (Section::Metadata | Section::Workspace, _) => return Read::ELSE,
            _ => return Read::SECTION,
        };
        let (mut elsewhere, mut renamed, mut inherits) = (false, false, false);
        let value = table_value(inside, "version", |key| {
            elsewhere |= SOURCES.contains(&key);
            renamed |= key == "package";
            inherits |= key == "workspace";
        });
        let package = match renamed {
            true => match table_value(inside, "package", |_| {}) {
                Some(package) => package,
                None => return Read::NOTHING,
            },
            false => key,
        };
        match value {
            _ if elsewhere => Read::Poison(
                NotABumpReason::NonRegistrySource,
                Some(Package::named(package)),
            ),
            Some(value) if renamed => aliased(place(line, package, value, shared)),
            Some(value) => place(line, package, value, shared),
            None if inherits => Read::Inherits(Package::named(package)),
            None => Read::Unread(Package::named(package)),
        }
    }

    /// Returns the section and key that a key means: its dots name sections as well.
    fn resolved(&self, key: &'a str) -> (Section<'a>, &'a str) {
        let Some((head, last)) = key.rsplit_once('.') else {
            return (self.section, key);
        };
        let head_section = || match section_of(head) {
            found @ (Section::Dependencies { .. } | Section::One { .. }) => Some(found),
            _ => None,
        };
        let found = match self.section {
            Section::Dependencies { shared } if !head.contains('.') => Some(Section::One {
                package: head,
                shared,
            }),
            Section::Unseen => head_section().or((!head.contains('.')).then_some(Section::One {
                package: head,
                shared: false,
            })),
            Section::Workspace => head_section().map(|section| match section {
                Section::One { package, .. } => Section::One {
                    package,
                    shared: true,
                },
                _ => Section::Dependencies { shared: true },
            }),
            Section::Patch => return (Section::Patch, head),
            Section::Metadata => Some(Section::Metadata),
            _ => None,
        };
        (found.unwrap_or(Section::Other), last)
    }
}

/// Returns the crate that a key of `[patch]` or `[replace]` is about: `"time:0.1.45"` is one of the latter.
fn patched(key: &str) -> Package<'_> {
    let name = key.split([':', '@']).next().unwrap_or(key);
    Package::named(name.trim_matches('"'))
}

fn aliased(read: Read<'_>) -> Read<'_> {
    match read {
        Read::Place(place) => Read::Place(place.aliased(NotABumpReason::Alias)),
        other => other,
    }
}

fn place<'a>(line: &'a str, package: &'a str, value: &'a str, shared: bool) -> Read<'a> {
    let (package, syntax) = (Package::named(package), Syntax::Cargo);
    let mut place = Place::new(package, Role::Requirement, syntax, line, value);
    place.shared = shared;
    Read::Place(place)
}

fn section_of(name: &str) -> Section<'_> {
    let shared = name.starts_with("workspace.");
    match dependency_section(name) {
        Some(None) => return Section::Dependencies { shared },
        Some(Some(package)) => return Section::One { package, shared },
        None => {}
    }
    let inner = name.strip_prefix("workspace.").unwrap_or(name);
    let first = inner.split('.').next().unwrap_or(inner);
    match first {
        "patch" | "replace" => Section::Patch,
        "workspace" => Section::Workspace,
        _ if METADATA.contains(&first) => Section::Metadata,
        _ => Section::Other,
    }
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
                Read::IDLE
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Element(text) => mention(line, text),
            TomlLine::Open(_) | TomlLine::Close | TomlLine::Blank => Read::IDLE,
            _ => Read::NOTHING,
        }
    }

    fn pair(&mut self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        // The first form of the file keeps all digests at its end.
        if let Some(whose) = key.strip_prefix("checksum ") {
            return old_checksum(whose, value);
        }
        if !self.in_package {
            return Read::UNSEEN;
        }
        match (key, self.name) {
            ("name", _) => {
                self.name = Some(value);
                Read::Place(Place::head(value, ""))
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
            ("checksum", Some(_)) if is_hex_digest(value) => Read::Mark(Mark::digest(value)),
            _ => Read::NOTHING,
        }
    }
}

/// Reads `"checksum name version (source)" = "digest"`.
fn old_checksum<'a>(whose: &'a str, digest: &'a str) -> Read<'a> {
    let mut words = whose.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(name), Some(version), Some(source))
            if is_hex_digest(digest) && is_crates_io(source.trim_matches(['(', ')'])) =>
        {
            let mut mark = Mark::of(Owner::Named(Package::named(name), version));
            mark.digest = digest;
            Read::Mark(mark)
        }
        _ => Read::NOTHING,
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
        // A name alone: the one version that the file holds.
        return Read::IDLE;
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
