//! Targets: trees of installed packages, as an attack finds them under `/target`.
//!
//! Packages are downloaded outside of the arena without running any of their code, and installed inside it without a
//! network. A tree is kept by the digest of what it was made of; nobody writes to it again. A source patch is applied to
//! a copy that one wargame has for itself.

mod npm;
mod pypi;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::apply::{ApplyError, apply};
use super::bump::moved;
use super::excerpt::end_of;
use super::sandbox::{ArenaError, Sandbox};
use crate::diff::Diff;
use crate::event::id::hex;
use crate::exploit::{Ecosystem, Exploit, Origin, Package};

/// Changes whenever trees are made in another way.
const RECIPE: &str = "1";
/// The most that is told of what a package manager printed, in bytes.
const SAID_BYTES: usize = 600;
/// The mode of a directory that all may read.
const READABLE: u32 = 0o755;
/// The mode of one that the arena's identity may write.
const WRITABLE: u32 = 0o777;

/// Where trees are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetsConfig {
    /// A directory that is readable by all.
    pub cache: PathBuf,
}

impl Default for TargetsConfig {
    fn default() -> Self {
        Self {
            cache: std::env::temp_dir().join("crisol-targets"),
        }
    }
}

/// A target could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The vulnerable one: the exploit's fault, or the registry's.
    #[error("vulnerable target: {0}")]
    Vulnerable(BuildError),
    /// The patched one.
    #[error("patched target: {0}")]
    Patched(BuildError),
    /// The patch does not apply.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The arena failed.
    #[error(transparent)]
    Arena(#[from] ArenaError),
}

/// Packages could not be downloaded or installed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error("{doing}: {error}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why not.
        error: io::Error,
    },
    /// A package manager said no.
    #[error("{doing}: {said}")]
    Refused {
        /// What was tried.
        doing: String,
        /// What it said, escaped and cut.
        said: String,
    },
    /// The arena failed.
    #[error(transparent)]
    Arena(#[from] ArenaError),
}

/// A tree of installed packages.
#[derive(Debug)]
pub struct Tree {
    /// What it is, for people.
    pub name: String,
    /// Where it is.
    pub directory: PathBuf,
    /// Whether it goes with this value.
    is_own: bool,
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.is_own {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// The two trees of a wargame.
#[derive(Debug)]
pub struct Pair {
    /// Before the patch.
    pub vulnerable: Tree,
    /// After it.
    pub patched: Tree,
}

/// Makes and keeps trees.
#[derive(Debug)]
pub struct Targets {
    cache: PathBuf,
}

/// What a tree is made of.
#[derive(Debug)]
struct Recipe<'a> {
    ecosystem: Ecosystem,
    package: &'a str,
    version: &'a str,
    extra: Vec<&'a str>,
}

impl Targets {
    /// Returns the trees below a directory.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(config: &TargetsConfig) -> Result<Self, BuildError> {
        let cache = config.cache.clone();
        make(&cache, READABLE)?;
        Ok(Self { cache })
    }

