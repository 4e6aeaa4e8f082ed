//! The work directory of a run, read from outside without following any link.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// The most that is read of a file that a run left behind, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The work directory of a run, as it stands when it is looked at.
#[derive(Debug)]
pub struct Work {
    pub(super) directory: Option<File>,
}

impl Work {
    /// Returns the directory `path` as the shell `pid` sees it.
    pub(super) fn of(pid: u32, path: &Path) -> Self {
        let seen = Path::new("/proc").join(pid.to_string()).join("root");
        let path = path.strip_prefix("/").unwrap_or(path);
        Self {
            directory: File::open(seen.join(path)).ok(),
        }
    }

    /// Returns a directory of the outside as if a run had it.
    #[cfg(test)]
    pub(in crate::arena) fn at(path: &Path) -> Self {
        Self {
            directory: File::open(path).ok(),
        }
    }

    /// Returns a file that the run left behind, its first MiB; `None` if there is none that can be read without
    /// following a link.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.open(path)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn open(&self, path: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let file = openat2(self.directory.as_ref()?, path, flags, Mode::empty(), inside).ok()?;
        let file = File::from(file);
        file.metadata().ok()?.is_file().then_some(file)
    }

    /// Returns the directory itself, if it can be opened.
    pub(in crate::arena) fn directory(&self) -> Option<&File> {
        self.directory.as_ref()
    }

    /// Copies what the run left behind to a directory: plain files and directories, no links, nothing else.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn copy_to(&self, to: &Path) -> io::Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let root = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        let mut left = vec![(root, to.to_owned())];
        while let Some((from, to)) = left.pop() {
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
                if kind.is_dir() {
                    left.push((entry.path(), to));
                } else if kind.is_file() {
                    fs::copy(entry.path(), to)?;
                }
            }
        }
        Ok(())
    }
}
