//! The shelf: built trees by the digest of what they were made of, bounded in bytes.
//!
//! Several processes may share it. Whoever uses a tree holds a lock on it that all may share; only what nobody uses
//! may go, and what was not used for longest goes first. Beside each tree stands a digest of what is in it; one that is
//! no longer so is not used.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, futimens};
use tracing::warn;
use uuid::Uuid;

use super::trees;

/// What the file beside a tree that is locked ends with.
const LOCK: &str = ".lock";
/// What stands there by a digest: the tree, and the digest of what is in it.
const TREE: &str = "tree";
const MANIFEST: &str = "manifest";
/// How long what was begun may stand there.
const REST_LASTS: Duration = Duration::from_secs(86_400);

/// The time that the system has.
const NOW: Timestamps = {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW as _,
    };
    Timestamps {
        last_access: now,
        last_modification: now,
    }
};

/// A tree on the shelf that somebody uses.
#[derive(Debug)]
pub(super) struct Shelved {
    pub(super) directory: PathBuf,
    _lock: Lock,
}

/// A lock on a tree. It is given back by word, not by closing the file: a process that another thread is just forking
/// has the file open as well until it executes, and would hold the lock for so long.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn take(shelf: &Path, digest: &str, operation: FlockOperation) -> io::Result<Self> {
        let file = lock_of(shelf, digest)?;
        flock(&file, operation)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Returns the tree of a digest, if it stands there as it was put there. One that was changed since goes.
///
/// # Errors
/// If the shelf cannot be read or written.
pub(super) fn find(shelf: &Path, digest: &str) -> io::Result<Option<Shelved>> {
    let lock = Lock::take(shelf, digest, FlockOperation::LockShared)?;
    let place = shelf.join(digest);
    if !place.exists() {
        return Ok(None);
    }
    if let Some(problem) = problem_of(&place) {
        warn!(tree = %place.display(), problem, "a kept tree is not what was kept, and is built again");
        discard(shelf, &place)?;
        return Ok(None);
    }
    // When it was used last; a shelf that cannot tell loses the wrong tree first, and no more.
    let _ = futimens(&lock.0, &NOW);
    Ok(Some(Shelved {
        directory: place.join(TREE),
        _lock: lock,
    }))
}

/// Returns what is wrong with what stands at a place, if anything is.
fn problem_of(place: &Path) -> Option<&'static str> {
    let Ok(noted) = fs::read_to_string(place.join(MANIFEST)) else {
        return Some("its digest cannot be read");
    };
    match trees::digest(&place.join(TREE)) {
        Ok(digest) if manifest(&digest) == noted => None,
        Ok(_) => Some("its digest is another"),
        Err(_) => Some("it cannot be read"),
    }
}

fn manifest(digest: &str) -> String {
    format!("crisol.tree/v1\nsha256 {digest}\n")
}

/// Takes what stands at a place away at once, and removes it then; whoever still uses it has it open.
fn discard(shelf: &Path, place: &Path) -> io::Result<()> {
    let aside = shelf.join(format!("gone-{}", Uuid::new_v4().simple()));
    match fs::rename(place, &aside) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        moved => moved?,
    }
    fs::remove_dir_all(&aside)
}