    /// Returns a copy of an exploit's directory that all may read: the catalogue may stand where only its owner can.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn case(&self, exploit: &Exploit) -> Result<Tree, BuildError> {
        let case = self.copy_of(&exploit.id, &exploit.directory)?;
        readable(&case.directory)?;
        Ok(case)
    }

    /// Returns the trees of a wargame: by what a bump says, or by applying a source patch to the vulnerable tree.
    ///
    /// # Errors
    /// [`TargetError`], which tells what of it the patch is to blame for.
    pub fn pair(
        &self,
        sandbox: &Sandbox,
        exploit: &Exploit,
        case: &Tree,
        diff: &Diff<'_>,
        patch: &str,
    ) -> Result<Pair, TargetError> {
        let vulnerable = match &exploit.target.origin {
            Origin::Package(package) => {
                if let Some(moved) = moved(diff, package.ecosystem, &package.name) {
                    let before = Recipe::of(package, &moved.from, &package.extra_vulnerable);
                    let after = Recipe::of(package, &moved.to, &package.extra_fixed);
                    return Ok(Pair {
                        vulnerable: self
                            .tree(sandbox, &before)
                            .map_err(TargetError::Vulnerable)?,
                        patched: self.tree(sandbox, &after).map_err(TargetError::Patched)?,
                    });
                }
                let before = Recipe::of(package, &package.vulnerable, &package.extra_vulnerable);
                self.tree(sandbox, &before)
                    .map_err(TargetError::Vulnerable)?
            }
            Origin::Source(directory) => Tree {
                name: exploit.id.clone(),
                directory: case.directory.join(directory),
                is_own: false,
            },
        };
        let name = format!("{}, patched", vulnerable.name);
        let patched = self
            .copy_of(&name, &vulnerable.directory)
            .map_err(TargetError::Vulnerable)?;
        apply(&patched.directory, patch)?;
        Ok(Pair {
            vulnerable,
            patched,
        })
    }

    /// Returns the tree of a recipe, from the cache if it was made before.
    fn tree(&self, sandbox: &Sandbox, recipe: &Recipe<'_>) -> Result<Tree, BuildError> {
        let directory = self.cache.join(recipe.digest());
        if !directory.exists() {
            let scratch = Scratch::make(&self.cache)?;
            let built = match recipe.ecosystem {
                Ecosystem::Npm => npm::install(&scratch.0, recipe)?,
                Ecosystem::Pypi => pypi::install(&scratch.0, recipe, sandbox)?,
            };
            readable(&built)?;
            // Two wargames may make the same tree at once: the first to get here wins, and both are the same.
            if let Err(error) = fs::rename(&built, &directory)
                && !directory.exists()
            {
                return Err(BuildError::Io {
                    doing: format!("keep {}", directory.display()),
                    error,
                });
            }
        }
        Ok(Tree {
            name: recipe.name(),
            directory,
            is_own: false,
        })
    }

    /// Returns a copy of a directory that may be changed.
    fn copy_of(&self, name: &str, from: &Path) -> Result<Tree, BuildError> {
        let directory = self.cache.join(format!("own-{}", Uuid::new_v4().simple()));
        let copied = Tree {
            name: name.to_owned(),
            directory: directory.clone(),
            is_own: true,
        };
        copy_all(from, &directory).map_err(|error| BuildError::Io {
            doing: format!("copy {}", from.display()),
            error,
        })?;
        Ok(copied)
    }
}

impl<'a> Recipe<'a> {
    fn of(package: &'a Package, version: &'a str, extra: &'a [String]) -> Self {
        Self {
            ecosystem: package.ecosystem,
            package: &package.name,
            version,
            extra: package
                .extra
                .iter()
                .chain(extra)
                .map(String::as_str)
                .collect(),
        }
    }

    fn name(&self) -> String {
        let between = match self.ecosystem {
            Ecosystem::Npm => "@",
            Ecosystem::Pypi => "==",
        };
        [self.package, between, self.version].concat()
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [RECIPE, &self.name()]
            .into_iter()
            .chain(self.extra.iter().copied())
        {
            hash.update(part);
            hash.update([0]);
        }
        hex(&hash.finalize())
    }
}

/// A directory that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn make(cache: &Path) -> Result<Self, BuildError> {
        let scratch = Self(cache.join(format!("new-{}", Uuid::new_v4().simple())));
        make(&scratch.0, READABLE)?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a directory of this mode.
fn make(directory: &Path, mode: u32) -> Result<(), BuildError> {
    let failed = |error| BuildError::Io {
        doing: format!("make {}", directory.display()),
        error,
    };
    fs::create_dir_all(directory).map_err(failed)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(mode)).map_err(failed)
}

/// Runs a package manager's own code, never a package's; returns what it printed.
fn download(doing: &str, command: &mut Command) -> Result<String, BuildError> {
    for secret in std::env::vars_os().map(|(name, _)| name) {
        let name = secret.to_string_lossy();
        let is_ours = ["CRISOL_", "POSTGRES_", "REDIS_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if is_ours {
            command.env_remove(&secret);
        }
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| BuildError::Io {
            doing: doing.to_owned(),
            error,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(BuildError::Refused {
        doing: doing.to_owned(),
        said: end_of(String::from_utf8_lossy(&output.stderr).trim(), SAID_BYTES),
    })
}

/// Lets all read a tree.
fn readable(root: &Path) -> Result<(), BuildError> {
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let failed = |error| BuildError::Io {
            doing: format!("open {} to all", path.display()),
            error,
        };
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        if found.is_symlink() {
            continue;
        }
        let mode = found.permissions().mode();
        let executable = found.is_dir() || mode & 0o111 != 0;
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        if found.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                left.push(entry.map_err(failed)?.path());
            }
        }
    }
    Ok(())
}

/// Copies a tree; links stay links.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = left.pop() {
        let found = fs::symlink_metadata(&from)?;
        if found.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else if found.is_dir() {
            fs::create_dir(&to)?;
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                left.push((entry.path(), to.join(entry.file_name())));
            }
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
