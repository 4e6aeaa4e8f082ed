//! Why a target cannot be built, and who is to blame.

use std::io;

use crate::arena::apply::ApplyError;
use crate::arena::sandbox::ArenaError;

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
    /// The patch would change what it has no business with.
    #[error("the patch changes more than its package: {0}")]
    Tampering(String),
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
    /// A registry does not answer.
    #[error("{doing}: {said}")]
    Download {
        /// What was tried.
        doing: String,
        /// What was not answered, escaped and cut.
        said: String,
    },
    /// There is no such package, it may not be taken, or it does not build or install.
    #[error("{doing}: {said}")]
    Refused {
        /// What was tried.
        doing: String,
        /// Why not, escaped and cut.
        said: String,
    },
    /// The arena failed.
    #[error(transparent)]
    Arena(#[from] ArenaError),
}

/// Returns who is to blame that a patched tree cannot be built.
pub(super) fn blamed(error: BuildError) -> TargetError {
    match error {
        BuildError::Arena(error) => TargetError::Arena(error),
        BuildError::Refused { .. } => TargetError::Patched(error),
        BuildError::Download { .. } | BuildError::Io { .. } => TargetError::Away(error),
    }
}
