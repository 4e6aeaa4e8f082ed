//! Trees of npm packages: npm unpacks them and runs none of their scripts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::download::download;
use super::files::{READABLE, make};
use super::{BuildError, Recipe};

/// Returns a directory below `scratch` that holds `node_modules`.
pub(super) fn install(scratch: &Path, recipe: &Recipe<'_>) -> Result<PathBuf, BuildError> {
    let tree = scratch.join("tree");
    make(&tree, READABLE)?;
    let mut wanted = Map::new();
    wanted.insert(recipe.package.to_owned(), recipe.version.into());
    for extra in &recipe.extra {
        // The first character may be the one of a scope.
        let at = extra.rfind('@').filter(|at| *at > 0);
        let (name, version) = at.map_or((*extra, "*"), |at| {
            let (name, version) = extra.split_at(at);
            (name, version.trim_start_matches('@'))
        });
        wanted.insert(name.to_owned(), version.into());
    }
    let manifest = json!({
        "name": "target", "version": "1.0.0", "private": true,
        "dependencies": Value::Object(wanted),
    });
    let file = tree.join("package.json");
    fs::write(&file, manifest.to_string()).map_err(|error| BuildError::Io {
        doing: format!("write {}", file.display()),
        error,
    })?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--no-package-lock", "--no-bin-links", "--loglevel=error"])
        .args(["--install-strategy=hoisted", "--legacy-peer-deps"])
        .current_dir(&tree);
    download(&format!("npm install {}", recipe.name()), &npm)?;
    Ok(tree)
}
