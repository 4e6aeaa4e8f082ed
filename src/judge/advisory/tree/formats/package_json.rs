//! `package.json`, whole.

use super::npm;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::Role;
use crate::judge::advisory::tree::value::Value;

/// Sections that name dependencies directly.
const DEPENDENCIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// Where versions for others are pinned.
const OVERRIDES: [&[&str]; 3] = [&["overrides"], &["resolutions"], &["pnpm", "overrides"]];

/// Where catalogues of versions stand, for tools that keep them here.
const CATALOGUES: [&[&str]; 2] = [&["catalog"], &["workspaces", "catalog"]];
const NAMED_CATALOGUES: [&[&str]; 2] = [&["catalogs"], &["workspaces", "catalogs"]];

/// Takes out the places of named packages.
pub(in super::super) fn read(doc: &mut Value, mask: &mut Mask<'_>) {
    for section in DEPENDENCIES {
        if let Some(object) = doc.get_mut(section) {
            npm::dependencies(mask, section, object, Role::Requirement);
        }
    }
    for path in OVERRIDES {
        if let Some(object) = doc.at_mut(path) {
            npm::overrides(mask, &path.join("/"), object, "");
        }
    }
    for path in CATALOGUES {
        if let Some(object) = doc.at_mut(path) {
            npm::dependencies(mask, &path.join("/"), object, Role::Requirement);
        }
    }
    for path in NAMED_CATALOGUES {
        let Some(object) = doc.at_mut(path) else {
            continue;
        };
        for (name, catalogue) in object.entries_mut() {
            let at = format!("{}/{name}", path.join("/"));
            npm::dependencies(mask, &at, catalogue, Role::Requirement);
        }
    }
    // A package that is patched is not the registry's.
    for path in [
        &["pnpm", "patchedDependencies"][..],
        &["patchedDependencies"],
    ] {
        let Some(patched) = doc.at_mut(path) else {
            continue;
        };
        for (key, _) in patched.entries_mut() {
            let name = npm::name_and_rest(key).map_or(key.as_str(), |(name, _)| name);
            if mask.named(name).is_some() {
                mask.problem(NotABumpReason::Replaced, key.as_str());
            }
        }
    }
}
