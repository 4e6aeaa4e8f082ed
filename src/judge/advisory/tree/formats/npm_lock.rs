//! `package-lock.json` and `npm-shrinkwrap.json`, whole, lockfile versions 1 to 3.

use super::npm;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::{Digests, integrity};
use crate::judge::advisory::tree::mask::{Mask, needs_of, strip};
use crate::judge::advisory::tree::place::{Entry, Role, Source};
use crate::judge::advisory::tree::value::Value;

/// What an entry needs.
const NEEDS: [&str; 4] = [
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "requires",
];

/// What an entry repeats of its package's manifest.
const TRAITS: [&str; 9] = [
    "engines",
    "license",
    "funding",
    "bin",
    "deprecated",
    "os",
    "cpu",
    "libc",
    "peerDependenciesMeta",
];

/// Sections that repeat requirements of a manifest of the project.
const COPIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// Takes out the places of named packages.
pub(in super::super) fn read(doc: &mut Value, mask: &mut Mask<'_>) {
    if let Some(packages) = doc.get_mut("packages") {
        for (key, entry) in packages.entries_mut() {
            package(mask, key, entry);
        }
    }
    if let Some(tree) = doc.get_mut("dependencies") {
        level(mask, "dependencies", tree);
    }
}

/// One entry of `packages`, by its place in the tree.
fn package(mask: &mut Mask<'_>, key: &str, entry: &mut Value) {
    let Some((_, tail)) = key.rsplit_once("node_modules/") else {
        // The project itself and its workspaces.
        for section in COPIES {
            if let Some(object) = entry.get_mut(section) {
                npm::dependencies(
                    mask,
                    &format!("packages/{key}/{section}"),
                    object,
                    Role::Copy,
                );
            }
        }
        return;
    };
    let name = entry.text_of("name").unwrap_or(tail).to_owned();
    let version = entry.text_of("version").unwrap_or_default().to_owned();
    mask.installs(&name, &version);
    let Some(package) = mask.named(&name) else {
        return;
    };
    if entry.get("link").is_some() {
        mask.problem(NotABumpReason::NonRegistrySource, key);
        return;
    }
    locked(
        mask,
        package,
        &name,
        &format!("packages/{key}"),
        &version,
        entry,
    );
}

/// One level of the tree that lockfile versions 1 and 2 have.
fn level(mask: &mut Mask<'_>, at: &str, tree: &mut Value) {
    for (key, entry) in tree.entries_mut() {
        let at = format!("{at}/{key}");
        if let Some(inner) = entry.get_mut("dependencies") {
            level(mask, &at, inner);
        }
        let text = entry.text_of("version").unwrap_or_default().to_owned();
        let alias = text.strip_prefix("npm:").and_then(npm::name_and_rest);
        let (name, version) = alias.unwrap_or((key, &text));
        mask.installs(name, version);
        if let Some(package) = mask.named(name) {
            // The tree below is not part of the entry.
            let below = entry.take("dependencies");
            locked(mask, package, name, &at, version, entry);
            if let Some(below) = below {
                entry.put("dependencies", below);
            }
        }
    }
}

fn locked(
    mask: &mut Mask<'_>,
    package: &str,
    name: &str,
    at: &str,
    version: &str,
    entry: &mut Value,
) {
    let (source, fragment) = match entry.text_of("resolved") {
        Some(url) => npm::tarball(name, url),
        None => (Source::Missing, None),
    };
    let digests = match entry.text_of("integrity") {
        Some(text) => match integrity(text) {
            Some(digests) => digests.with(fragment),
            None => return mask.problem(NotABumpReason::IntegrityDropped, at),
        },
        None => Digests {
            weak: fragment.is_some(),
            all: fragment.into_iter().collect(),
        },
    };
    let traits = TRAITS.iter().filter_map(|key| {
        let value = entry.get(key)?;
        Some(((*key).to_owned(), value.clone()))
    });
    let bookkeeping = Entry {
        digests: digests.all,
        weak: digests.weak,
        source,
        needs: needs_of(entry, &NEEDS, Syntax::Npm),
        traits: Value::Map(traits.collect()),
    };
    if mask.entry(package, at, version, bookkeeping) {
        strip(
            entry,
            &[&["version", "resolved", "integrity"], &TRAITS],
            &NEEDS,
        );
    }
}
