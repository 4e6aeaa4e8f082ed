//! What one run needs outside: directories, and the texts that it finds at fixed places.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{ArenaError, Run, io_error};
use crate::arena::launch::Bind;

/// What one run needs outside; removed when dropped.
pub(super) struct Slot {
    pub(super) directory: PathBuf,
}

impl Slot {
    /// Makes one.
    pub(super) fn make(parent: &Path) -> Result<Self, ArenaError> {
        let directory = parent.join(Uuid::new_v4().simple().to_string());
        let slot = Self { directory };
        for (name, mode) in [
            ("", 0o755),
            ("work", 0o755),
            ("told", 0o777),
            ("fixtures", 0o755),
        ] {
            let directory = slot.directory.join(name);
            let making = || io_error(format!("make {}", directory.display()));
            fs::create_dir(&directory).map_err(making())?;
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).map_err(making())?;
        }
        Ok(slot)
    }

    /// Returns a name that no other has.
    pub(super) fn name(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Returns what the run sees of the outside.
    pub(super) fn binds(&self, run: &Run<'_>) -> Result<Vec<Bind>, ArenaError> {
        let directories = |list: &[(PathBuf, &str)], writable| {
            list.iter()
                .map(|(from, to)| Bind {
                    from: from.clone(),
                    to: (*to).to_owned(),
                    writable,
                })
                .collect::<Vec<_>>()
        };
        let mut binds = directories(&run.reads, false);
        binds.extend(directories(&run.writes, true));
        let own = OWN_FIXTURES.map(|(path, text)| (path.to_owned(), text.to_owned()));
        for (nth, (path, text)) in own
            .iter()
            .map(|(a, b)| (a, b))
            .chain(run.fixtures)
            .enumerate()
        {
            let from = self.directory.join("fixtures").join(nth.to_string());
            fs::write(&from, text).map_err(io_error(format!("write {}", from.display())))?;
            fs::set_permissions(&from, fs::Permissions::from_mode(0o444))
                .map_err(io_error(format!("write {}", from.display())))?;
            binds.push(Bind {
                from,
                to: path.clone(),
                writable: false,
            });
        }
        Ok(binds)
    }
}

/// What programs look for in every system.
const OWN_FIXTURES: [(&str, &str); 3] = [
    (
        "/etc/passwd",
        "nobody:x:65534:65534:nobody:/arena:/bin/sh\n",
    ),
    ("/etc/group", "nogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost arena\n::1 localhost\n"),
];

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
