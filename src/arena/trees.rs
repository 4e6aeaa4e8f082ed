//! Trees of foreign files: copied within bounds, without following a link, and told apart by their content.
//!
//! What a run leaves behind may be made to hurt whoever copies it: files of a terabyte without a byte in them, links
//! that lead outside, directories without end, pipes that never answer.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom as Extent, openat2, readlinkat,
    seek, statat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::event::codec::printable;
use crate::event::id::hex;

/// The most directories that may stand in each other.
const MAX_DEPTH: usize = 64;

/// The most that a tree may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Bytes of all files together; what a file only claims to have counts, too.
    pub(super) bytes: u64,
    /// Files, directories and links.
    pub(super) files: u64,
}

/// What becomes of what cannot be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// It is an error.
    Fail,
    /// It is left out: links, devices, and what is over the bounds.
    LeaveOut,
}

/// A tree that cannot be copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum TreeError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which, below the tree.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It holds what no tree may hold.
    #[error("{path}: {problem}")]
    Refused {
        /// Which, below the tree.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Opens something below a directory without following any link or leaving its file system.
///
/// # Errors
/// If that is not possible.
pub(super) fn open_below(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    Ok(openat2(root, path, flags, Mode::empty(), inside)?)
}

/// Copies a tree to a directory, which is not there yet unless what cannot be copied is left out: plain files with their data and directories, and links that stay
/// inside.
///
/// # Errors
/// [`TreeError`] if it cannot be read or written, or, with [`Otherwise::Fail`], holds what it may not.
pub(super) fn copy(
    root: BorrowedFd<'_>,
    to: &Path,
    most: Most,
    otherwise: Otherwise,
) -> Result<(), TreeError> {
    let mut copying = Copying {
        root,
        to,
        left: most,
        otherwise,
    };
    let mut waiting = vec![PathBuf::new()];
    while let Some(directory) = waiting.pop() {
        copying.directory(&directory, &mut waiting)?;
    }
    Ok(())
}

struct Copying<'a> {
    root: BorrowedFd<'a>,
    to: &'a Path,
    left: Most,
    otherwise: Otherwise,
}

