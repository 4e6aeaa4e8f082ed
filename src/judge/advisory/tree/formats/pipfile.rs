//! `Pipfile` and `Pipfile.lock`, whole.

use super::pyproject::table;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::{is_hex, is_named};
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::{Entry, Role, Source};
use crate::judge::advisory::tree::value::Value;

/// Sections that name no packages.
const OTHER: [&str; 5] = ["source", "requires", "scripts", "pipenv", "_meta"];

/// Takes the places out of `Pipfile`: any other section is a category of packages.
pub(in super::super) fn manifest(doc: &mut Value, mask: &mut Mask<'_>) {
    for (section, packages) in doc.entries_mut() {
        if OTHER.contains(&section.as_str()) {
            continue;
        }
        for (name, value) in packages.entries_mut() {
            table(mask, section, name, value, Role::Requirement);
        }
    }
}

/// Takes the places out of `Pipfile.lock`.
pub(in super::super) fn lock(doc: &mut Value, mask: &mut Mask<'_>) {
    // The digest of the manifest changes with it.
    if let Some(hash) = doc.at_mut(&["_meta", "hash", "sha256"])
        && hash.as_text().is_some_and(|text| is_hex(text, 64))
    {
        *hash = Value::Hole;
    }
    for (section, packages) in doc.entries_mut() {
        if OTHER.contains(&section.as_str()) {
            continue;
        }
        for (name, entry) in packages.entries_mut() {
            let version = entry.text_of("version").unwrap_or_default().to_owned();
            let bare = version.strip_prefix("==").unwrap_or_default();
            mask.installs(name, bare);
            if let Some(package) = mask.named(name) {
                let at = format!("{section}/{name}");
                locked(mask, package, at, bare, entry);
            }
        }
    }
}

fn locked(mask: &mut Mask<'_>, package: &str, at: String, version: &str, entry: &mut Value) {
    let foreign = ["git", "path", "file", "ref", "editable"];
    if version.is_empty() || foreign.iter().any(|key| entry.get(key).is_some()) {
        return mask.problem(NotABumpReason::NonRegistrySource, at);
    }
    let hashes = entry.get("hashes").map_or(&[][..], Value::elements);
    let digests: Vec<String> = hashes
        .iter()
        .filter_map(Value::as_text)
        .filter(|text| is_named(text))
        .map(str::to_owned)
        .collect();
    if digests.len() != hashes.len() {
        return mask.problem(NotABumpReason::IntegrityDropped, at);
    }
    let bookkeeping = Entry {
        digests,
        weak: false,
        source: Source::Unsaid,
        needs: Vec::new(),
        traits: Value::Null,
    };
    if mask.pinned(package, at, Syntax::Exact, version, bookkeeping) {
        for key in ["hashes", "version"] {
            entry.take(key);
        }
        entry.put("", Value::Hole);
    }
}
