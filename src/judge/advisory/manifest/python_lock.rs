//! `poetry.lock` and `uv.lock`.

use super::toml::{TomlLine, elements, table_value, toml_line};
use super::{is_hex_digest, is_named_digest};
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// The keys of an artifact in either file.
const ARTIFACT_KEYS: [&str; 5] = ["file", "url", "hash", "size", "upload-time"];
/// What files of a source distribution end in.
const ARCHIVES: [&str; 4] = [".tar.gz", ".zip", ".tar.bz2", ".tar.xz"];

/// Reader of Poetry's and uv's lock files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct PythonLock<'a> {
    section: Option<&'a str>,
    /// The package of the current entry, once its name was to be seen.
    package: Option<&'a str>,
    /// The entry of the last line: one a `[[package]]`.
    pub entry: u32,
}

impl<'a> PythonLock<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        match toml_line(line) {
            TomlLine::Section(name) => {
                self.section = Some(name);
                if name == "package" {
                    self.entry += 1;
                    self.package = None;
                }
                Read::IDLE
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Table(key, inside) => self.table(line, key, inside),
            TomlLine::ElementTable(inside) => self.element(line, inside),
            TomlLine::List(key, _) => self.list(key),
            TomlLine::Element(_) if self.is_extras() => Read::IDLE,
            TomlLine::Open(_) | TomlLine::Close | TomlLine::Literal(..) | TomlLine::Blank => {
                Read::IDLE
            }
            TomlLine::Other => self.nested(line),
            TomlLine::Element(_) | TomlLine::LongText => Read::NOTHING,
        }
    }

    /// Returns what the elements of an array on one line say; `None` if they are not understood.
    pub fn inside(&self, line: &'a str) -> Option<Vec<Read<'a>>> {
        let TomlLine::List(_, inside) = toml_line(line) else {
            return None;
        };
        let read = |element| match element {
            TomlLine::ElementTable(inside) => self.element(line, inside),
            _ => Read::NOTHING,
        };
        Some(elements(inside)?.into_iter().map(read).collect())
    }

    /// Whether the section says which requirements an extra adds: they are locked elsewhere.
    fn is_extras(&self) -> bool {
        matches!(self.section, Some("package.extras" | "extras"))
    }

    fn list(&self, key: &str) -> Read<'a> {
        let names = matches!(
            key,
            "groups" | "provides-extras" | "package-extras" | "markers"
        );
        match names || self.is_extras() {
            true => Read::IDLE,
            false => Read::NOTHING,
        }
    }

    fn pair(&mut self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        // Over the manifest, not over an artifact.
        if key == "content-hash" && is_hex_digest(value) {
            return Read::Mark(Mark::of(Owner::File));
        }
        match (self.section, key) {
            (Some("package"), "name") => {
                self.package = Some(value);
                Read::Place(Place::head(value, ""))
            }
            (Some("package"), "version") => match self.package {
                Some(package) => Read::Place(Place::new(
                    Package::named(package),
                    Role::Locked,
                    Syntax::Exact,
                    line,
                    value,
                )),
                None => Read::UNSEEN,
            },
            // Poetry: a table of its own for what does not come from PyPI.
            (Some("package.source"), _) => Read::ELSEWHERE,
            (Some("package.dependencies"), _) => requirement(line, key, value),
            (None, "version") => Read::UNSEEN,
            (Some("package" | "metadata") | None, "description" | "python-versions" | "name") => {
                Read::IDLE
            }
            _ => Read::NOTHING,
        }
    }

    fn table(&self, line: &'a str, key: &'a str, inside: &'a str) -> Read<'a> {
        match key {
            "source" => match table_value(inside, "registry", |_| {}) {
                Some(url) if url.starts_with("https://") => Read::Registry,
                _ => Read::ELSEWHERE,
            },
            "sdist" => artifact(inside),
            _ if self.section == Some("package.dependencies") => {
                match table_value(inside, "version", |_| {}) {
                    Some(version) => requirement(line, key, version),
                    None => Read::NOTHING,
                }
            }
            _ => Read::NOTHING,
        }
    }

    fn element(&self, line: &'a str, inside: &'a str) -> Read<'a> {
        // uv: `{ name = "django", specifier = ">=3.2" }` under `requires-dist`.
        let Some(name) = table_value(inside, "name", |_| {}) else {
            return artifact(inside);
        };
        let known = |key| matches!(key, "name" | "specifier" | "marker" | "extra" | "extras");
        let (mut elsewhere, mut version) = (false, false);
        let specifier = table_value(inside, "specifier", |key| {
            elsewhere |= !known(key) && !matches!(key, "version" | "source");
            version |= key == "version";
        });
        if elsewhere {
            return Read::NOTHING;
        }
        let package = Package::named(name);
        match (specifier, version) {
            (Some(specifier), false) => Read::Place(Place::new(
                package,
                Role::Requirement,
                Syntax::Pip,
                line,
                specifier,
            )),
            // One of several versions that the file holds.
            (None, true) => match table_value(inside, "version", |_| {}) {
                Some(version) => Read::Place(Place::new(
                    package,
                    Role::Mention,
                    Syntax::Exact,
                    line,
                    version,
                )),
                None => self.with_source(line, package, inside),
            },
            // The only one.
            (None, false) if !inside.contains("source") => Read::IDLE,
            _ => Read::NOTHING,
        }
    }

    /// Reads a table with a table in it: `{ name = "a", version = "1", source = { … } }`.
    fn nested(&self, line: &'a str) -> Read<'a> {
        let name = line
            .trim_start()
            .strip_prefix("{ name = \"")
            .and_then(|rest| rest.split_once('"'));
        match name {
            Some((name, rest)) => self.with_source(line, Package::named(name), rest),
            None => Read::NOTHING,
        }
    }

    /// Reads a mention whose source is a table within its table.
    fn with_source(&self, line: &'a str, package: Package<'a>, inside: &'a str) -> Read<'a> {
        let version = inside
            .split_once("version = \"")
            .and_then(|(_, rest)| rest.split_once('"'));
        match version {
            Some((version, _)) if inside.contains("source = { registry = \"https://") => {
                Read::Place(Place::new(
                    package,
                    Role::Mention,
                    Syntax::Exact,
                    line,
                    version,
                ))
            }
            _ => Read::NOTHING,
        }
    }
}

/// Returns what an entry requires of another package: it changes only with the entry.
fn requirement<'a>(line: &'a str, name: &'a str, range: &'a str) -> Read<'a> {
    let (package, role) = (Package::named(name), Role::Requirement);
    let place = Place::new(package, role, Syntax::Poetry, line, range);
    Read::Place(place.aliased(NotABumpReason::NotUnderstood))
}

