//! What one run needs outside: mount points, and the texts that it finds at fixed places.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{ArenaError, ServiceRun, io_error};
use crate::arena::launch::{Bind, CLIENT, SERVICE};
use crate::arena::surroundings::Surroundings;

/// What one run needs outside; removed when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) directory: PathBuf,
}

/// Below these a sandbox sees something else than the root that is made for it.
const COVERED: [&str; 12] = [
    "/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/proc/", "/dev/", "/tmp/",
    "/case/", "/target/", "/arena/",
];

impl Slot {
    /// Makes one.
    pub(super) fn make(parent: &Path) -> Result<Self, ArenaError> {
        let directory = parent.join(Uuid::new_v4().simple().to_string());
        let slot = Self { directory };
        for (name, mode) in [
            ("", 0o755),
            (CLIENT, 0o755),
            (SERVICE, 0o755),
            ("app", 0o755),
            ("told", 0o777),
            ("fixtures", 0o755),
            ("stage", 0o755),
            ("stage/client", 0o755),
            ("stage/service", 0o755),
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

    /// Returns the file by which the shell tells of a step.
    pub(super) fn told(&self, name: &str) -> PathBuf {
        self.directory.join("told").join(name)
    }

    /// Writes the texts that a sandbox finds, and returns what it sees of the outside beside them.
    pub(super) fn stage(
        &self,
        part: &str,
        surroundings: &Surroundings,
        reads: &[(PathBuf, &str)],
        fixtures: &BTreeMap<String, String>,
    ) -> Result<Vec<Bind>, ArenaError> {
        let bind = |(from, to): &(PathBuf, &str)| Bind {
            from: from.clone(),
            to: (*to).to_owned(),
        };
        let mut binds: Vec<Bind> = reads.iter().map(bind).collect();
        let root = self.directory.join("stage").join(part).join("root");
        let mut files = surroundings.files();
        files.extend(
            fixtures
                .iter()
                .map(|(path, text)| (path.clone(), text.clone())),
        );
        for (nth, (path, text)) in files.iter().enumerate() {
            if COVERED.iter().any(|above| path.starts_with(above)) {
                let from = self
                    .directory
                    .join("fixtures")
                    .join(format!("{part}-{nth}"));
                write(&from, text)?;
                binds.push(Bind {
                    from,
                    to: path.clone(),
                });
            } else {
                write(&root.join(path.trim_start_matches('/')), text)?;
            }
        }
        Ok(binds)
    }

    /// Writes what a service finds, and returns what it sees of the outside beside that.
    pub(super) fn beside(&self, service: &ServiceRun<'_>) -> Result<Vec<Bind>, ArenaError> {
        let work = self.directory.join("stage").join(SERVICE).join("work");
        for directory in &service.directories {
            let directory = work.join(directory);
            fs::create_dir_all(&directory)
                .map_err(io_error(format!("make {}", directory.display())))?;
        }
        for (path, text) in &service.files {
            write(&work.join(path), text)?;
        }
        self.stage(
            SERVICE,
            &service.surroundings,
            &service.reads,
            service.fixtures,
        )
    }
}

/// Writes a text that all may read, with the directories above it.
fn write(path: &Path, text: &str) -> Result<(), ArenaError> {
    let failed = || io_error(format!("write {}", path.display()));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed())?;
    }
    fs::write(path, text).map_err(failed())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(failed())
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
