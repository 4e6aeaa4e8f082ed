//! `pnpm-lock.yaml`, lockfile versions 5 to 9, and `pnpm-workspace.yaml`, whole.

use super::npm;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::{Digests, integrity};
use crate::judge::advisory::tree::mask::{Mask, needs_of, strip};
use crate::judge::advisory::tree::place::{Entry, Role, Source};
use crate::judge::advisory::tree::value::Value;

/// Sections that refer to installed versions.
const REFERENCES: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];
/// What an entry needs. (`peerDependencies` are met by who asks.)
const NEEDS: [&str; 2] = ["dependencies", "optionalDependencies"];
/// What an entry repeats of its package's manifest.
const TRAITS: [&str; 11] = [
    "engines",
    "deprecated",
    "hasBin",
    "os",
    "cpu",
    "libc",
    "peerDependencies",
    "peerDependenciesMeta",
    "transitivePeerDependencies",
    "requiresBuild",
    "bundledDependencies",
];

/// Takes the places out of a lock.
pub(in super::super) fn lock(doc: &mut Value, mask: &mut Mask<'_>) {
    // Before workspaces came together, the one importer stood at the top.
    importer(mask, "", doc);
    if let Some(importers) = doc.get_mut("importers") {
        for (key, value) in importers.entries_mut() {
            importer(mask, key, value);
        }
    }
    if let Some(overrides) = doc.get_mut("overrides") {
        npm::overrides(mask, "overrides", overrides, "");
    }
    if let Some(catalogs) = doc.get_mut("catalogs") {
        for (name, catalog) in catalogs.entries_mut() {
            for (key, entry) in catalog.entries_mut() {
                let at = format!("catalogs/{name}");
                specified(mask, &at, key, entry);
            }
        }
    }
    patched(doc, mask);
    for section in ["packages", "snapshots"] {
        if let Some(packages) = doc.get_mut(section) {
            for (key, entry) in entries(packages) {
                *key = package(mask, section, key, entry);
            }
            packages.sort();
        }
    }
    if let Some(time) = doc.get_mut("time") {
        for (key, value) in entries(time) {
            if let Some((name, _, _)) = split_key(key)
                && mask.named(&name).is_some()
            {
                (*key, *value) = (name, Value::Hole);
            }
        }
        time.sort();
    }
}

fn entries(map: &mut Value) -> impl Iterator<Item = &mut (String, Value)> {
    map.entries_mut().iter_mut()
}

fn patched(doc: &Value, mask: &mut Mask<'_>) {
    let patched = doc
        .get("patchedDependencies")
        .map_or(&[][..], Value::entries);
    for (key, _) in patched {
        let name = npm::name_and_rest(key).map_or(key.as_str(), |(name, _)| name);
        if mask.named(name).is_some() {
            mask.problem(NotABumpReason::Replaced, key.as_str());
        }
    }
}

/// One project of the workspace.
fn importer(mask: &mut Mask<'_>, at: &str, doc: &mut Value) {
    if let Some(specifiers) = doc.get_mut("specifiers") {
        npm::dependencies(mask, &format!("{at}/specifiers"), specifiers, Role::Copy);
    }
    for section in REFERENCES {
        let Some(object) = doc.get_mut(section) else {
            continue;
        };
        for (key, value) in object.entries_mut() {
            let at = format!("{at}/{section}");
            match value {
                Value::Map(_) => specified(mask, &at, key, value),
                _ => reference(mask, &format!("{at}/{key}"), key, value),
            }
        }
    }
}

/// `{specifier: ^4.17.20, version: 4.17.20}`.
fn specified(mask: &mut Mask<'_>, at: &str, key: &str, entry: &mut Value) {
    if let Some(specifier) = entry.get_mut("specifier") {
        npm::dependency(mask, &format!("{at}/specifier"), key, specifier, Role::Copy);
    }
    if let Some(version) = entry.get_mut("version") {
        reference(mask, &format!("{at}/{key}/version"), key, version);
    }
}

