//! `pyproject.toml` (PEP 621, PEP 735, Poetry, uv, PDM) and `Pipfile`.

use super::pep508;
use super::toml::{TomlLine, elements, table_value, toml_line};
use crate::judge::advisory::name::FIELDS;
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
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

/// Keys of prose, and of names that ask for nothing.
const PROSE: [&str; 14] = [
    "name",
    "description",
    "readme",
    "license",
    "license-files",
    "authors",
    "maintainers",
    "keywords",
    "classifiers",
    "homepage",
    "repository",
    "documentation",
    "requires-python",
    "version",
];

/// Sections of tools that install nothing.
const TOOLS: [&str; 20] = [
    "bandit",
    "black",
    "bumpversion",
    "codespell",
    "commitizen",
    "coverage",
    "django-stubs",
    "djlint",
    "flake8",
    "isort",
    "mypy",
    "mypy-overrides",
    "pylint",
    "pyright",
    "pytest",
    "ruff",
    "semantic_release",
    "towncrier",
    "vulture",
    "yapf",
];

/// Arrays of requirements whose section is not to be seen, but whose key says enough.
const KNOWN_ARRAYS: [&str; 9] = [
    "dependencies",
    "requires",
    "dev-dependencies",
    "constraint-dependencies",
    "override-dependencies",
    "build-constraint-dependencies",
    "dev",
    "test",
    "docs",
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
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds<'a> {
    /// `name = requirement`.
    Dependencies,
    /// The keys of one dependency, Poetry's `[tool.poetry.dependencies.name]`.
    One(&'a str),
    /// Arrays of PEP 508 strings under these keys; none named means any.
    Arrays(&'static [&'static str]),
    /// `name = source`: where a dependency is taken from.
    Sources,
    /// Names without versions, or prose.
    Prose,
    /// Anything else.
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

    /// Takes in the last line above the hunk that begins with a letter: perhaps an array that is open.
    pub fn heading(&mut self, line: &'a str) {
        match toml_line(line) {
            TomlLine::Section(name) => self.section = Some(name),
            TomlLine::Open(key) => self.array = Some(key),
            _ => {}
        }
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let scanned = toml_line(line);
        if !matches!(
            scanned,
            TomlLine::Element(_) | TomlLine::ElementTable(_) | TomlLine::Blank | TomlLine::Other
        ) {
            self.array = None;
        }
        match scanned {
            TomlLine::Section(name) => {
                self.section = Some(name);
                self.entry += 1;
                match name.rsplit_once('.') {
                    Some(("tool.uv.sources", package)) => taken_from_elsewhere(package),
                    _ => Read::IDLE,
                }
            }
            TomlLine::Open(key) => {
                self.array = Some(key);
                match self.holds() {
                    Holds::Sources => taken_from_elsewhere(key),
                    _ => Read::IDLE,
                }
            }
            TomlLine::Close | TomlLine::Blank => Read::IDLE,
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Table(key, inside) => self.table(line, key, inside),
            TomlLine::Element(text) => self.element(line, text),
            TomlLine::ElementTable(inside) => self.element_table(line, inside),
            TomlLine::Literal(key, _) | TomlLine::List(key, _) => match self.holds() {
                Holds::Sources => taken_from_elsewhere(key),
                Holds::Prose => Read::ELSE,
                _ if PROSE.contains(&key) => Read::ELSE,
                _ => Read::NOTHING,
            },
            TomlLine::LongText => Read::Murky,
            TomlLine::Other => Read::NOTHING,
        }
    }

    /// Returns what the elements of an array on one line say; `None` if they are not understood.
    pub fn inside(&self, line: &'a str) -> Option<Vec<Read<'a>>> {
        let mut reader = self.clone();
        let inside = match toml_line(line) {
            TomlLine::List(key, inside) => {
                reader.array = Some(key);
                inside
            }
            // Several elements on one line of an array.
            TomlLine::Other => line,
            _ => return None,
        };
        let read = |element| match element {
            TomlLine::Element(text) => reader.element(line, text),
            TomlLine::ElementTable(inside) => reader.element_table(line, inside),
            _ => Read::NOTHING,
        };
        Some(elements(inside)?.into_iter().map(read).collect())
    }

    fn pair(&self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        match (self.holds(), dotted(key)) {
            (Holds::Dependencies | Holds::Unseen, Some((package, field))) => {
                self.field(line, package, field, value)
            }
            (Holds::Dependencies, None) => self.place(line, key, value),
            (Holds::Unseen, None) if PROSE.contains(&key) => Read::ELSE,
            (Holds::Unseen, None) if !AMBIGUOUS.contains(&key) => self.place(line, key, value),
            (Holds::One(package), _) => self.field(line, package, key, value),
            (Holds::Sources, _) => taken_from_elsewhere(key),
            (Holds::Prose, _) => Read::ELSE,
            (Holds::Arrays(_), _) if PROSE.contains(&key) => Read::ELSE,
            _ => Read::SECTION,
        }
    }

    /// Reads one key of one dependency.
    fn field(&self, line: &'a str, package: &'a str, key: &str, value: &'a str) -> Read<'a> {
        match key {
            "version" => self.place(line, package, value),
            _ if SOURCES.contains(&key) => taken_from_elsewhere(package),
            _ => Read::SECTION,
        }
    }

    fn table(&self, line: &'a str, key: &'a str, inside: &'a str) -> Read<'a> {
        match self.holds() {
            Holds::Dependencies | Holds::Unseen => self.tabled(line, key, inside),
            Holds::Sources => taken_from_elsewhere(key),
            Holds::Prose => Read::ELSE,
            _ if PROSE.contains(&key) => Read::ELSE,
            _ => Read::SECTION,
        }
    }

    /// Reads the inside of a dependency's table.
    fn tabled(&self, line: &'a str, package: &'a str, inside: &'a str) -> Read<'a> {
        let mut elsewhere = false;
        let value = table_value(inside, "version", |key| elsewhere |= SOURCES.contains(&key));
        match value {
            _ if elsewhere => taken_from_elsewhere(package),
            Some(value) => self.place(line, package, value),
            None => Read::NOTHING,
        }
    }

    fn element(&self, line: &'a str, text: &'a str) -> Read<'a> {
        let (holds, array) = (self.holds(), self.array);
        let allowed = match (holds, array) {
            (Holds::Arrays([]), _) => true,
            (Holds::Unseen, Some(array)) => KNOWN_ARRAYS.contains(&array),
            (Holds::Arrays(keys), Some(array)) => keys.contains(&array),
            (Holds::Arrays(keys), None) => keys.len() == 1,
            _ => false,
        };
        if allowed && !self.pipfile {
            return pep508::requirement(line, text);
        }
        let prose = holds == Holds::Prose || array.is_some_and(|array| PROSE.contains(&array));
        // `Framework :: Django`.
        if prose || (text.contains(" :: ") && !text.contains(['=', '<', '>', '~'])) {
            return Read::ELSE;
        }
        Read::SECTION
    }

    /// Reads one of several tables of a dependency: `{version = "^2.2", python = "<3.8"}`.
    fn element_table(&self, line: &'a str, inside: &'a str) -> Read<'a> {
        match (self.holds(), self.array) {
            (Holds::Dependencies, Some(package)) => self.tabled(line, package, inside),
            (Holds::Sources, Some(package)) => taken_from_elsewhere(package),
            (Holds::Prose, _) => Read::ELSE,
            (_, Some(array)) if PROSE.contains(&array) => Read::ELSE,
            _ => Read::NOTHING,
        }
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
            "project.optional-dependencies"
            | "dependency-groups"
            | "tool.pdm.dev-dependencies"
            | "tool.hatch.envs.default.dependencies" => {
                return Holds::Arrays(&[]);
            }
            "tool.uv" => {
                return Holds::Arrays(&[
                    "dev-dependencies",
                    "constraint-dependencies",
                    "override-dependencies",
                    "build-constraint-dependencies",
                ]);
            }
            "tool.uv.sources" => return Holds::Sources,
            "tool.pdm.resolution.overrides" => return Holds::Dependencies,
            "tool.pdm.resolution" => return Holds::Nothing,
            "tool.poetry" | "tool.poetry.extras" | "tool.poetry.urls" | "tool.poetry.scripts" => {
                return Holds::Prose;
            }
            "project.urls" | "project.scripts" | "project.gui-scripts" => return Holds::Prose,
            _ => {}
        }
        if section.starts_with("project.entry-points") || section.starts_with("tool.uv.sources.") {
            return Holds::Prose;
        }
        let Some(tool) = section.strip_prefix("tool.") else {
            return Holds::Nothing;
        };
        if tool.starts_with("hatch.envs.") {
            return Holds::Arrays(&["dependencies", "extra-dependencies"]);
        }
        let first = tool.split('.').next().unwrap_or(tool);
        if TOOLS.contains(&first) {
            return Holds::Prose;
        }
        let Some(poetry) = tool.strip_prefix("poetry.") else {
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

/// Splits `django.version`: a key of a dependency behind a dot.
fn dotted(key: &str) -> Option<(&str, &str)> {
    let (package, field) = key.rsplit_once('.')?;
    FIELDS.contains(&field).then_some((package, field))
}

/// The dependency is not taken from the default index, wherever in the file it is asked for.
fn taken_from_elsewhere(package: &str) -> Read<'_> {
    let package = Package::named(package.trim_matches('"'));
    Read::Poison(NotABumpReason::NonRegistrySource, Some(package))
}
