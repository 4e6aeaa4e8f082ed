//! `poetry.lock` and `uv.lock`, whole.

use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::{is_hex, is_named};
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::{Entry, Need, Role, Source};
use crate::judge::advisory::tree::value::Value;

/// Where the index that everybody uses keeps its files.
const FILES: &str = "https://files.pythonhosted.org/";

/// What `poetry.lock` repeats of a package.
const POETRY_TRAITS: [&str; 3] = ["description", "python-versions", "extras"];

/// Takes the places out of `poetry.lock`.
pub(in super::super) fn poetry(doc: &mut Value, mask: &mut Mask<'_>) {
    if let Some(hash) = doc.at_mut(&["metadata", "content-hash"])
        && hash.as_text().is_some_and(|text| is_hex(text, 64))
    {
        *hash = Value::Hole;
    }
    // Older locks keep the files of all packages at the end.
    let mut kept = doc.at_mut(&["metadata", "files"]).map(std::mem::take);
    if let Some(packages) = doc.get_mut("package") {
        for package in packages.elements_mut() {
            poetry_package(mask, package, kept.as_mut());
        }
        packages.sort();
    }
    if let (Some(kept), Some(slot)) = (kept, doc.at_mut(&["metadata", "files"])) {
        *slot = kept;
    }
}

fn poetry_package(mask: &mut Mask<'_>, entry: &mut Value, kept: Option<&mut Value>) {
    let name = entry.text_of("name").unwrap_or_default().to_owned();
    let version = entry.text_of("version").unwrap_or_default().to_owned();
    mask.installs(&name, &version);
    let Some(package) = mask.named(&name) else {
        return;
    };
    if entry.get("source").is_some() || entry.get("develop") == Some(&Value::Bool(true)) {
        return mask.problem(NotABumpReason::NonRegistrySource, name);
    }
    let elsewhere = kept.and_then(|kept| kept.get_mut(&name));
    let listed = match (&elsewhere, entry.get("files")) {
        (Some(files), _) => (**files).clone(),
        (None, Some(files)) => files.clone(),
        (None, None) => Value::Null,
    };
    let Some(digests) = files(&listed, &version) else {
        return mask.problem(NotABumpReason::EntryIncomplete, name);
    };
    let needs = entry
        .get("dependencies")
        .map_or(&[][..], Value::entries)
        .iter()
        .flat_map(|(name, value)| {
            let texts = match value {
                Value::List(several) => several.iter().map(version_of).collect(),
                other => vec![version_of(other)],
            };
            texts.into_iter().map(|text| Need {
                name: name.clone(),
                versions: Some((Syntax::Poetry, text.to_owned())),
            })
        })
        .collect();
    let traits = POETRY_TRAITS.iter().filter_map(|key| {
        let value = entry.get(key)?;
        Some(((*key).to_owned(), value.clone()))
    });
    let bookkeeping = Entry {
        digests,
        weak: false,
        source: Source::Unsaid,
        needs,
        traits: Value::Map(traits.collect()),
    };
    if mask.entry(package, at_of(&name, entry), &version, bookkeeping) {
        for key in ["version", "files", "dependencies"]
            .iter()
            .chain(&POETRY_TRAITS)
        {
            entry.take(key);
        }
        entry.put("", Value::Hole);
        if let Some(files) = elsewhere {
            *files = Value::Hole;
        }
    }
}

/// Several versions of one package are told apart by their markers.
fn at_of(name: &str, entry: &Value) -> String {
    [name, " ", entry.text_of("markers").unwrap_or_default()].concat()
}

fn version_of(value: &Value) -> &str {
    match value {
        Value::Map(_) => value.text_of("version").unwrap_or("?"),
        other => other.as_text().unwrap_or("?"),
    }
}

