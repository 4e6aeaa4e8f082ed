//! `Cargo.toml` and `Cargo.lock`, whole.

use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::is_hex;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::{Entry, Need, Role, Source};
use crate::judge::advisory::tree::value::Value;

/// Sections of dependencies.
const SECTIONS: [&str; 5] = [
    "dependencies",
    "dev-dependencies",
    "build-dependencies",
    "dev_dependencies",
    "build_dependencies",
];

/// Keys that fill a dependency from elsewhere than the registry that everything comes from.
const SOURCES: [&str; 8] = [
    "git",
    "path",
    "registry",
    "registry-index",
    "branch",
    "rev",
    "tag",
    "base",
];

/// Takes the places out of `Cargo.toml`.
pub(in super::super) fn manifest(doc: &mut Value, mask: &mut Mask<'_>) {
    sections(mask, "", doc);
    if let Some(targets) = doc.get_mut("target") {
        for (target, table) in targets.entries_mut() {
            sections(mask, target, table);
        }
    }
    if let Some(workspace) = doc.get_mut("workspace") {
        sections(mask, "workspace", workspace);
    }
    let patches = doc.get("patch").map_or(&[][..], Value::entries);
    let replaced = patches
        .iter()
        .flat_map(|(_, table)| table.entries())
        .map(|(key, value)| value.text_of("package").unwrap_or(key).to_owned());
    let older = doc.get("replace").map_or(&[][..], Value::entries);
    // `name:version`, or a URL that ends so.
    let older = older.iter().map(|(key, _)| {
        let own = key.rsplit(['#', '/']).next().unwrap_or(key);
        own.split([':', '@']).next().unwrap_or(own).to_owned()
    });
    let all: Vec<String> = replaced.chain(older).collect();
    for name in all {
        if mask.named(&name).is_some() {
            mask.problem(NotABumpReason::Replaced, name);
        }
    }
}

fn sections(mask: &mut Mask<'_>, at: &str, doc: &mut Value) {
    for section in SECTIONS {
        let Some(table) = doc.get_mut(section) else {
            continue;
        };
        for (key, value) in table.entries_mut() {
            dependency(mask, &format!("{at}/{section}/{key}"), key, value);
        }
    }
}

fn dependency(mask: &mut Mask<'_>, at: &str, key: &str, value: &mut Value) {
    let name = value.text_of("package").unwrap_or(key).to_owned();
    let Some(package) = mask.named(&name) else {
        if mask.named(key).is_some() {
            mask.problem(NotABumpReason::Alias, [key, " = ", &name].concat());
        }
        return;
    };
    match value {
        Value::Map(_) => {
            let source = value
                .entries()
                .iter()
                .find(|(key, _)| SOURCES.contains(&key.as_str()));
            if let Some((source, _)) = source {
                let what = [&name, ": ", source].concat();
                mask.problem(NotABumpReason::NonRegistrySource, what);
            } else if let Some(version) = value.get_mut("version") {
                mask.take(package, Role::Requirement, at, Syntax::Cargo, version);
            }
        }
        _ => mask.take(package, Role::Requirement, at, Syntax::Cargo, value),
    }
}

/// Takes the places out of `Cargo.lock`.
pub(in super::super) fn lock(doc: &mut Value, mask: &mut Mask<'_>) {
    // The oldest locks keep the checksums at the end.
    let mut kept = doc.get_mut("metadata").map(std::mem::take);
    if let Some(packages) = doc.get_mut("package") {
        for package in packages.elements_mut() {
            entry(mask, package, kept.as_mut());
        }
        packages.sort();
    }
    if let (Some(mut kept), Some(slot)) = (kept, doc.get_mut("metadata")) {
        kept.sort();
        *slot = kept;
    }
}

fn entry(mask: &mut Mask<'_>, entry: &mut Value, kept: Option<&mut Value>) {
    let name = entry.text_of("name").unwrap_or_default().to_owned();
    let version = entry.text_of("version").unwrap_or_default().to_owned();
    let source = entry.text_of("source").map(str::to_owned);
    mask.installs(&name, &version);
    if entry.get("replace").is_some() && mask.named(&name).is_some() {
        mask.problem(NotABumpReason::Replaced, name.as_str());
    }
    let needs = needs(entry);
    if let Some(list) = entry.get_mut("dependencies") {
        for element in list.elements_mut() {
            mention(mask, &name, element);
        }
        // Behind a name stands a version only while there are several.
        list.sort();
    }
    let Some(package) = mask.named(&name) else {
        return;
    };
    // Without a source it is a package of the workspace.
    let Some(source) = source else {
        return;
    };
    if !source.starts_with("registry+") && !source.starts_with("sparse+") {
        return mask.problem(NotABumpReason::NonRegistrySource, source);
    }
    let old_key = format!("checksum {name} {version} ({source})");
    let old = kept.and_then(|kept| match kept {
        Value::Map(entries) => entries.iter_mut().find(|(key, _)| *key == old_key),
        _ => None,
    });
    let checksum = match (&old, entry.text_of("checksum")) {
        (Some((_, Value::Text(text))), _) => Some(text.clone()),
        (_, text) => text.map(str::to_owned),
    };
    if checksum.as_deref().is_some_and(|text| !is_hex(text, 64)) {
        return mask.problem(NotABumpReason::IntegrityDropped, name);
    }
    let bookkeeping = Entry {
        digests: checksum.into_iter().collect(),
        weak: false,
        source: Source::Registry {
            base: source,
            version: None,
        },
        needs,
        traits: Value::Null,
    };
    if mask.entry(package, name.as_str(), &version, bookkeeping) {
        for key in ["version", "source", "checksum", "dependencies"] {
            entry.take(key);
        }
        entry.put("", Value::Hole);
        if let Some((key, value)) = old {
            *key = format!("checksum {name}");
            *value = Value::Hole;
        }
    }
}

/// `name`, `name 1.0.0` or `name 1.0.0 (source)`.
fn needs(entry: &Value) -> Vec<Need> {
    let list = entry.get("dependencies").map_or(&[][..], Value::elements);
    let need = |text: &str| {
        let mut words = text.split(' ');
        Need {
            name: words.next().unwrap_or_default().to_owned(),
            versions: words
                .next()
                .map(|version| (Syntax::Exact, version.to_owned())),
        }
    };
    list.iter().filter_map(Value::as_text).map(need).collect()
}

fn mention(mask: &mut Mask<'_>, owner: &str, element: &mut Value) {
    let Some(text) = element.as_text().map(str::to_owned) else {
        return;
    };
    let mut words = text.splitn(3, ' ');
    let (Some(name), Some(version), source) = (words.next(), words.next(), words.next()) else {
        return;
    };
    let Some(package) = mask.named(name) else {
        return;
    };
    let at = [owner, " needs ", name].concat();
    if mask.place(package, Role::Locked, at, Syntax::Exact, version) {
        let source = Value::Text(source.unwrap_or_default().to_owned());
        *element = Value::List(vec![Value::Text(name.to_owned()), Value::Hole, source]);
    }
}