/// Reads `file` or `url` with its `hash`: the file's name tells package and version.
fn artifact(inside: &str) -> Read<'_> {
    let mut known = true;
    let note = |key| known &= ARTIFACT_KEYS.contains(&key);
    let digest = table_value(inside, "hash", note);
    let url = table_value(inside, "url", |_| {});
    let Some(place) = url.or_else(|| table_value(inside, "file", |_| {})) else {
        return Read::NOTHING;
    };
    let (host, file) = match url {
        Some(url) => match host_and_file(url) {
            Some(split) => split,
            None => return Read::ELSEWHERE,
        },
        None => ("", place),
    };
    match (name_and_version(file), digest) {
        (Some((name, version)), Some(digest)) if known && is_named_digest(digest) => {
            let mut mark = Mark::of(Owner::Named(Package::named(name), version));
            (mark.host, mark.digest) = (host, digest);
            Read::Mark(mark)
        }
        _ => Read::Still(NotABumpReason::NotUnderstood),
    }
}

/// Returns `https://host` and the last segment of a URL without query, fragment, user or escape.
fn host_and_file(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://")?;
    if rest.contains(['?', '#', '%', '@', '\\']) || rest.contains("..") {
        return None;
    }
    let (host, path) = rest.split_once('/')?;
    let end = "https://".len() + host.len();
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    (!host.is_empty()).then_some((url.get(..end)?, file))
}

/// Returns name and version of a wheel (`name-version-….whl`) or a source distribution
/// (`name-version.tar.gz`), as the packaging specifications define the names.
fn name_and_version(file: &str) -> Option<(&str, &str)> {
    if let Some(wheel) = file.strip_suffix(".whl") {
        let mut parts = wheel.split('-');
        let split = (parts.next()?, parts.next()?);
        return (parts.count() >= 3).then_some(split);
    }
    let stem = ARCHIVES
        .iter()
        .find_map(|ending| file.strip_suffix(ending))?;
    stem.rsplit_once('-')
}

#[cfg(test)]
mod tests {
    use super::{host_and_file, name_and_version};

    #[test]
    fn an_artifact_tells_its_package_and_version() {
        assert_eq!(
            name_and_version("Django-3.2.12-py3-none-any.whl"),
            Some(("Django", "3.2.12"))
        );
        assert_eq!(name_and_version("a-b-1.0.tar.gz"), Some(("a-b", "1.0")));
        assert_eq!(name_and_version("evil.exe"), None);
        assert_eq!(name_and_version("x.whl"), None);
    }

    #[test]
    fn only_a_plain_https_url_has_a_host() {
        assert_eq!(
            host_and_file("https://files.pythonhosted.org/packages/a/b/Django-3.2.12.tar.gz"),
            Some(("https://files.pythonhosted.org", "Django-3.2.12.tar.gz"))
        );
        for url in [
            "http://h/f",
            "https://u@h/f",
            "https:///f",
            "https://h",
            "https://h/f?x",
            "https://h/../f",
        ] {
            assert_eq!(host_and_file(url), None, "{url}");
        }
    }
}
