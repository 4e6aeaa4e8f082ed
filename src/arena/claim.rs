//! Directories that belong to a living process: each holds a lock that ends with its owner, however that ends, so that
//! whoever comes next can tell what a killed process left behind.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

/// What names of such directories begin with.
const PREFIX: &str = "process-";
/// The file that is locked.
const LOCK: &str = "lock";
/// Its name until it is.
const UNLOCKED: &str = "lock.new";

/// A directory of this process, readable by all; it goes when this value does.
#[derive(Debug)]
pub(super) struct Claim {
    directory: PathBuf,
    name: String,
    swept: Vec<String>,
    _lock: File,
}

impl Claim {
    /// Makes one below `parent`, and removes those there whose owners are gone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let name = [PREFIX, &Uuid::new_v4().simple().to_string()].concat();
        let directory = parent.join(&name);
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        // Whoever sweeps takes a lock that nobody holds for a dead one's, so it is held before it has its name.
        let lock = File::create_new(directory.join(UNLOCKED))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        fs::rename(directory.join(UNLOCKED), directory.join(LOCK))?;
        let swept = sweep(parent, &directory);
        Ok(Self {
            directory,
            name,
            swept,
            _lock: lock,
        })
    }

    /// Returns its name, which no other process has or had.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the names of the dead that were swept when it was made.
    pub(super) fn swept(&self) -> &[String] {
        &self.swept
    }

    /// Returns it.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Removes what the dead left behind, and returns their names. What cannot be looked at stays: it is somebody else's.
fn sweep(parent: &Path, own: &Path) -> Vec<String> {
    let mut swept = Vec::new();
    let Ok(entries) = fs::read_dir(parent) else {
        return swept;
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || path == own {
            continue;
        }
        // One without a lock is about to get it.
        let Ok(lock) = File::open(path.join(LOCK)) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(&path);
            swept.push(name);
        }
    }
    swept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_behind_goes_and_what_the_living_have_stays() {
        let parent = tempfile::tempdir().unwrap();
        let living = Claim::make(parent.path()).unwrap();
        let dead = parent.path().join("process-0");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        let begun = parent.path().join("process-1");
        fs::create_dir(&begun).unwrap();
        let foreign = parent.path().join("else");
        fs::create_dir(&foreign).unwrap();
        let second = Claim::make(parent.path()).unwrap();
        assert!(living.directory().exists() && second.directory().exists());
        assert!(begun.exists() && foreign.exists());
        assert!(!dead.exists());
        assert_eq!(second.swept(), ["process-0"]);
        let gone = second.directory().to_owned();
        drop(second);
        assert!(!gone.exists());
    }
}
