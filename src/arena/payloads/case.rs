//! An exploit of a test's own, and single attacks on trees that a row has changed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::{Stage, readable_directory};
use crate::arena::attempt::{Attempt, Place, Seen};
use crate::arena::target::Tree;
use crate::exploit::{Condition, Drawn, Exploit, Seed};

/// How long most attacks are looked at after their end.
pub(super) const SHORT: Option<Duration> = Some(Duration::from_millis(10));

/// An exploit that stands in a directory of its own.
pub(super) struct Case {
    pub(super) exploit: Exploit,
    directory: TempDir,
}

impl Case {
    /// Returns one with these files; its description is the first.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let directory = readable_directory();
        write(directory.path(), files);
        Self {
            exploit: Exploit::read(directory.path()).unwrap(),
            directory,
        }
    }

    /// Returns what was drawn for a run that nobody has seen before.
    pub(super) fn draw(&self) -> Drawn {
        let seed = Seed::new(Uuid::new_v4().into_bytes());
        self.exploit.draw(&seed, "payload")
    }

    /// Tries its first variant once on a tree of these files.
    pub(super) fn attack(
        &self,
        stage: &Stage,
        tree: &[(&str, &str)],
        drawn: &Drawn,
        linger: Option<Duration>,
    ) -> Seen {
        let attack = &self.exploit.attack;
        let attempt = Attempt {
            means: &attack.means,
            variant: &attack.variants[0],
            condition: attack.matchers_condition,
            matchers: &attack.matchers,
            complete: attack.complete.as_ref(),
            steps: Condition::Or,
            linger,
        };
        let directory = readable_directory();
        write(directory.path(), tree);
        let place = Place {
            sandbox: &stage.sandbox,
            exploit: &self.exploit,
            case: self.directory.path(),
            tree: &Tree::at(directory.path()),
            keep: None,
        };
        place.attempt(&attempt, drawn).unwrap()
    }
}

/// Whether this is what was called blocked before anything was watched: it came to its end, and nothing was found.
pub(super) fn looks_blocked(seen: &Seen) -> bool {
    seen.complete && !seen.found
}

/// Writes files below a directory.
pub(super) fn write(directory: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
