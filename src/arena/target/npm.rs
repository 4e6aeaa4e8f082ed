//! Trees of npm packages: npm resolves and unpacks them in the arena, and runs none of their scripts.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::inside::{Site, Step, script};
use super::{BuildError, Recipe};
use crate::arena::identity::as_nobody;
use crate::arena::registry::{foreign_of_manifest, is_name, is_of_registry};
use crate::arena::trees::Most;
use crate::event::codec::printable;
use crate::exploit::Limits;

/// What installing may use.
const LIMITS: Limits = Limits {
    time_s: 120,
    memory_mb: 1_024,
    pids: 128,
    output_kb: 256,
    work_mb: 384,
    repeats: 1,
};
/// What a tree may hold.
const MOST: Most = Most {
    bytes: 256 << 20,
    files: 20_000,
};
/// The largest `package.json` that is looked at, in bytes.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// Where npm may stand so that the arena sees it.
const NPM: [&str; 2] = ["/usr/local/bin/npm", "/usr/bin/npm"];
/// What is left of npm's own goes before the tree is taken.
const STEPS: &str = "mkdir /arena/tree
cd /arena/tree
cp /crisol/package.json .
npm install --registry=http://127.0.0.1:4873/npm/ --replace-registry-host=always \
 --cache=/arena/tmp/npm --userconfig=/arena/none/user --globalconfig=/arena/none/global --git=/bin/false \
 --ignore-scripts --no-audit --no-fund --no-update-notifier --no-package-lock --no-bin-links \
 --loglevel=error --install-strategy=hoisted --legacy-peer-deps --fetch-retries=0 --maxsockets=12 >&2
rm -f node_modules/.package-lock.json
chmod -R u+rwX,go+rX .
";

/// Returns a directory below the site's own that holds `node_modules`.
pub(super) fn install(site: &Site<'_>, recipe: &Recipe<'_>) -> Result<PathBuf, BuildError> {
    let doing = format!("npm install {}", recipe.name());
    if !NPM.iter().any(|npm| Path::new(npm).exists()) {
        return Err(BuildError::Io {
            doing: format!("{doing}: find npm below /usr"),
            error: io::ErrorKind::NotFound.into(),
        });
    }
    let tree = site.scratch.join("tree");
    let script = script(STEPS);
    let mut step = Step {
        doing: &doing,
        script: &script,
        reads: Vec::new(),
        texts: Vec::new(),
        limits: LIMITS,
        takes: ("tree", &tree),
        most: MOST,
    };
    let manifest = manifest(recipe).map_err(|said| step.refused(said))?;
    step.texts = vec![("/crisol/package.json", manifest)];
    let found = step.beside_registry(site).map_err(|(error, _)| error)?;
    let looked = as_nobody(|| look(&tree.join("node_modules"), &found.packages));
    let failed = |error| BuildError::Io {
        doing: format!("{doing}: look at what was installed"),
        error,
    };
    match looked.map_err(failed)?.map_err(failed)? {
        None => Ok(tree),
        Some(said) => Err(step.refused(said)),
    }
}

/// Returns the manifest of a tree, or what in the recipe is not of a registry.
fn manifest(recipe: &Recipe<'_>) -> Result<String, String> {
    let mut wanted = Map::new();
    let mut want = |name: &str, version: &str| {
        if !is_name(name) || !is_of_registry(name, version) {
            return Err(format!(
                "{}: it is of no registry",
                printable(&[name, ": ", version].concat())
            ));
        }
        wanted.insert(name.to_owned(), version.into());
        Ok(())
    };
    want(recipe.package, recipe.version)?;
    for extra in &recipe.extra {
        // The first character may be the one of a scope.
        let at = extra.rfind('@').filter(|at| *at > 0);
        let (name, version) = at.map_or((*extra, "*"), |at| {
            let (name, version) = extra.split_at(at);
            (name, version.trim_start_matches('@'))
        });
        want(name, version)?;
    }
    let manifest = json!({
        "name": "target", "version": "1.0.0", "private": true,
        "dependencies": Value::Object(wanted),
    });
    Ok(manifest.to_string())
}