impl Copying<'_> {
    fn directory(&mut self, path: &Path, waiting: &mut Vec<PathBuf>) -> Result<(), TreeError> {
        let failed = |error: io::Error| TreeError::Io {
            path: shown(path),
            error,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let from = match open_below(self.root, path, flags) {
            Ok(from) => from,
            // What may not be read is not there.
            Err(_) if self.otherwise == Otherwise::LeaveOut && path != Path::new("") => {
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        let to = self.to.join(path);
        match fs::create_dir(&to) {
            // What is kept for people may be kept there again.
            Err(error) if self.keeps_again(&error) && is_directory(&to) => {}
            made => made.map_err(failed)?,
        }
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        for entry in Dir::read_from(&from).map_err(|error| failed(error.into()))? {
            let entry = entry.map_err(|error| failed(error.into()))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let path = path.join(name);
            if self.left.files == 0 {
                self.refuse(&path, "there are more files than there may be")?;
                return Ok(());
            }
            self.left.files -= 1;
            self.entry(from.as_fd(), name, path, waiting)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        path: PathBuf,
        waiting: &mut Vec<PathBuf>,
    ) -> Result<(), TreeError> {
        let failed = |error: io::Error| TreeError::Io {
            path: shown(&path),
            error,
        };
        let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| failed(error.into()))?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory if path.components().count() < MAX_DEPTH => waiting.push(path),
            FileType::Directory => self.refuse(&path, "stands too deep")?,
            FileType::RegularFile => self.file(&path, found.st_mode)?,
            FileType::Symlink if self.otherwise == Otherwise::LeaveOut => {}
            FileType::Symlink => {
                let target = readlinkat(directory, name, Vec::new())
                    .map_err(|error| failed(error.into()))?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                if !stays_inside(&path, target) {
                    return self.refuse(&path, "is a link that leads outside");
                }
                symlink(target, self.to.join(&path)).map_err(failed)?;
            }
            _ => self.refuse(&path, "is neither file nor directory")?,
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, mode: u32) -> Result<(), TreeError> {
        let failed = |error: io::Error| TreeError::Io {
            path: shown(path),
            error,
        };
        let mut from = match open_below(self.root, path, OFlags::RDONLY) {
            Ok(from) => File::from(from),
            Err(_) if self.otherwise == Otherwise::LeaveOut => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let size = from.metadata().map_err(failed)?.len();
        if size > self.left.bytes {
            self.refuse(path, "is larger than what is left of the bounds")?;
        }
        let place = self.to.join(path);
        let new = || {
            let mut options = fs::OpenOptions::new();
            options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&place)
        };
        let mut to = match new() {
            Err(error) if self.keeps_again(&error) => fs::remove_file(&place).and_then(|()| new()),
            made => made,
        }
        .map_err(failed)?;
        let written = copy_data(&mut from, &mut to, size.min(self.left.bytes)).map_err(failed)?;
        // Holes at the end of what is only kept for people tell nothing.
        if self.otherwise == Otherwise::Fail {
            to.set_len(size).map_err(failed)?;
            self.left.bytes -= size;
        } else {
            self.left.bytes -= written;
        }
        let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
        to.set_permissions(fs::Permissions::from_mode(mode))
            .map_err(failed)
    }

    fn keeps_again(&self, error: &io::Error) -> bool {
        self.otherwise == Otherwise::LeaveOut && error.kind() == io::ErrorKind::AlreadyExists
    }

    fn refuse(&self, path: &Path, problem: &str) -> Result<(), TreeError> {
        match self.otherwise {
            Otherwise::LeaveOut => Ok(()),
            Otherwise::Fail => Err(TreeError::Refused {
                path: shown(path),
                problem: problem.to_owned(),
            }),
        }
    }
}

fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// Copies the first bytes of a file without its holes; returns where its last data end.
fn copy_data(from: &mut File, to: &mut File, most: u64) -> io::Result<u64> {
    let mut end = 0;
    while end < most {
        let data = match seek(&*from, Extent::Data(end)) {
            Ok(data) if data < most => data,
            Ok(_) | Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let hole = seek(&*from, Extent::Hole(data))?.min(most);
        from.seek(SeekFrom::Start(data))?;
        to.seek(SeekFrom::Start(data))?;
        let copied = io::copy(&mut from.take(hole - data), to)?;
        end = data + copied;
        if copied < hole - data {
            break;
        }
    }
    Ok(end)
}

/// Whether a link below a tree leads to somewhere in it. It may go up first, through directories that are none but
/// directories, and then only down.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut up = 0;
    let mut down = false;
    for part in target.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if !down => up += 1,
            Component::Normal(_) => down = true,
            _ => return false,
        }
    }
    // The link's own name is no directory.
    up < link.components().count() && target.as_os_str().len() <= 1_024
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// Returns a digest of what a tree holds: names, kinds, content, whether a file may be run, and where links lead.
///
/// # Errors
/// If it cannot be read.
pub(super) fn digest(root: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut waiting = vec![root.to_owned()];
    let mut block = vec![0; 1 << 16];
    while let Some(directory) = waiting.pop() {
        let mut names: Vec<_> = fs::read_dir(&directory)?.collect::<Result<_, _>>()?;
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            let path = entry.path();
            let found = fs::symlink_metadata(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path).as_os_str();
            let kind = match found.permissions().mode() & 0o111 {
                _ if found.is_dir() => b'd',
                _ if found.is_symlink() => b'l',
                0 => b'f',
                _ => b'x',
            };
            hash.update([kind]);
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            match kind {
                b'd' => waiting.push(path),
                b'l' => {
                    let target = fs::read_link(&path)?;
                    hash.update((target.as_os_str().len() as u64).to_le_bytes());
                    hash.update(target.as_os_str().as_bytes());
                }
                _ => {
                    hash.update(found.len().to_le_bytes());
                    let mut file = File::open(&path)?;
                    loop {
                        match file.read(&mut block)? {
                            0 => break,
                            n => hash.update(block.get(..n).unwrap_or_default()),
                        }
                    }
                }
            }
        }
    }
    Ok(hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const MOST: Most = Most {
        bytes: 1_000,
        files: 20,
    };

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/file"), "text").unwrap();
        fs::write(root.path().join("a/run"), "#!").unwrap();
        let executable = fs::Permissions::from_mode(0o700);
        fs::set_permissions(root.path().join("a/run"), executable).unwrap();
        root
    }

    fn copied(root: &Path, otherwise: Otherwise) -> Result<tempfile::TempDir, String> {
        let to = tempfile::tempdir().unwrap();
        let from = File::open(root).unwrap();
        copy(from.as_fd(), &to.path().join("tree"), MOST, otherwise).map_err(|e| e.to_string())?;
        Ok(to)
    }

    #[test]
    fn a_tree_is_copied_as_it_is_and_a_change_of_any_kind_is_another_digest() {
        let root = tree();
        symlink("../a/b/file", root.path().join("a/link")).unwrap();
        let to = copied(root.path(), Otherwise::Fail).unwrap();
        let tree = to.path().join("tree");
        assert_eq!(fs::read(tree.join("a/b/file")).unwrap(), b"text");
        let mode = |name: &str| fs::metadata(tree.join(name)).unwrap().permissions().mode();
        assert_eq!((mode("a/run") & 0o777, mode("a/b") & 0o777), (0o755, 0o755));
        let same = digest(&tree).unwrap();
        assert_eq!(same, digest(root.path()).unwrap());
        let change = |what: &dyn Fn()| {
            let before = digest(&tree).unwrap();
            what();
            assert_ne!(digest(&tree).unwrap(), before);
        };
        change(&|| fs::write(tree.join("a/b/file"), "texd").unwrap());
        change(&|| {
            let plain = fs::Permissions::from_mode(0o644);
            fs::set_permissions(tree.join("a/run"), plain).unwrap();
        });
        change(&|| fs::create_dir(tree.join("empty")).unwrap());
        change(&|| fs::rename(tree.join("a/run"), tree.join("a/ran")).unwrap());
        change(&|| fs::remove_file(tree.join("a/link")).unwrap());
    }

    #[test]
    fn links_that_lead_outside_are_refused_and_those_that_stay_are_not() {
        for (target, stays) in [
            ("b/file", true),
            ("../a/b", true),
            ("./run", true),
            ("/etc/passwd", false),
            ("../../x", false),
            // By the words alone it would stay; if `b` is a link it need not.
            ("b/../run", false),
        ] {
            let root = tree();
            symlink(target, root.path().join("a/link")).unwrap();
            let strict = copied(root.path(), Otherwise::Fail);
            assert_eq!(strict.is_ok(), stays, "{target}: {strict:?}");
            let kept = copied(root.path(), Otherwise::LeaveOut).unwrap();
            assert!(!kept.path().join("tree/a/link").exists());
        }
    }

    #[test]
    fn bounds_hold_for_bytes_files_and_depth_and_a_pipe_is_no_file() {
        let within = tree();
        assert!(copied(within.path(), Otherwise::Fail).is_ok());
        let large = tree();
        fs::write(large.path().join("a/large"), vec![1; 1_001]).unwrap();
        let many = tree();
        for n in 0..20 {
            fs::write(many.path().join(n.to_string()), "").unwrap();
        }
        let deep = tree();
        fs::create_dir_all(deep.path().join("d/".repeat(MAX_DEPTH))).unwrap();
        let pipe = tree();
        let made = std::process::Command::new("mkfifo")
            .arg(pipe.path().join("pipe"))
            .status();
        assert!(made.unwrap().success());
        for (root, said) in [
            (&large, "larger"),
            (&many, "more files"),
            (&deep, "files"),
            (&pipe, "neither"),
        ] {
            let error = copied(root.path(), Otherwise::Fail).unwrap_err();
            assert!(error.contains(said), "{error}");
            copied(root.path(), Otherwise::LeaveOut).unwrap();
        }
    }

    #[test]
    fn a_file_of_a_terabyte_without_a_byte_in_it_is_kept_as_nothing() {
        let root = tree();
        let sparse = File::create(root.path().join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        std::os::unix::fs::FileExt::write_at(&sparse, b"here", 100).unwrap();
        assert!(copied(root.path(), Otherwise::Fail).is_err());
        let kept = copied(root.path(), Otherwise::LeaveOut).unwrap();
        let found = fs::metadata(kept.path().join("tree/sparse")).unwrap();
        // Blocks are kept whole, and no more than is left of the bounds.
        assert!(found.len() >= 104 && found.len() <= MOST.bytes, "{found:?}");
        assert!(found.blocks() <= 16, "{found:?}");
        let text = fs::read(kept.path().join("tree/sparse")).unwrap();
        assert_eq!(&text[100..104], b"here");
    }
}
