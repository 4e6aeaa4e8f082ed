//! Targets: trees of installed packages, as an attack finds them under `/target`.
//!
//! Packages are resolved and installed inside the arena, which reaches registries only through [`super::registry`]; what
//! comes out is copied within bounds by who works on foreign bytes, never by root. A tree is kept by the digest of what it
//! was made of, beside a digest of what is in it; nobody writes to it again. A source patch is applied to a copy that one
//! wargame has for itself.

mod archive;
mod config;
mod error;
mod files;
mod inside;
mod npm;
mod pypi;
mod recipe;
mod scope;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

pub use self::config::TargetsConfig;
use self::error::blamed;
pub use self::error::{BuildError, TargetError};
use self::files::{copy_all, make, readable};
use self::inside::Site;
use self::recipe::Recipe;
use super::apply::{ApplyError, plan};
use super::claim::Claim;
use super::identity::{as_nobody, give_to_nobody, warn_of_root, works_on_foreign_bytes};
use super::registry::Registry;
use super::sandbox::Sandbox;
use super::shelf::{self, Shelved};
use super::trees::{self, Most, Otherwise, TreeError};
use crate::diff::Diff;
use crate::event::facts;
use crate::exploit::{Ecosystem, Exploit, Origin, Package};
use crate::judge::advisory::moved;

/// Where they stand below the cache.
const SHELF: &str = "trees";
/// The most that a tree which a patch is applied to may hold, or one that is kept for people.
const MOST: Most = Most {
    bytes: 512 << 20,
    files: 32_768,
};

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
    /// Whether both are as a registry has them.
    pub is_bump: bool,
}

impl Pair {
    /// Copies both trees below a directory, as `vulnerable` and `patched`; within bounds, and without links.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub(super) fn copy_to(&self, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        let copy = |tree: &Tree, name: &str| {
            let from = File::open(&tree.directory)?;
            trees::copy(from.as_fd(), &to.join(name), MOST, Otherwise::LeaveOut)
                .map_err(io::Error::other)
        };
        copy(&self.vulnerable, "vulnerable")?;
        copy(&self.patched, "patched")
    }
}

/// Makes and keeps trees.
#[derive(Debug)]
pub struct Targets {
    /// Trees that are kept.
    shelf: PathBuf,
    max_bytes: u64,
    claim: Claim,
    /// Below the claim: what foreign bytes are worked on in.
    foreign: PathBuf,
    registry: Arc<Registry>,
}

