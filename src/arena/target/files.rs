//! Directories and trees of files.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::BuildError;

/// Makes a directory that all may read.
pub(super) fn make(directory: &Path) -> Result<(), BuildError> {
    let failed = |error| BuildError::Io {
        doing: format!("make {}", directory.display()),
        error,
    };
    fs::create_dir_all(directory).map_err(failed)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).map_err(failed)
}

/// Lets all read a tree.
pub(super) fn readable(root: &Path) -> Result<(), BuildError> {
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
pub(super) fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
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
