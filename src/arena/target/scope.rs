//! What a patch of a package may touch: that package's own files. Whatever else it changes would change what the attack
//! stands on, and the verdict would be of that.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::event::facts;
use crate::exploit::{Ecosystem, Package};
use crate::judge::advisory::same_package;

/// The most that is read of what a Python package says it has installed, in bytes.
const MAX_RECORD_BYTES: u64 = 16 << 20;
/// Files that Python, pytest or npm read before anybody asks for them.
const READ_UNASKED: [&str; 4] = [
    "sitecustomize.py",
    "usercustomize.py",
    "conftest.py",
    ".npmrc",
];

/// Returns the first path that a patch of a package has no business with, and why.
///
/// # Errors
/// If the tree cannot be read.
pub(super) fn strays<'p>(
    tree: &Path,
    package: &Package,
    paths: impl IntoIterator<Item = &'p str>,
) -> io::Result<Option<String>> {
    let mut paths = paths.into_iter();
    let said = match package.ecosystem {
        Ecosystem::Npm => {
            let own = ["node_modules/", &package.name, "/"].concat();
            paths.find_map(|path| {
                let is_own = path.strip_prefix(&own).is_some_and(|rest| !rest.is_empty());
                let why = unasked(path).or((!is_own).then_some("is not the package's own"));
                why.map(|why| [path, " ", why].concat())
            })
        }
        Ecosystem::Pypi => {
            let installed = Installed::read(tree, &package.name)?;
            paths.find_map(|path| {
                let why = unasked(path).or_else(|| installed.strays(path));
                why.map(|why| [path, " ", why].concat())
            })
        }
    };
    Ok(said)
}

fn unasked(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let hooks = READ_UNASKED.contains(&name) || name.ends_with(".pth");
    hooks.then_some("is read before anybody asks for it")
}

/// What a tree of Python packages has of one of them, and of the others.
#[derive(Debug, Default)]
struct Installed {
    /// Modules and directories that the package has put at the top.
    own_roots: BTreeSet<String>,
    /// Files that others have put there.
    of_others: BTreeSet<String>,
}

impl Installed {
    fn read(tree: &Path, package: &str) -> io::Result<Self> {
        let mut installed = Self::default();
        let mut own_files = BTreeSet::new();
        for entry in fs::read_dir(tree)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let Some(stem) = name.strip_suffix(".dist-info") else {
                continue;
            };
            let files = recorded(&tree.join(&name).join("RECORD"))?;
            let named = stem.rsplit_once('-').map_or(stem, |(named, _)| named);
            if same_package(facts::Ecosystem::PyPi, named, package) {
                own_files.extend(files);
            } else {
                installed.of_others.extend(files);
            }
        }
        for file in &own_files {
            installed.of_others.remove(file);
            let root = file.split('/').next().unwrap_or_default();
            if is_root(root) {
                installed.own_roots.insert(root.to_owned());
            }
        }
        Ok(installed)
    }

    fn strays(&self, path: &str) -> Option<&'static str> {
        let root = path.split('/').next().unwrap_or_default();
        if root.ends_with(".dist-info") || root.ends_with(".egg-info") {
            return Some("says what is installed");
        }
        if !self.own_roots.contains(root) {
            return Some("is not the package's own");
        }
        self.of_others
            .contains(path)
            .then_some("is another package's")
    }
}

fn is_root(name: &str) -> bool {
    let is_note = [".dist-info", ".egg-info", ".data", ".pth"]
        .iter()
        .any(|end| name.ends_with(end));
    !is_note && !matches!(name, "" | "." | ".." | "__pycache__" | "bin")
}

/// Returns the files that a `RECORD` names, none of them above the tree.
fn recorded(record: &Path) -> io::Result<Vec<String>> {
    let mut text = Vec::new();
    match File::open(record) {
        Ok(file) => file.take(MAX_RECORD_BYTES).read_to_end(&mut text)?,
        // It would be a package that says nothing of itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&text);
    let first = |line: &str| match line.strip_prefix('"') {
        Some(quoted) => quoted
            .split_once("\",")
            .map(|(name, _)| name.replace("\"\"", "\"")),
        None => line.split(',').next().map(str::to_owned),
    };
    let files = text.lines().filter_map(first);
    Ok(files.filter(|file| !file.starts_with(['/', '.'])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(ecosystem: Ecosystem, name: &str) -> Package {
        Package {
            ecosystem,
            name: name.to_owned(),
            vulnerable: "1.0".to_owned(),
            fixed: "1.1".to_owned(),
            extra: Vec::new(),
            extra_vulnerable: Vec::new(),
            extra_fixed: Vec::new(),
        }
    }

    #[test]
    fn a_patch_of_an_npm_package_stays_below_its_directory() {
        let own = package(Ecosystem::Npm, "@s/a");
        let strays = |path| strays(Path::new("/none"), &own, [path]).unwrap();
        for path in ["node_modules/@s/a/index.js", "node_modules/@s/a/lib/x.js"] {
            assert_eq!(strays(path), None, "{path}");
        }
        for path in [
            "node_modules/@s/ab/index.js",
            "node_modules/@s/a",
            "node_modules/@s/a/",
            "node_modules/b/index.js",
            "package.json",
            "index.js",
            "node_modules/@s/a/.npmrc",
            ".npmrc",
        ] {
            assert!(strays(path).is_some(), "{path}");
        }
    }

    #[test]
    fn a_patch_of_a_python_package_stays_within_what_that_has_installed() {
        let tree = tempfile::tempdir().unwrap();
        let record = |stem: &str, text: &str| {
            let directory = tree.path().join(stem);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("RECORD"), text).unwrap();
        };
        record(
            "My_Pack-1.0.dist-info",
            "my_pack/__init__.py,sha256=x,1\nsingle.py,,\n\"shared/mine,.py\",,\n../../bin/tool,,\nMy_Pack-1.0.dist-info/RECORD,,\nmy.pth,,\nbin/x,,\n",
        );
        record("other-2.0.dist-info", "other/a.py,,\nshared/theirs.py,,\n");
        let own = package(Ecosystem::Pypi, "my.pack");
        let strays = |path| strays(tree.path(), &own, [path]).unwrap();
        for path in [
            "my_pack/__init__.py",
            "my_pack/new/x.py",
            "single.py",
            "shared/mine,.py",
        ] {
            assert_eq!(strays(path), None, "{path}");
        }
        for path in [
            "sitecustomize.py",
            "my_pack/sitecustomize.py",
            "my_pack/conftest.py",
            "x.pth",
            "my.pth",
            "json.py",
            "json/__init__.py",
            "other/a.py",
            "shared/theirs.py",
            "My_Pack-1.0.dist-info/METADATA",
            "bin/x",
            "single",
            ".npmrc",
        ] {
            assert!(strays(path).is_some(), "{path}");
        }
    }
}