/// A reference to an entry: a version, or name and version where it is an alias, each perhaps with peers.
fn reference(mask: &mut Mask<'_>, at: &str, key: &str, value: &mut Value) {
    let Some(text) = value.scalar().map(str::to_owned) else {
        return;
    };
    if text.starts_with("link:") {
        if mask.named(key).is_some() {
            mask.problem(NotABumpReason::NonRegistrySource, format!("{key} {text}"));
        }
        return;
    }
    let (own, peers) = split_peers(&text);
    let aliased = split_key(own).filter(|_| !own.starts_with(|c: char| c.is_ascii_digit()));
    let (name, version) = match &aliased {
        Some((name, version, _)) => (name.as_str(), version.as_str()),
        None => (key, own),
    };
    let Some(package) = mask.named(name) else {
        if mask.named(key).is_some() {
            mask.problem(NotABumpReason::Alias, format!("{key} {text}"));
        }
        *value = Value::Text([own, &masked_peers(mask, at, peers)].concat());
        return;
    };
    let name = name.to_owned();
    if mask.place(package, Role::Locked, at, Syntax::Exact, version) {
        let peers = masked_peers(mask, at, peers);
        *value = Value::List(vec![Value::Text(name), Value::Hole, Value::Text(peers)]);
    }
}

/// One entry of `packages` or `snapshots`; returns its key without what may change.
fn package(mask: &mut Mask<'_>, section: &str, key: &str, entry: &mut Value) -> String {
    let (own, peers) = split_peers(key);
    let found = split_key(own);
    for part in REFERENCES {
        if let Some(object) = entry.get_mut(part) {
            // What others depend on is an entry of its own, and judged there too.
            let named = found
                .as_ref()
                .is_some_and(|(name, _, _)| mask.named(name).is_some());
            if !named {
                for (name, value) in object.entries_mut() {
                    reference(mask, &format!("{section}/{own}/{part}/{name}"), name, value);
                }
            }
        }
    }
    let Some((name, version, old)) = found else {
        return key.to_owned();
    };
    mask.installs(&name, &version);
    let peers = masked_peers(mask, &format!("{section}/{name}"), peers);
    let Some(package) = mask.named(&name) else {
        return [own, &peers].concat();
    };
    if entry.text_of("name").is_some_and(|told| told != name) || entry.get("patched").is_some() {
        mask.problem(NotABumpReason::Alias, key);
    }
    let at = format!("{section}/{name}{peers}");
    let understood = match entry.get("resolution") {
        // Snapshots have none: they stand beside an entry of `packages`.
        None if section == "snapshots" => {
            mask.place(package, Role::Locked, at.as_str(), Syntax::Exact, &version)
        }
        resolution => {
            let Some((digests, source)) = resolved(mask, &name, resolution, key) else {
                return key.to_owned();
            };
            let traits = TRAITS.iter().filter_map(|key| {
                let value = entry.get(key)?;
                Some(((*key).to_owned(), value.clone()))
            });
            let bookkeeping = Entry {
                digests: digests.all,
                weak: digests.weak,
                source,
                needs: needs_of(entry, &NEEDS, Syntax::Exact)
                    .into_iter()
                    .map(without_peers)
                    .collect(),
                traits: Value::Map(traits.collect()),
            };
            mask.entry(package, at.as_str(), &version, bookkeeping)
        }
    };
    if !understood {
        return key.to_owned();
    }
    let has_bookkeeping = entry.get("resolution").is_some();
    if has_bookkeeping {
        strip(entry, &[&["resolution"], &TRAITS], &NEEDS);
    }
    let slash = if old { "/" } else { "" };
    [slash, &name, &peers].concat()
}

/// What a package needs stands there as the version that is installed, perhaps with its peers.
fn without_peers(
    mut need: crate::judge::advisory::tree::place::Need,
) -> crate::judge::advisory::tree::place::Need {
    if let Some((_, text)) = &mut need.versions {
        let own = split_peers(text).0.to_owned();
        *text = own;
    }
    need
}

/// `{integrity: sha512-…}`, perhaps with the tarball.
fn resolved(
    mask: &mut Mask<'_>,
    name: &str,
    resolution: Option<&Value>,
    key: &str,
) -> Option<(Digests, Source)> {
    let resolution = resolution?;
    let known = |key: &str| matches!(key, "integrity" | "tarball");
    if resolution.entries().iter().any(|(key, _)| !known(key)) {
        mask.problem(NotABumpReason::NonRegistrySource, key);
        return None;
    }
    let Some(digests) = resolution.text_of("integrity").and_then(integrity) else {
        mask.problem(NotABumpReason::IntegrityDropped, key);
        return None;
    };
    let source = match resolution.text_of("tarball") {
        Some(url) => npm::tarball(name, url).0,
        None => Source::Unsaid,
    };
    Some((digests, source))
}

