//! Packuments of npm: what a registry says of all versions of a package.
//!
//! What npm is told of them is made anew from the few fields that it needs to choose and to unpack. Dependencies that
//! are not of a registry are left out there, and a version that has one cannot be had.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;

use super::digest::Stated;

/// The longest that a name may be, as npm has it, in bytes.
const MAX_NAME_BYTES: usize = 214;

/// A packument that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PackumentError {
    /// It is no JSON of that shape.
    #[error("not a packument: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another package.
    #[error("it is of another package")]
    Other,
}

/// A version of a package.
#[derive(Debug)]
pub struct Version {
    /// The first dependency that is not of a registry, as `name: specification`.
    pub foreign: Option<String>,
    pub(super) tarball: Option<Url>,
    pub(super) stated: Option<Stated>,
    told: Map<String, Value>,
}

/// What a registry says of a package.
#[derive(Debug)]
pub struct Packument {
    name: String,
    tags: BTreeMap<String, String>,
    /// The versions that can be read.
    pub versions: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    name: Option<String>,
    #[serde(rename = "dist-tags", default)]
    tags: BTreeMap<String, Value>,
    #[serde(borrow, default)]
    versions: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawVersion {
    dependencies: Option<Value>,
    optional_dependencies: Option<Value>,
    dist: Option<RawDist>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct RawDist {
    tarball: Option<String>,
    integrity: Option<String>,
    shasum: Option<String>,
}

/// Fields that npm chooses and unpacks by, beside those that are made anew.
const TOLD: [&str; 8] = [
    "bundleDependencies",
    "bundledDependencies",
    "engines",
    "os",
    "cpu",
    "libc",
    "deprecated",
    "_hasShrinkwrap",
];

impl Packument {
    /// Returns what a registry said of a package.
    ///
    /// # Errors
    /// [`PackumentError`] if it cannot be read as a whole. A version that cannot be read is left out.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, PackumentError> {
        let raw: Raw<'_> = serde_json::from_slice(bytes)?;
        if raw.name.is_some_and(|said| said != name) {
            return Err(PackumentError::Other);
        }
        let tags = raw.tags.into_iter().filter_map(|(tag, version)| {
            let version = version.as_str()?.to_owned();
            Some((tag, version))
        });
        let versions = raw.versions.into_iter().filter_map(|(version, text)| {
            is_version(&version).then_some(())?;
            let read = Version::read(serde_json::from_str(text.get()).ok()?);
            Some((version, read))
        });
        Ok(Self {
            name: name.to_owned(),
            tags: tags.collect(),
            versions: versions.collect(),
        })
    }

    /// Returns what npm is told of it; `at` says where a version's tarball is asked for.
    pub(super) fn told(&self, at: impl Fn(&str) -> String) -> Value {
        let versions = self.versions.iter().map(|(version, of)| {
            let mut told = of.told.clone();
            let mut dist = json!({ "tarball": at(version) });
            if let (Some(stated), Some(dist)) = (&of.stated, dist.as_object_mut()) {
                dist.insert("integrity".to_owned(), stated.integrity().into());
            }
            told.insert("name".to_owned(), self.name.clone().into());
            told.insert("version".to_owned(), version.clone().into());
            told.insert("dist".to_owned(), dist);
            (version.clone(), Value::Object(told))
        });
        let tags = self
            .tags
            .iter()
            .filter(|(_, version)| self.versions.contains_key(*version));
        let tags = tags.map(|(tag, version)| (tag.clone(), Value::String(version.clone())));
        json!({
            "name": self.name,
            "dist-tags": tags.collect::<Map<_, _>>(),
            "versions": versions.collect::<Map<_, _>>(),
        })
    }
}

impl Version {
    fn read(raw: RawVersion) -> Self {
        let mut told: Map<String, Value> = raw.rest;
        told.retain(|field, _| TOLD.contains(&field.as_str()));
        let mut foreign = None;
        for (field, specs) in [
            ("dependencies", raw.dependencies),
            ("optionalDependencies", raw.optional_dependencies),
        ] {
            // Old packages have lists and texts here, which npm takes for nothing.
            let Some(Value::Object(specs)) = specs else {
                continue;
            };
            foreign = foreign.or_else(|| foreign_in(&specs));
            told.insert(field.to_owned(), Value::Object(specs));
        }
        if foreign.is_some() {
            told.remove("dependencies");
            told.remove("optionalDependencies");
            told.remove("_hasShrinkwrap");
        }
        let dist = raw.dist.as_ref();
        let integrity = dist.and_then(|dist| dist.integrity.as_deref());
        let shasum = dist.and_then(|dist| dist.shasum.as_deref());
        Self {
            foreign,
            tarball: dist.and_then(|dist| Url::parse(dist.tarball.as_deref()?).ok()),
            stated: match integrity {
                Some(integrity) => Stated::of_integrity(integrity),
                None => shasum.and_then(Stated::of_shasum),
            },
            told,
        }
    }
}

/// Returns the first dependency that a `package.json` has and that is not of a registry, as `name: specification`.
///
/// # Errors
/// If it is no JSON object.
pub fn foreign_of_manifest(bytes: &[u8]) -> Result<Option<String>, serde_json::Error> {
    // Byte order marks are common there.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let manifest: Map<String, Value> = serde_json::from_slice(bytes)?;
    let found = ["dependencies", "optionalDependencies"]
        .iter()
        .find_map(|field| {
            let specs = manifest.get(*field)?.as_object()?;
            foreign_in(specs)
        });
    Ok(found)
}

fn foreign_in(specs: &Map<String, Value>) -> Option<String> {
    let mut all = specs.iter().map(|(name, spec)| (name, spec.as_str()));
    let (name, spec) = all.find(|(name, spec)| {
        // What is no text npm cannot resolve either.
        !is_name(name) || !spec.is_some_and(|spec| is_of_registry(name, spec))
    })?;
    Some([name, ": ", spec.unwrap_or("(not a text)")].concat())
}

/// Whether a specification names versions of the package itself, in a registry: a range, a tag, or nothing.
pub fn is_of_registry(name: &str, spec: &str) -> bool {
    let spec = spec.trim();
    if let Some(alias) = spec.strip_prefix("npm:") {
        let rest = alias.strip_prefix(name);
        return rest.is_some_and(|rest| {
            let range = rest.strip_prefix('@');
            rest.is_empty() || range.is_some_and(|range| is_of_registry(name, range))
        });
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || " .^~<>=|*+-_,()!\t".contains(c);
    let lower = spec.to_ascii_lowercase();
    let is_file = [".tgz", ".tar.gz", ".tar"]
        .iter()
        .any(|end| lower.ends_with(end));
    let is_path = spec == "." || spec.starts_with("..") || spec == "~";
    spec.len() <= 256 && spec.chars().all(plain) && !is_file && !is_path
}

/// Whether a text is the name of a package, with or without a scope.
pub fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~!*'()".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
    };
    let whole = match name.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name) && name != "node_modules" && !name.starts_with('_'),
    };
    whole && name.len() <= MAX_NAME_BYTES
}