/// Returns the digests of files, `{file = "...", hash = "..."}`, whose names must all hold the version.
fn files(list: &Value, version: &str) -> Option<Vec<String>> {
    list.elements()
        .iter()
        .map(|file| {
            let hash = file.text_of("hash").filter(|hash| is_named(hash))?;
            is_file_of(file.text_of("file")?, version).then(|| hash.to_owned())
        })
        .collect()
}

/// Whether a file's name is that of a release: `name-1.0.tar.gz`, `name-1.0-py3-none-any.whl`.
fn is_file_of(file: &str, version: &str) -> bool {
    let file = file.rsplit('/').next().unwrap_or(file);
    // Wheels write `+` and `-` of versions as `_`.
    let plain = |text: &str| text.to_ascii_lowercase().replace(['+', '_'], "-");
    let (file, mark) = (plain(file), format!("-{}", plain(version)));
    file.match_indices(&mark).any(|(at, _)| {
        let behind = file.get(at + mark.len()..).unwrap_or_default();
        [".tar.", ".zip", ".whl", ".egg", ".tgz", "-"]
            .iter()
            .any(|end| behind.starts_with(end))
    })
}

/// Takes the places out of `uv.lock`.
pub(in super::super) fn uv(doc: &mut Value, mask: &mut Mask<'_>) {
    if let Some(manifest) = doc.get_mut("manifest") {
        for key in [
            "overrides",
            "constraints",
            "build-constraints",
            "requirements",
        ] {
            let Some(list) = manifest.get_mut(key) else {
                continue;
            };
            for element in list.elements_mut() {
                specifier(mask, &format!("manifest.{key}"), element, Role::Requirement);
            }
        }
    }
    if let Some(packages) = doc.get_mut("package") {
        for package in packages.elements_mut() {
            uv_package(mask, package);
        }
        packages.sort();
    }
}

/// `{name = "django", specifier = ">=3.2"}`.
fn specifier(mask: &mut Mask<'_>, at: &str, element: &mut Value, role: Role) {
    let name = element.text_of("name").unwrap_or_default().to_owned();
    let Some(package) = mask.named(&name) else {
        return;
    };
    if [
        "git",
        "url",
        "path",
        "editable",
        "directory",
        "index",
        "virtual",
    ]
    .iter()
    .any(|key| element.get(key).is_some())
    {
        return mask.problem(NotABumpReason::NonRegistrySource, name);
    }
    let marker = element.text_of("marker").unwrap_or_default();
    let at = [at, "/", &name, " ", marker].concat();
    if let Some(text) = element.get_mut("specifier") {
        mask.take(package, role, at, Syntax::Pip, text);
    }
}

fn uv_package(mask: &mut Mask<'_>, entry: &mut Value) {
    let name = entry.text_of("name").unwrap_or_default().to_owned();
    let version = entry.text_of("version").unwrap_or_default().to_owned();
    mask.installs(&name, &version);
    let is_project = ["virtual", "editable", "directory"].iter().any(|key| {
        entry
            .get("source")
            .is_some_and(|source| source.get(key).is_some())
    });
    if is_project {
        requires(mask, &name, entry);
    }
    // Where several versions are installed, others say which one they mean.
    for key in ["dependencies", "optional-dependencies", "dev-dependencies"] {
        let Some(part) = entry.get_mut(key) else {
            continue;
        };
        match part {
            Value::List(list) => {
                for element in list {
                    mention(mask, &name, element);
                }
            }
            other => {
                for (_, list) in other.entries_mut() {
                    for element in list.elements_mut() {
                        mention(mask, &name, element);
                    }
                }
            }
        }
    }
    let Some(package) = mask.named(&name) else {
        return;
    };
    if is_project {
        return;
    }
    let Some(source) = entry
        .get("source")
        .and_then(|source| match source.entries() {
            [(key, Value::Text(url))] if key == "registry" => Some(url.clone()),
            _ => None,
        })
    else {
        return mask.problem(NotABumpReason::NonRegistrySource, name);
    };
    let Some(digests) = artifacts(entry, &version, &source) else {
        return mask.problem(NotABumpReason::EntryIncomplete, name);
    };
    let needs = entry.get("dependencies").map_or(&[][..], Value::elements);
    let needs = needs.iter().map(|need| Need {
        name: need.text_of("name").unwrap_or("?").to_owned(),
        versions: need
            .text_of("version")
            .map(|version| (Syntax::Exact, version.to_owned())),
    });
    let bookkeeping = Entry {
        digests,
        weak: false,
        source: Source::Registry {
            base: source,
            version: None,
        },
        needs: needs.collect(),
        traits: Value::Null,
    };
    let markers = entry
        .get("resolution-markers")
        .map_or(&[][..], Value::elements);
    let markers: Vec<&str> = markers.iter().filter_map(Value::as_text).collect();
    let at = [&name, " ", &markers.join(" ")].concat();
    if mask.entry(package, at, &version, bookkeeping) {
        for key in ["version", "source", "sdist", "wheels", "dependencies"] {
            entry.take(key);
        }
        entry.put("", Value::Hole);
    }
}

