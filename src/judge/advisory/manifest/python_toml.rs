//! `pyproject.toml` (PEP 621, PEP 735, Poetry, uv, PDM) and `Pipfile`.

use super::pep508;
use super::toml::{TomlLine, table_value, toml_line};
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::requirement::Syntax;

/// Keys of an inline table that fill the dependency from elsewhere than the default index.
const SOURCES: [&str; 12] = [
    "git", "url", "path", "file", "source", "index", "registry", "branch", "rev", "ref", "tag",
    "editable",
];

/// Keys that mean something else outside dependency sections.
const AMBIGUOUS: [&str; 6] = [
    "version",
    "python",
    "name",
    "license",
    "python_version",
    "requires-python",
];

/// Reader of Python's TOML manifests.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct PythonToml<'a> {
    pipfile: bool,
    /// The section, once it was to be seen.
    section: Option<&'a str>,
    /// The key of the array that is open, once it was to be seen.
    array: Option<&'a str>,
    /// The entry of the last line: one a section.
    pub entry: u32,
}

/// What a section holds.
#[derive(PartialEq, Eq)]
enum Holds<'a> {
    /// `name = requirement`.
    Dependencies,
    /// The keys of one dependency, Poetry's `[tool.poetry.dependencies.name]`.
    One(&'a str),
    /// Arrays of PEP 508 strings under these keys; none named means any.
    Arrays(&'static [&'static str]),
    /// Nothing that is installed.
    Nothing,
    /// Not to be seen.
    Unseen,
}

impl<'a> PythonToml<'a> {
    /// Returns a reader of `pyproject.toml`.
    pub fn pyproject() -> Self {
        Self::of(false)
    }

    /// Returns a reader of `Pipfile`.
    pub fn pipfile() -> Self {
        Self::of(true)
    }

    fn of(pipfile: bool) -> Self {
        Self {
            pipfile,
            section: None,
            array: None,
            entry: 0,
        }
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        match toml_line(line) {
            TomlLine::Section(name) => {
                (self.section, self.array) = (Some(name), None);
                self.entry += 1;
                Read::NOTHING
            }
            TomlLine::Open(key) => {
                self.array = Some(key);
                Read::NOTHING
            }
            TomlLine::Close => {
                self.array = None;
                Read::NOTHING
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Table(key, inside) => self.table(line, key, inside),
            TomlLine::Element(text) => self.element(line, text),
            TomlLine::ElementTable(_) | TomlLine::Other => Read::NOTHING,
        }
    }

    fn pair(&self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        let package = match self.holds() {
            Holds::Dependencies => key,
            Holds::Unseen if !AMBIGUOUS.contains(&key) => key,
            Holds::One(package) if key == "version" => package,
            Holds::One(_) if SOURCES.contains(&key) => return Read::ELSEWHERE,
            _ => return Read::SECTION,
        };
        self.place(line, package, value)
    }

    fn table(&self, line: &'a str, key: &'a str, inside: &'a str) -> Read<'a> {
        if !matches!(self.holds(), Holds::Dependencies | Holds::Unseen) {
            return Read::SECTION;
        }
        let mut elsewhere = false;
        let value = table_value(inside, "version", |key| elsewhere |= SOURCES.contains(&key));
        match value {
            _ if elsewhere => Read::ELSEWHERE,
            Some(value) => self.place(line, key, value),
            None => Read::NOTHING,
        }
    }

    fn element(&self, line: &'a str, text: &'a str) -> Read<'a> {
        let allowed = match (self.holds(), self.array) {
            (Holds::Arrays([]) | Holds::Unseen, _) => true,
            (Holds::Arrays(keys), Some(array)) => keys.contains(&array),
            (Holds::Arrays(_), None) => true,
            _ => false,
        };
        if self.pipfile || !allowed {
            return Read::SECTION;
        }
        pep508::requirement(line, text)
    }

    fn place(&self, line: &'a str, package: &'a str, value: &'a str) -> Read<'a> {
        // Pipfile's `*` and bare versions are Poetry's grammar as well.
        let (name, syntax) = (Package::named(package), Syntax::Poetry);
        Read::Place(Place::new(name, Role::Requirement, syntax, line, value))
    }

    fn holds(&self) -> Holds<'a> {
        let Some(section) = self.section else {
            return Holds::Unseen;
        };
        if self.pipfile {
            return match section {
                "packages" | "dev-packages" => Holds::Dependencies,
                _ => Holds::Nothing,
            };
        }
        match section {
            "project" => return Holds::Arrays(&["dependencies"]),
            "build-system" => return Holds::Arrays(&["requires"]),
            "project.optional-dependencies" | "dependency-groups" | "tool.pdm.dev-dependencies" => {
                return Holds::Arrays(&[]);
            }
            "tool.uv" => {
                return Holds::Arrays(&[
                    "dev-dependencies",
                    "constraint-dependencies",
                    "override-dependencies",
                ]);
            }
            _ => {}
        }
        let Some(poetry) = section.strip_prefix("tool.poetry.") else {
            return Holds::Nothing;
        };
        // `dependencies`, `dev-dependencies`, `group.test.dependencies`, each perhaps with `.name`.
        let inner = match poetry
            .strip_prefix("group.")
            .map(|group| group.split_once('.'))
        {
            Some(Some((_, inner))) => inner,
            Some(None) => return Holds::Nothing,
            None => poetry,
        };
        match inner.split_once('.') {
            None if matches!(inner, "dependencies" | "dev-dependencies") => Holds::Dependencies,
            Some(("dependencies" | "dev-dependencies", name)) => Holds::One(name.trim_matches('"')),
            _ => Holds::Nothing,
        }
    }
}