fn is_version(version: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
    let begins = version.starts_with(|c: char| c.is_ascii_digit());
    begins && version.len() <= 256 && version.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_tags_are_of_a_registry_and_nothing_else_is() {
        for spec in [
            "",
            "*",
            "1.2.3",
            "^1.2.3",
            "~1.2",
            ">=1 <2 || 3.x",
            "1.0.0 - 2.0.0",
            "latest",
            "v1.0.0",
            "1.0.0-rc.1+build.5",
            "npm:a@^1",
            "npm:a",
        ] {
            assert!(is_of_registry("a", spec), "{spec}");
        }
        for spec in [
            "git+http://127.0.0.1/a.git",
            "git://x/a",
            "git@host:a/b.git",
            "github:a/b",
            "a/b",
            "http://x/a.tgz",
            "https://x/a",
            "file:../a",
            "./a",
            "../a",
            "..",
            ".",
            "/a",
            "~/a",
            "link:../a",
            "npm:b@1",
            "npm:ab@1",
            "npm:@s/a@1",
            "workspace:*",
            "catalog:",
            "a.tgz",
            "x.TAR.GZ",
            "gist:1",
            "1.0.0#x",
            "a\\b",
            "patch:a@1",
            "portal:x",
            "npm:a@npm:b@1",
        ] {
            assert!(!is_of_registry("a", spec), "{spec}");
        }
    }

    #[test]
    fn names_are_those_of_packages_and_never_of_places() {
        for name in [
            "a",
            "lodash.template",
            "@scope/name",
            "JSONStream",
            "a-b_c~d",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "..",
            "../a",
            "a/b",
            "@scope",
            "@/a",
            "@scope/..",
            "@scope/a/b",
            ".hidden",
            "a%2fb",
            "a b",
            "node_modules",
            "a\\b",
            "a?b",
            "a#b",
            "@scope/../../x",
        ] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&"a".repeat(215)));
    }

    const TEXT: &str = r#"{"name":"a","dist-tags":{"latest":"1.1.0","odd":null,"gone":"9.0.0"},"versions":{
        "1.0.0":{"name":"evil","version":"9.9.9","dependencies":{"b":"^1"},"scripts":{"install":"x"},"engines":{"node":">4"},
            "dist":{"tarball":"https://r.example/a/-/a-1.0.0.tgz","shasum":"0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33"}},
        "1.1.0":{"dependencies":{"b":"^1","c":"git+https://h.example/c.git"},"dist":{"tarball":"https://r.example/x.tgz"}},
        "1.2.0":{"dependencies":[],"dist":"no"},
        "../../x":{"dist":{"tarball":"https://r.example/x.tgz"}}}}"#;

    #[test]
    fn npm_is_told_what_it_needs_and_never_of_what_is_not_of_a_registry() {
        let read = Packument::read("a", TEXT.as_bytes()).unwrap();
        let versions: Vec<_> = read.versions.keys().map(String::as_str).collect();
        assert_eq!(versions, ["1.0.0", "1.1.0"]);
        assert_eq!(read.versions["1.0.0"].foreign, None);
        let foreign = read.versions["1.1.0"].foreign.as_deref();
        assert_eq!(foreign, Some("c: git+https://h.example/c.git"));
        let told = read.told(|version| format!("http://here/{version}"));
        assert_eq!(told["dist-tags"], json!({"latest": "1.1.0"}));
        let first = &told["versions"]["1.0.0"];
        let stated = "sha1-C+7Hteo/D9vJXQ3UfzxbwnXaijM=";
        assert_eq!(
            *first,
            json!({"name": "a", "version": "1.0.0", "dependencies": {"b": "^1"}, "engines": {"node": ">4"},
                "dist": {"tarball": "http://here/1.0.0", "integrity": stated}})
        );
        assert_eq!(told["versions"]["1.1.0"].get("dependencies"), None);
        assert!(Packument::read("b", TEXT.as_bytes()).is_err());
    }

    #[test]
    fn a_manifest_tells_of_its_foreign_dependencies_and_of_no_others() {
        let of = |text: &str| foreign_of_manifest(text.as_bytes()).unwrap();
        assert_eq!(
            of(r#"{"dependencies":{"a":"1"},"devDependencies":{"b":"git://x"}}"#),
            None
        );
        let found = of("\u{feff}{\"optionalDependencies\":{\"a\":\"file:../b\"}}");
        assert_eq!(found.as_deref(), Some("a: file:../b"));
        assert_eq!(
            of(r#"{"dependencies":{"a":1}}"#).as_deref(),
            Some("a: (not a text)")
        );
        assert!(foreign_of_manifest(b"[").is_err());
    }
}