/// Puts a tree on the shelf and returns it; two wargames may make the same one at once, and either is as good.
///
/// # Errors
/// If the shelf cannot be written.
pub(super) fn put(shelf: &Path, digest: &str, built: &Path) -> io::Result<Shelved> {
    let lock = Lock::take(shelf, digest, FlockOperation::LockShared)?;
    let place = shelf.join(digest);
    let new = shelf.join(format!("new-{}", Uuid::new_v4().simple()));
    fs::create_dir(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(built, new.join(TREE))?;
    fs::write(
        new.join(MANIFEST),
        manifest(&trees::digest(&new.join(TREE))?),
    )?;
    if let Err(error) = fs::rename(&new, &place) {
        let _ = fs::remove_dir_all(&new);
        if !place.exists() {
            return Err(error);
        }
    }
    Ok(Shelved {
        directory: place.join(TREE),
        _lock: lock,
    })
}

/// Removes what was begun or taken away and not finished, by processes that are gone: older than a day.
pub(super) fn tidy(shelf: &Path) {
    let Ok(entries) = fs::read_dir(shelf) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_rest = name.starts_with("new-") || name.starts_with("gone-");
        let modified = entry.metadata().and_then(|found| found.modified());
        let is_old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > REST_LASTS));
        if is_rest && is_old {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Removes trees that stand in the cache itself, as they did before there were digests of their content.
pub(super) fn remove_earlier_form(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let digest = name.strip_suffix(LOCK).unwrap_or(&name);
        if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let _ = fs::remove_dir_all(entry.path());
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes trees that nobody uses until no more than so many bytes are left, those first that were not used for
/// longest.
pub(super) fn shrink(shelf: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(shelf) else {
        return;
    };
    let mut trees: Vec<(SystemTime, u64, String)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let digest = name.strip_suffix(LOCK)?;
            let used = entry.metadata().ok()?.modified().ok()?;
            Some((used, size_of(&shelf.join(digest)), digest.to_owned()))
        })
        .collect();
    trees.sort();
    let mut total: u64 = trees.iter().map(|(_, size, _)| size).sum();
    for (_, size, digest) in trees {
        if total <= most {
            return;
        }
        // Held while it goes: whoever waits for it finds nothing and builds it again.
        let is_free = Lock::take(shelf, &digest, FlockOperation::NonBlockingLockExclusive)
            .is_ok_and(|_lock| fs::remove_dir_all(shelf.join(&digest)).is_ok());
        if is_free {
            total -= size;
        }
    }
}

fn lock_of(shelf: &Path, digest: &str) -> io::Result<File> {
    let path = shelf.join([digest, LOCK].concat());
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

fn size_of(root: &Path) -> u64 {
    let mut bytes = 0;
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        bytes += found.len();
        if found.is_dir()
            && let Ok(entries) = fs::read_dir(&path)
        {
            left.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;

    use super::*;

    fn tree(shelf: &Path, digest: &str, used_s: u64) -> Shelved {
        let built = shelf.join("built");
        fs::create_dir(&built).unwrap();
        fs::write(built.join("file"), vec![0; 100_000]).unwrap();
        let shelved = put(shelf, digest, &built).unwrap();
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(used_s);
        let lock = lock_of(shelf, digest).unwrap();
        lock.set_times(FileTimes::new().set_modified(used)).unwrap();
        shelved
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_what_is_used_stays() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = directory.path();
        let oldest = tree(shelf, "a", 100);
        drop(tree(shelf, "b", 200));
        drop(tree(shelf, "c", 300));
        shrink(shelf, 250_000);
        assert!(find(shelf, "a").unwrap().is_some(), "it is in use");
        assert!(find(shelf, "b").unwrap().is_none());
        assert!(find(shelf, "c").unwrap().is_some());
        drop(oldest);
        shrink(shelf, 0);
        assert!(find(shelf, "a").unwrap().is_none());
    }

    #[test]
    fn a_lock_ends_with_its_value_though_a_fork_has_the_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = directory.path();
        let shelved = tree(shelf, "a", 100);
        let forked = shelved._lock.0.try_clone().unwrap();
        drop(shelved);
        shrink(shelf, 0);
        assert!(find(shelf, "a").unwrap().is_none());
        drop(forked);
    }

    #[test]
    fn a_tree_that_is_not_what_was_put_there_goes_and_one_that_is_stays() {
        let directory = tempfile::tempdir().unwrap();
        let shelf = directory.path();
        for change in [
            |tree: &Path| fs::write(tree.join("file"), "changed").unwrap(),
            |tree: &Path| fs::write(tree.join("another"), "").unwrap(),
            |tree: &Path| fs::remove_file(tree.join("file")).unwrap(),
            |tree: &Path| fs::remove_file(tree.with_file_name(MANIFEST)).unwrap(),
        ] {
            let shelved = tree(shelf, "a", 100);
            assert!(find(shelf, "a").unwrap().is_some());
            change(&shelved.directory);
            drop(shelved);
            assert!(find(shelf, "a").unwrap().is_none());
            assert!(!shelf.join("a").exists());
        }
    }
}