/// Returns what npm has installed that did not come from the registry, or wants something that does not.
fn look(modules: &Path, handed_out: &BTreeSet<String>) -> io::Result<Option<String>> {
    let mut waiting = vec![(modules.to_owned(), false)];
    while let Some((modules, in_package)) = waiting.pop() {
        for (name, directory) in packages(&modules)? {
            let shown = printable(&name);
            if fs::symlink_metadata(&directory)?.is_symlink() {
                return Ok(Some(format!(
                    "{shown} is a link and no package of a registry"
                )));
            }
            let from_registry = handed_out.contains(&name);
            // A package may bring others along, below its own directory.
            if !from_registry && !in_package {
                return Ok(Some(format!("{shown} was installed and is of no registry")));
            }
            if from_registry && let Some(foreign) = foreign_in(&directory)? {
                let foreign = printable(&foreign);
                return Ok(Some(format!(
                    "{shown}: it depends on \"{foreign}\", which is of no registry"
                )));
            }
            waiting.push((directory.join("node_modules"), true));
        }
    }
    Ok(None)
}

/// Returns the packages of a directory `node_modules`, which need not be there.
fn packages(modules: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for (name, path) in entries(modules)? {
        if name.starts_with('@') && !fs::symlink_metadata(&path)?.is_symlink() {
            let scoped = entries(&path)?.into_iter();
            found.extend(scoped.map(|(inner, path)| ([&name, "/", &inner].concat(), path)));
        } else if !name.starts_with('.') {
            found.push((name, path));
        }
    }
    Ok(found)
}

fn entries(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let listed = match fs::symlink_metadata(directory) {
        Ok(found) if found.is_dir() => fs::read_dir(directory)?,
        _ => return Ok(Vec::new()),
    };
    listed
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, entry.path()))
        })
        .collect()
}

fn foreign_in(package: &Path) -> io::Result<Option<String>> {
    let file = package.join("package.json");
    match fs::symlink_metadata(&file) {
        Ok(found) if found.is_file() && found.len() <= MAX_MANIFEST_BYTES => {}
        _ => return Ok(None),
    }
    // What is no manifest names nothing.
    Ok(foreign_of_manifest(&fs::read(&file)?).ok().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exploit::Ecosystem;

    fn tree(packages: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, manifest) in packages {
            let directory = root.path().join(path);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("package.json"), manifest).unwrap();
        }
        root
    }

    #[test]
    fn what_was_installed_is_of_the_registry_or_below_what_is() {
        let handed_out = BTreeSet::from(["a".to_owned(), "@s/b".to_owned()]);
        let said = |root: &tempfile::TempDir| look(root.path(), &handed_out).unwrap();
        let brought = r#"{"dependencies":{"x":"git://never/fetched"}}"#;
        let good = tree(&[
            ("a", r#"{"dependencies":{"c":"^1"}}"#),
            ("@s/b", "{}"),
            ("a/node_modules/c", brought),
            (".cache", "{}"),
        ]);
        assert_eq!(said(&good), None);
        let stranger = tree(&[("a", "{}"), ("c", "{}")]);
        assert!(said(&stranger).unwrap().contains("c was installed"));
        let wanting = tree(&[("a/node_modules/@s/b", brought), ("a", "{}")]);
        assert!(said(&wanting).unwrap().contains("x: git://never/fetched"));
        let linked = tree(&[("a", "{}")]);
        std::os::unix::fs::symlink("a", linked.path().join("d")).unwrap();
        assert!(said(&linked).unwrap().contains("d is a link"));
        assert_eq!(look(&good.path().join("none"), &handed_out).unwrap(), None);
    }

    #[test]
    fn a_recipe_names_versions_of_a_registry_alone() {
        let of = |extra: &'static str| {
            manifest(&Recipe {
                ecosystem: Ecosystem::Npm,
                package: "@s/a",
                version: "1.0.0",
                extra: vec![extra],
            })
        };
        let expected = r#""dependencies":{"@s/a":"1.0.0","@t/b":"^2"}"#;
        assert!(of("@t/b@^2").unwrap().contains(expected));
        for extra in ["b@git+https://h/b", "b@file:..", "../b@1", "b@npm:c@1"] {
            assert!(of(extra).is_err(), "{extra}");
        }
    }
}