/// What a project of the workspace asks for, repeated.
fn requires(mask: &mut Mask<'_>, name: &str, entry: &mut Value) {
    let Some(metadata) = entry.get_mut("metadata") else {
        return;
    };
    if let Some(list) = metadata.get_mut("requires-dist") {
        for element in list.elements_mut() {
            specifier(mask, name, element, Role::Copy);
        }
    }
    if let Some(groups) = metadata.get_mut("requires-dev") {
        for (group, list) in groups.entries_mut() {
            for element in list.elements_mut() {
                specifier(mask, &format!("{name}.{group}"), element, Role::Copy);
            }
        }
    }
}

/// `{name = "django", version = "3.2.1", source = {...}}`.
fn mention(mask: &mut Mask<'_>, owner: &str, element: &mut Value) {
    let name = element.text_of("name").unwrap_or_default().to_owned();
    let Some(package) = mask.named(&name) else {
        return;
    };
    let marker = element.text_of("marker").unwrap_or_default();
    let at = [owner, " needs ", &name, " ", marker].concat();
    if let Some(version) = element.get_mut("version") {
        mask.take(package, Role::Locked, at, Syntax::Exact, version);
    }
}

/// Returns the digests of `sdist` and `wheels`; `None` if one is not of this version, or from elsewhere.
fn artifacts(entry: &Value, version: &str, index: &str) -> Option<Vec<String>> {
    let host = |url: &str| {
        let rest = url.strip_prefix("https://")?;
        rest.split('/').next().map(str::to_owned)
    };
    let wheels = entry.get("wheels").map_or(&[][..], Value::elements);
    let all = wheels.iter().chain(entry.get("sdist"));
    let digests: Option<Vec<String>> = all
        .map(|artifact| {
            let url = artifact.text_of("url")?;
            let home = url.starts_with(FILES) || (host(url).is_some() && host(url) == host(index));
            let hash = artifact.text_of("hash").filter(|hash| is_named(hash))?;
            (home && !url.contains(['?', '#', '@', '%']) && is_file_of(url, version))
                .then(|| hash.to_owned())
        })
        .collect();
    digests.filter(|digests| !digests.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_file_of;

    #[test]
    fn a_file_is_told_by_the_version_in_its_name() {
        assert!(is_file_of("Django-3.2.12-py3-none-any.whl", "3.2.12"));
        assert!(is_file_of("Django-3.2.12.tar.gz", "3.2.12"));
        assert!(is_file_of(
            "https://h/x/torch-2.0+cpu-cp3-none.whl",
            "2.0+cpu"
        ));
        assert!(!is_file_of("Django-3.2.1.tar.gz", "3.2.12"));
        assert!(!is_file_of("Django-3.2.12.tar.gz", "3.2.1"));
        assert!(!is_file_of("Django-3.2.1.tar.gz", "3.2"));
    }
}
