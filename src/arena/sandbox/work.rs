//! The work directory of a run, read from outside without following any link.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use crate::arena::launch::inodes;
use crate::arena::trees::{self, Most, Otherwise};
use crate::exploit::Limits;

/// The most that is read of a file that a run left behind, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The work directory of a run, as it stands when it is looked at.
#[derive(Debug)]
pub struct Work {
    pub(super) directory: Option<File>,
    pub(super) limits: Limits,
}

impl Work {
    /// Returns the directory `path` as the shell `pid` sees it.
    pub(super) fn of(pid: u32, path: &Path, limits: Limits) -> Self {
        let seen = Path::new("/proc").join(pid.to_string()).join("root");
        let path = path.strip_prefix("/").unwrap_or(path);
        Self {
            directory: File::open(seen.join(path)).ok(),
            limits,
        }
    }

    /// Returns a directory of the outside as if a run had it.
    #[cfg(test)]
    pub(in crate::arena) fn at(path: &Path) -> Self {
        Self {
            directory: File::open(path).ok(),
            limits: Limits::default(),
        }
    }

    /// Returns a file that the run left behind, its first MiB; `None` if there is none that can be read without
    /// following a link.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let file = openat2(self.directory.as_ref()?, path, flags, Mode::empty(), inside).ok()?;
        let file = File::from(file);
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Returns the directory itself, if it can be opened.
    pub(in crate::arena) fn directory(&self) -> Option<&File> {
        self.directory.as_ref()
    }

    /// Opens something that the run left behind, without following a link.
    ///
    /// # Errors
    /// If there is no such thing.
    pub(in crate::arena) fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let directory = self.directory.as_ref();
        let directory = directory.ok_or(io::ErrorKind::NotFound)?;
        trees::open_below(directory.as_fd(), path, flags)
    }

    /// Copies what the run left behind to a directory: plain files with their data, and directories, no links, nothing
    /// else, and no more than the work directory may hold.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn copy_to(&self, to: &Path) -> io::Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let most = Most {
            bytes: self.limits.work_mb << 20,
            files: u64::from(inodes(self.limits.work_mb)),
        };
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        trees::copy(directory.as_fd(), to, most, Otherwise::LeaveOut).map_err(io::Error::other)
    }
}
