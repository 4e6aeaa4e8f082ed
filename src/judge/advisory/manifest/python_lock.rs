//! `poetry.lock` and `uv.lock`.

use super::toml::{TomlLine, table_value, toml_line};
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
                Read::NOTHING
            }
            TomlLine::Pair(key, value) => self.pair(line, key, value),
            TomlLine::Table(key, inside) => self.table(key, inside),
            TomlLine::ElementTable(inside) => self.element(line, inside),
            _ => Read::NOTHING,
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
                Read::NOTHING
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
            (None, "version") => Read::UNSEEN,
            _ => Read::NOTHING,
        }
    }

    fn table(&self, key: &'a str, inside: &'a str) -> Read<'a> {
        match key {
            "source" => match table_value(inside, "registry", |_| {}) {
                Some(url) if url.starts_with("https://") => Read::Registry,
                _ => Read::ELSEWHERE,
            },
            "sdist" => artifact(inside),
            _ => Read::NOTHING,
        }
    }

    fn element(&self, line: &'a str, inside: &'a str) -> Read<'a> {
        // uv: `{ name = "django", specifier = ">=3.2" }` under `requires-dist`.
        let Some(name) = table_value(inside, "name", |_| {}) else {
            return artifact(inside);
        };
        let mut elsewhere = false;
        let other = |key| !matches!(key, "name" | "specifier" | "marker" | "extra" | "extras");
        match table_value(inside, "specifier", |key| elsewhere |= other(key)) {
            Some(specifier) if !elsewhere => Read::Place(Place::new(
                Package::named(name),
                Role::Requirement,
                Syntax::Pip,
                line,
                specifier,
            )),
            _ => Read::NOTHING,
        }
    }
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
            Read::Mark(Mark {
                owner: Owner::Named(Package::named(name), version),
                host,
                weak: false,
            })
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