impl Targets {
    /// Returns the trees below a directory.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(config: &TargetsConfig) -> Result<Self, BuildError> {
        warn_of_root();
        let cache = &config.cache;
        let failed = |error| BuildError::Io {
            doing: format!("use {}", cache.display()),
            error,
        };
        make(cache)?;
        // Whoever owns it can put any tree there.
        let owner = fs::metadata(cache).map_err(failed)?.uid();
        if !works_on_foreign_bytes(owner) {
            let whose = io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it belongs to another user",
            );
            return Err(failed(whose));
        }
        let claim = Claim::make(cache).map_err(failed)?;
        let (shelf, foreign) = (cache.join(SHELF), claim.directory().join("foreign"));
        for directory in [&shelf, &foreign] {
            make(directory)?;
            give_to_nobody(directory).map_err(failed)?;
        }
        shelf::remove_earlier_form(cache);
        as_nobody(|| shelf::tidy(&shelf)).map_err(failed)?;
        let sources = config.sources();
        let sources = sources.ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        Ok(Self {
            shelf,
            max_bytes: config.max_mb << 20,
            claim,
            foreign,
            registry: Arc::new(Registry::new(sources)),
        })
    }

    /// Returns a copy of an exploit's directory that all may read: the catalogue may stand where only its owner can.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn case(&self, exploit: &Exploit) -> Result<Tree, BuildError> {
        // The catalogue is the operator's own, and need not be open to nobody.
        let directory = self.claim.directory().join(own_name());
        let case = Tree::own(&exploit.id, directory);
        copy_all(&exploit.directory, &case.directory).map_err(|error| BuildError::Io {
            doing: format!("copy {}", exploit.directory.display()),
            error,
        })?;
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
        let (vulnerable, package) = match &exploit.target.origin {
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
                        is_bump: true,
                    });
                }
                let before = Recipe::of(package, &package.vulnerable, &package.extra_vulnerable);
                let tree = self.tree(sandbox, &before);
                (tree.map_err(TargetError::Vulnerable)?, Some(package))
            }
            Origin::Source(source) => {
                let source = case.directory.join(source);
                let tree = self.source(sandbox, &exploit.id, source);
                (tree.map_err(TargetError::Vulnerable)?, None)
            }
        };
        let patched = self.copy_of(&vulnerable).map_err(TargetError::Away)?;
        self.patch(&patched.directory, package, patch)?;
        Ok(Pair {
            vulnerable,
            patched,
            is_bump: false,
        })
    }

    /// Applies a source patch to a tree, if it touches nothing but what is its package's.
    fn patch(
        &self,
        tree: &Path,
        package: Option<&Package>,
        patch: &str,
    ) -> Result<(), TargetError> {
        let away = |error| {
            TargetError::Away(BuildError::Io {
                doing: "apply the patch".to_owned(),
                error,
            })
        };
        let applied = as_nobody(|| {
            let plan = plan(tree, patch)?;
            if let Some(package) = package
                && let Some(stray) = scope::strays(tree, package, plan.touched()).map_err(away)?
            {
                return Err(TargetError::Tampering(stray));
            }
            plan.write()?;
            Ok(())
        });
        applied.map_err(away)?
    }

    /// Returns the tree of a source: its directory, or what its archive holds.
    fn source(&self, sandbox: &Sandbox, name: &str, source: PathBuf) -> Result<Tree, BuildError> {
        if !source.is_file() {
            return Ok(Tree {
                name: name.to_owned(),
                directory: source,
                is_own: false,
                _shelved: None,
            });
        }
        let scratch = self.scratch()?;
        let unpacked = archive::unpack(&self.site(sandbox, &scratch), &source)?;
        let tree = Tree::own(name, self.foreign.join(own_name()));
        let moved = as_nobody(|| fs::rename(&unpacked, &tree.directory));
        moved
            .and_then(|moved| moved)
            .map_err(|error| BuildError::Io {
                doing: format!("keep {name}"),
                error,
            })?;
        Ok(tree)
    }

    /// Returns the tree of a recipe, from the cache if it was made before.
    fn tree(&self, sandbox: &Sandbox, recipe: &Recipe<'_>) -> Result<Tree, BuildError> {
        let digest = recipe.digest();
        let failed = |error| BuildError::Io {
            doing: format!("keep {}", recipe.name()),
            error,
        };
        let found = as_nobody(|| shelf::find(&self.shelf, &digest));
        let shelved = match found.and_then(|found| found).map_err(failed)? {
            Some(shelved) => shelved,
            None => {
                let scratch = self.scratch()?;
                let site = self.site(sandbox, &scratch);
                let built = match recipe.ecosystem {
                    Ecosystem::Npm => npm::install(&site, recipe)?,
                    Ecosystem::Pypi => pypi::install(&site, recipe)?,
                };
                let put = as_nobody(|| {
                    let put = shelf::put(&self.shelf, &digest, &built);
                    shelf::shrink(&self.shelf, self.max_bytes);
                    put
                });
                put.and_then(|put| put).map_err(failed)?
            }
        };
        Ok(Tree {
            name: recipe.name(),
            directory: shelved.directory.clone(),
            is_own: false,
            _shelved: Some(shelved),
        })
    }

    /// Returns a copy of a vulnerable tree that a patch may change.
    fn copy_of(&self, vulnerable: &Tree) -> Result<Tree, BuildError> {
        let name = format!("{}, patched", vulnerable.name);
        let copied = Tree::own(&name, self.foreign.join(own_name()));
        let doing = || format!("copy {}", vulnerable.directory.display());
        let copy = as_nobody(|| {
            let from = File::open(&vulnerable.directory)?;
            trees::copy(from.as_fd(), &copied.directory, MOST, Otherwise::Fail).map_err(|error| {
                match error {
                    TreeError::Io { error, .. } => error,
                    refused => io::Error::other(refused),
                }
            })
        });
        copy.and_then(|copied| copied)
            .map_err(|error| BuildError::Io {
                doing: doing(),
                error,
            })?;
        Ok(copied)
    }

    /// Returns a directory that whoever works on foreign bytes may write, and that goes.
    fn scratch(&self) -> Result<Scratch, BuildError> {
        let path = self
            .foreign
            .join(format!("new-{}", Uuid::new_v4().simple()));
        let made = as_nobody(|| make(&path)).map_err(|error| BuildError::Io {
            doing: format!("make {}", path.display()),
            error,
        });
        made??;
        Ok(Scratch(path))
    }

    fn site<'s>(&'s self, sandbox: &'s Sandbox, scratch: &'s Scratch) -> Site<'s> {
        Site {
            scratch: &scratch.0,
            sandbox,
            registry: &self.registry,
        }
    }
}

impl Tree {
    /// Returns a directory of the outside as if it had been built.
    #[cfg(test)]
    pub(super) fn at(directory: &Path) -> Self {
        Self {
            name: "own".to_owned(),
            directory: directory.to_owned(),
            is_own: false,
            _shelved: None,
        }
    }

    /// Returns one that goes with its value.
    fn own(name: &str, directory: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            directory,
            is_own: true,
            _shelved: None,
        }
    }
}

/// Returns a name that no other has.
fn own_name() -> String {
    format!("own-{}", Uuid::new_v4().simple())
}

/// A directory that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
