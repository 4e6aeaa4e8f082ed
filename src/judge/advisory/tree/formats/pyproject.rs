//! `pyproject.toml`, whole: PEP 621, PEP 735, Poetry, uv, PDM, Hatch.

use super::pep508;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::Role;
use crate::judge::advisory::tree::value::Value;

/// Keys that fill a dependency from elsewhere than the index that everything comes from.
const SOURCES: [&str; 12] = [
    "git", "url", "path", "file", "source", "index", "registry", "branch", "rev", "ref", "tag",
    "editable",
];

/// Lists of PEP 508 requirements.
const LISTS: [&[&str]; 6] = [
    &["project", "dependencies"],
    &["build-system", "requires"],
    &["tool", "uv", "dev-dependencies"],
    &["tool", "uv", "constraint-dependencies"],
    &["tool", "uv", "override-dependencies"],
    &["tool", "uv", "build-constraint-dependencies"],
];

/// Tables of such lists.
const GROUPS: [&[&str]; 3] = [
    &["project", "optional-dependencies"],
    &["dependency-groups"],
    &["tool", "pdm", "dev-dependencies"],
];

/// Takes out the places of named packages.
pub(in super::super) fn read(doc: &mut Value, mask: &mut Mask<'_>) {
    for path in LISTS {
        if let Some(list) = doc.at_mut(path) {
            pep508::list(mask, &path.join("."), list);
        }
    }
    for path in GROUPS {
        let Some(groups) = doc.at_mut(path) else {
            continue;
        };
        for (name, list) in groups.entries_mut() {
            pep508::list(mask, &format!("{}.{name}", path.join(".")), list);
        }
    }
    hatch(doc, mask);
    if let Some(poetry) = doc.at_mut(&["tool", "poetry"]) {
        self::poetry(poetry, mask);
    }
    let sources = doc.at_mut(&["tool", "uv", "sources"]);
    for (name, _) in sources
        .into_iter()
        .flat_map(|sources| sources.entries_mut())
    {
        if mask.named(name).is_some() {
            mask.problem(NotABumpReason::NonRegistrySource, name.as_str());
        }
    }
    let overrides = doc.at_mut(&["tool", "pdm", "resolution", "overrides"]);
    for (name, value) in overrides.into_iter().flat_map(|o| o.entries_mut()) {
        if let Some(package) = mask.named(name) {
            let at = format!("tool.pdm.resolution.overrides.{name}");
            mask.take(package, Role::Requirement, at, Syntax::Poetry, value);
        }
    }
}

fn hatch(doc: &mut Value, mask: &mut Mask<'_>) {
    let Some(envs) = doc.at_mut(&["tool", "hatch", "envs"]) else {
        return;
    };
    for (env, table) in envs.entries_mut() {
        for key in ["dependencies", "extra-dependencies"] {
            if let Some(list) = table.get_mut(key) {
                pep508::list(mask, &format!("tool.hatch.envs.{env}.{key}"), list);
            }
        }
    }
}

fn poetry(poetry: &mut Value, mask: &mut Mask<'_>) {
    for section in ["dependencies", "dev-dependencies"] {
        if let Some(packages) = poetry.get_mut(section) {
            for (name, value) in packages.entries_mut() {
                table(mask, section, name, value, Role::Requirement);
            }
        }
    }
    let Some(groups) = poetry.get_mut("group") else {
        return;
    };
    for (group, inside) in groups.entries_mut() {
        if let Some(packages) = inside.get_mut("dependencies") {
            for (name, value) in packages.entries_mut() {
                table(
                    mask,
                    &format!("group.{group}"),
                    name,
                    value,
                    Role::Requirement,
                );
            }
        }
    }
}

/// Takes out a requirement as Poetry and pipenv write it: a text, a table with `version`, or several of these.
pub(super) fn table(mask: &mut Mask<'_>, at: &str, name: &str, value: &mut Value, role: Role) {
    let Some(package) = mask.named(name) else {
        return;
    };
    let here = format!("{at}/{name}");
    match value {
        Value::Map(_) => {
            if let Some((key, _)) = value
                .entries()
                .iter()
                .find(|(key, _)| SOURCES.contains(&key.as_str()))
            {
                let what = format!("{name}: {key}");
                mask.problem(NotABumpReason::NonRegistrySource, what);
            } else if let Some(version) = value.get_mut("version") {
                mask.take(package, role, here, Syntax::Poetry, version);
            }
        }
        Value::List(alternatives) => {
            for alternative in alternatives {
                table(mask, at, name, alternative, role);
            }
        }
        _ => mask.take(package, role, here, Syntax::Poetry, value),
    }
}