/// Splits the peers off: `1.0.0(b@2.0.0)`, and `1.0.0_b@2.0.0` of version 5.
fn split_peers(text: &str) -> (&str, &str) {
    let at = text.find('(').or_else(|| {
        // A name may hold `_`, a version may not.
        let from = text.rfind('/').map_or(0, |slash| slash + 1);
        let version = text.get(from..)?;
        let begins = version.starts_with(|first: char| first.is_ascii_digit());
        version.find('_').filter(|_| begins).map(|at| at + from)
    });
    let split = at.and_then(|at| text.split_at_checked(at));
    split
        .filter(|(own, _)| own.ends_with(|c: char| c.is_ascii_alphanumeric()))
        .unwrap_or((text, ""))
}

/// Takes the versions of named packages out of peers.
fn masked_peers(mask: &mut Mask<'_>, at: &str, peers: &str) -> String {
    let mut masked = String::new();
    for part in peers.split_inclusive(['(', ')', '_', '+']) {
        let body = part.trim_end_matches(['(', ')', '_', '+']);
        let end = part.get(body.len()..).unwrap_or_default();
        match npm::name_and_rest(body) {
            Some((name, version)) if mask.named(name).is_some() => {
                let package = mask.named(name).unwrap_or_default();
                let at = format!("{at} peers");
                if mask.place(package, Role::Locked, at, Syntax::Exact, version) {
                    masked.push_str(name);
                } else {
                    masked.push_str(body);
                }
            }
            _ => masked.push_str(body),
        }
        masked.push_str(end);
    }
    masked
}

/// Returns name and version of `/lodash@4.17.20`, `lodash@4.17.20` or `/lodash/4.17.20`, and whether a slash
/// stands before it.
fn split_key(key: &str) -> Option<(String, String, bool)> {
    let bare = key.strip_prefix('/').unwrap_or(key);
    let old = bare.len() < key.len();
    let (name, version) = match npm::name_and_rest(bare) {
        Some(split) => split,
        None if old => bare.rsplit_once('/')?,
        None => return None,
    };
    let registry = !name.contains(':') && version.starts_with(|first: char| first.is_ascii_digit());
    registry.then(|| (name.to_owned(), version.to_owned(), old))
}

/// Takes the places out of `pnpm-workspace.yaml`.
pub(in super::super) fn workspace(doc: &mut Value, mask: &mut Mask<'_>) {
    if let Some(catalog) = doc.get_mut("catalog") {
        npm::dependencies(mask, "catalog", catalog, Role::Requirement);
    }
    if let Some(catalogs) = doc.get_mut("catalogs") {
        for (name, catalog) in catalogs.entries_mut() {
            let at = format!("catalogs/{name}");
            npm::dependencies(mask, &at, catalog, Role::Requirement);
        }
    }
    if let Some(overrides) = doc.get_mut("overrides") {
        npm::overrides(mask, "overrides", overrides, "");
    }
    patched(doc, mask);
}

#[cfg(test)]
mod tests {
    use super::{split_key, split_peers};

    fn key(text: &str) -> Option<(String, String)> {
        split_key(split_peers(text).0).map(|(name, version, _)| (name, version))
    }

    #[test]
    fn keys_of_all_lockfile_versions_are_read() {
        let is = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(key("/lodash/4.17.20"), is("lodash", "4.17.20"));
        assert_eq!(key("/@a/b/1.0.0_c@2.0.0"), is("@a/b", "1.0.0"));
        assert_eq!(key("/lodash@4.17.20"), is("lodash", "4.17.20"));
        assert_eq!(key("@a/b@1.0.0"), is("@a/b", "1.0.0"));
        assert_eq!(key("/a@1.0.0(b@2.0.0(c@1.0.0))"), is("a", "1.0.0"));
        assert_eq!(key("a_b@1.0.0"), is("a_b", "1.0.0"));
        assert_eq!(key("github.com/a/b"), None);
        assert_eq!(key("file:a"), None);
    }
}
