//! Where the texts of a patch's files before the change come from: the event, a checkout, a mirror.
//!
//! All that have a file must have the same text of it. What comes with an event is its producer's word; a
//! checkout and a mirror are the operator's, so they check it.

mod checkout;
mod mirror;

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::diff::Diff;
use crate::event::patch::Patch;
use crate::judge::advisory::tree::is_readable;

use mirror::Mirrors;

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// The most that is read for one patch, in bytes.
const MAX_PATCH_BYTES: usize = 32 << 20;
/// The most files that are looked for, for one patch.
const MAX_FILES: usize = 64;
/// How long the mirrors may take for one patch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Files that stand beside a manifest and decide with it what is installed, by ecosystem.
const BESIDE: [&[&str]; 4] = [
    &[
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
    ],
    &[
        "pyproject.toml",
        "Pipfile",
        "Pipfile.lock",
        "poetry.lock",
        "uv.lock",
    ],
    &["Cargo.toml", "Cargo.lock"],
    &["go.mod", "go.sum"],
];

/// Where files are looked up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourcesConfig {
    /// A directory of bare git mirrors, `<repository>.git` each; none without it.
    pub mirrors: Option<PathBuf>,
}

/// What texts are taken from, beside the event.
#[derive(Debug, Default)]
pub struct Sources {
    checkout: Option<PathBuf>,
    mirrors: Option<Mirrors>,
}

/// The text of a file before the change.
#[derive(Debug)]
pub struct Text<'a> {
    /// Its path in the repository.
    pub path: Cow<'a, str>,
    /// The whole text.
    pub text: Cow<'a, str>,
}

/// What was found for one patch.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// The texts; two of one path where two sources have it.
    pub texts: Vec<Text<'a>>,
    /// Whether a mirror was asked that may have more later.
    pub is_provisional: bool,
}

impl Sources {
    /// Returns the sources that the settings name.
    pub fn of(config: &SourcesConfig) -> Self {
        Self {
            checkout: None,
            mirrors: config.mirrors.clone().map(Mirrors::at),
        }
    }

    /// Returns the sources with a checkout of what patches are applied to.
    pub fn with_checkout(self, root: PathBuf) -> Self {
        Self {
            checkout: Some(root),
            ..self
        }
    }

    /// Returns what a judgement depends on: which kinds of sources are asked.
    pub fn rule(&self) -> [u8; 2] {
        [self.checkout.is_some(), self.mirrors.is_some()].map(u8::from)
    }

    /// Returns the texts of the files that a patch changes, and of those beside them.
    pub fn find<'p>(&self, patch: &'p Patch<'_>, diff: &'p Diff<'_>) -> Found<'p> {
        let mut found = Found::default();
        for file in &patch.files {
            found.texts.push(Text {
                path: Cow::Borrowed(&file.path),
                text: Cow::Borrowed(&file.before),
            });
        }
        // Nothing else is judged on whole files, and most patches are of code.
        if !diff.files.iter().all(|file| is_readable(file.path())) {
            return found;
        }
        if let Some(root) = &self.checkout {
            look_up(diff, &mut found, |path| checkout::read(root, path));
        }
        if let (Some(mirrors), Some(origin)) = (&self.mirrors, &patch.origin) {
            let until = Instant::now() + PATIENCE;
            let before = found.texts.len();
            if let Some(mirror) = mirrors.of(&origin.repository) {
                look_up(diff, &mut found, |path| {
                    mirror.read(&origin.commit, path, until)
                });
            }
            found.is_provisional = found.texts.len() == before;
        }
        found
    }
}

/// Adds the texts of the diff's files and of those beside them, within bounds.
fn look_up(diff: &Diff<'_>, found: &mut Found<'_>, mut read: impl FnMut(&str) -> Option<String>) {
    let mut held = 0;
    for path in wanted(diff) {
        if held > MAX_PATCH_BYTES {
            return;
        }
        if let Some(text) = read(&path) {
            held += text.len();
            found.texts.push(Text {
                path: Cow::Owned(path),
                text: Cow::Owned(text),
            });
        }
    }
}

/// Returns the paths of the diff's files and of those beside them, each once.
fn wanted(diff: &Diff<'_>) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let mut add = |path: String| {
        if paths.len() < MAX_FILES && !paths.contains(&path) {
            paths.push(path);
        }
    };
    for file in &diff.files {
        add(file.path().to_owned());
    }
    for file in &diff.files {
        let path = file.path();
        let (directory, name) = path.rsplit_once('/').map_or(("", path), |(_, name)| {
            (path.strip_suffix(name).unwrap_or_default(), name)
        });
        for names in BESIDE.iter().filter(|names| names.contains(&name)) {
            names
                .iter()
                .for_each(|name| add([directory, name].concat()));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{DiffLimits, parse};

    #[test]
    fn what_stands_beside_a_manifest_is_looked_up_with_it() {
        let diff = "--- a/web/yarn.lock\n+++ b/web/yarn.lock\n@@ -1 +1 @@\n-a\n+b\n";
        let diff = parse(diff, &DiffLimits::default()).unwrap();
        let paths = wanted(&diff);
        assert_eq!(paths[0], "web/yarn.lock");
        assert!(paths.contains(&"web/package.json".to_owned()), "{paths:?}");
        assert!(!paths.iter().any(|path| path.ends_with("Cargo.lock")));
    }
}
