//! Targets: trees of installed packages, as an attack finds them under `/target`.
//!
//! Packages are downloaded outside of the arena without running any of their code, and installed inside it without a
//! network. A tree is kept by the digest of what it was made of; nobody writes to it again. A source patch is applied to
//! a copy that one wargame has for itself.

mod archive;
mod download;
mod files;
mod inside;
mod npm;
mod pypi;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::download::is_absence;
use self::files::{READABLE, copy_all, make, readable};
use super::apply::{ApplyError, apply};
use super::claim::Claim;
use super::sandbox::{ArenaError, Sandbox};
use super::shelf::{self, Shelved};
use crate::diff::Diff;
use crate::event::facts;
use crate::event::id::hex;
use crate::exploit::{Ecosystem, Exploit, Origin, Package};
use crate::judge::advisory::moved;

/// Changes whenever trees are made in another way.
const RECIPE: &str = "1";
/// Where trees are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetsConfig {
    /// A directory that is readable by all.
    pub cache: PathBuf,
    /// The most that built trees may take there, in MiB; those in use may take more for a while.
    pub max_mb: u64,
}

impl Default for TargetsConfig {
    fn default() -> Self {
        Self {
            cache: std::env::temp_dir().join("crisol-targets"),
            max_mb: /* 4 GiB */ 4_096,
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
    /// Neither the exploit nor the patch is to blame: a registry does not answer, a disk is full.
    #[error("target: {0}")]
    Away(BuildError),
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
    /// A package cannot be downloaded.
    #[error("{doing}: {said}")]
    Download {
        /// What was tried.
        doing: String,
        /// What the package manager said, escaped and cut.
        said: String,
    },
    /// A package does not build or install.
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
    /// Keeps it where it is, if others use it too.
    _shelved: Option<Shelved>,
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

impl Pair {
    /// Copies both trees below a directory, as `vulnerable` and `patched`.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub(super) fn copy_to(&self, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        copy_all(&self.vulnerable.directory, &to.join("vulnerable"))?;
        copy_all(&self.patched.directory, &to.join("patched"))
    }
}

/// Makes and keeps trees.
#[derive(Debug)]
pub struct Targets {
    cache: PathBuf,
    max_bytes: u64,
    claim: Claim,
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
        let claim = Claim::make(&cache).map_err(|error| BuildError::Io {
            doing: format!("make a directory in {}", cache.display()),
            error,
        })?;
        Ok(Self {
            cache,
            max_bytes: config.max_mb << 20,
            claim,
        })
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
                let ecosystem = match package.ecosystem {
                    Ecosystem::Npm => facts::Ecosystem::Npm,
                    Ecosystem::Pypi => facts::Ecosystem::PyPi,
                };
                let bump =
                    moved(diff, ecosystem, &package.name).map_err(|why| ApplyError::Lines {
                        path: diff.files.first().map_or("", |file| file.path()).to_owned(),
                        problem: why.to_string(),
                    })?;
                if let Some(moved) = bump {
                    let before = Recipe::of(package, &moved.from, &package.extra_vulnerable);
                    let after = Recipe::of(package, &moved.to, &package.extra_fixed);
                    return Ok(Pair {
                        vulnerable: self
                            .tree(sandbox, &before)
                            .map_err(TargetError::Vulnerable)?,
                        patched: self.tree(sandbox, &after).map_err(blamed)?,
                    });
                }
                let before = Recipe::of(package, &package.vulnerable, &package.extra_vulnerable);
                self.tree(sandbox, &before)
                    .map_err(TargetError::Vulnerable)?
            }
            Origin::Source(source) => {
                let source = case.directory.join(source);
                self.source(sandbox, &exploit.id, source)
                    .map_err(TargetError::Vulnerable)?
            }
        };
        let name = format!("{}, patched", vulnerable.name);
        let patched = self
            .copy_of(&name, &vulnerable.directory)
            .map_err(TargetError::Away)?;
        apply(&patched.directory, patch)?;
        Ok(Pair {
            vulnerable,
            patched,
        })
    }

    /// Returns the tree of a source: its directory, or what its archive holds.
    fn source(&self, sandbox: &Sandbox, name: &str, source: PathBuf) -> Result<Tree, BuildError> {
        let is_archive = source.is_file();
        let directory = if is_archive {
            let own = self.claim.directory();
            let scratch = own.join(format!("own-{}", Uuid::new_v4().simple()));
            make(&scratch, READABLE)?;
            archive::unpack(&scratch, &source, sandbox)?
        } else {
            source
        };
        Ok(Tree {
            name: name.to_owned(),
            directory,
            is_own: is_archive,
            _shelved: None,
        })
    }

    /// Returns the tree of a recipe, from the cache if it was made before.
    fn tree(&self, sandbox: &Sandbox, recipe: &Recipe<'_>) -> Result<Tree, BuildError> {
        let digest = recipe.digest();
        let failed = |error| BuildError::Io {
            doing: format!("keep {}", recipe.name()),
            error,
        };
        let shelved = match shelf::find(&self.cache, &digest).map_err(failed)? {
            Some(shelved) => shelved,
            None => {
                let scratch = Scratch::make(self.claim.directory())?;
                let built = match recipe.ecosystem {
                    Ecosystem::Npm => npm::install(&scratch.0, recipe)?,
                    Ecosystem::Pypi => pypi::install(&scratch.0, recipe, sandbox)?,
                };
                readable(&built)?;
                let shelved = shelf::put(&self.cache, &digest, &built).map_err(failed)?;
                shelf::shrink(&self.cache, self.max_bytes);
                shelved
            }
        };
        Ok(Tree {
            name: recipe.name(),
            directory: shelved.directory.clone(),
            is_own: false,
            _shelved: Some(shelved),
        })
    }

    /// Returns a copy of a directory that may be changed.
    fn copy_of(&self, name: &str, from: &Path) -> Result<Tree, BuildError> {
        let own = format!("own-{}", Uuid::new_v4().simple());
        let directory = self.claim.directory().join(own);
        let copied = Tree {
            name: name.to_owned(),
            directory: directory.clone(),
            is_own: true,
            _shelved: None,
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

/// Returns who is to blame that a patched tree cannot be built.
fn blamed(error: BuildError) -> TargetError {
    match error {
        BuildError::Arena(error) => TargetError::Arena(error),
        BuildError::Refused { .. } => TargetError::Patched(error),
        BuildError::Download { ref said, .. } if is_absence(said) => TargetError::Patched(error),
        BuildError::Download { .. } | BuildError::Io { .. } => TargetError::Away(error),
    }
}

/// A directory that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn make(parent: &Path) -> Result<Self, BuildError> {
        let scratch = Self(parent.join(format!("new-{}", Uuid::new_v4().simple())));
        make(&scratch.0, READABLE)?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
