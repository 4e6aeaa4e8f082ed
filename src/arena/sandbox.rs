//! Runs a shell line behind walls, alone or beside a service, and tells what it did.

mod session;
mod slot;
mod watch;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cgroup::{Bounds, Cgroups};
use super::claim::Claim;
use super::filter::{FilterError, filter};
use super::launch::{Beside, Inside, Launch};
use super::probe::Wall;
use super::surroundings::{ARENA, Surroundings};
use crate::exploit::Limits;
pub(super) use session::Session;
use slot::Slot;
pub use work::Work;

/// Identities of runs begin here where Crisol is root: above those of people, services and containers.
const FIRST_ID: u32 = 1_900_000_000;
/// How many runs can be told apart by their identities.
const IDS: u32 = 60_000_000;

/// How many runs of one wargame take place side by side, where the settings do not say.
const RUNS_AT_ONCE: NonZeroUsize = NonZeroUsize::new(2).unwrap();
/// How many runs may be taken down while others go on.
const MOST_LEAVING: usize = 8;

/// Where the arena stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxConfig {
    /// A directory of its own, for what runs need while they run; it must be readable by all.
    pub directory: PathBuf,
    /// bubblewrap, looked for among the system's programs if it has no slash.
    pub bwrap: PathBuf,
    /// How many runs of one wargame take place side by side; each may use what its exploit's limits say.
    pub runs_at_once: NonZeroUsize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            directory: std::env::temp_dir().join("crisol-arena"),
            bwrap: PathBuf::from("bwrap"),
            runs_at_once: RUNS_AT_ONCE,
        }
    }
}

/// The arena cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ArenaError {
    /// A file or a process could not be had.
    #[error("arena: {doing}: {error}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why not.
        error: io::Error,
    },
    /// The filter of system calls cannot be made.
    #[error("arena: {0}")]
    Filter(#[from] FilterError),
    /// A wall does not hold here.
    #[error(
        "arena: the wall \"{wall}\" does not hold on this machine, so nothing is run here: {said}"
    )]
    Wall {
        /// Which.
        wall: &'static str,
        /// What the probe printed, escaped.
        said: String,
    },
    /// The walls could not be built, so nothing was run.
    #[error("arena: the sandbox did not start: {0}")]
    NotStarted(String),
}

fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> ArenaError {
    let doing = doing.into();
    move |error| ArenaError::Io { doing, error }
}

/// Builds walls and runs things behind them.
#[derive(Debug)]
pub struct Sandbox {
    directory: PathBuf,
    claim: Claim,
    bwrap: PathBuf,
    filter: PathBuf,
    cgroups: Cgroups,
    is_root: bool,
    runs_at_once: NonZeroUsize,
    /// Threads that take walls down whose runs have ended.
    leaving: Mutex<VecDeque<JoinHandle<()>>>,
}

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// A shell line.
    pub line: &'a str,
    /// Its environment, beside `PATH`, `HOME`, `USER`, `LANG` and `TMPDIR`.
    pub environment: Vec<(String, String)>,
    /// Directories and files that it may read: from, and where it sees them.
    pub reads: Vec<(PathBuf, &'a str)>,
    /// Texts that stand at absolute paths.
    pub fixtures: &'a BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
}

/// A service that is attacked by a run, in a sandbox of its own beside that of the run; they share a loopback.
#[derive(Debug, Clone)]
pub(super) struct ServiceRun<'a> {
    /// A shell line that becomes the service.
    pub(super) line: &'a str,
    /// Its environment, beside `PATH`, `HOME`, `USER`, `LANG` and `TMPDIR`.
    pub(super) environment: Vec<(String, String)>,
    /// Directories and files that it may read.
    pub(super) reads: Vec<(PathBuf, &'a str)>,
    /// A tree that is copied for it, and where it stands.
    pub(super) tree: Option<(&'a Path, &'a str)>,
    /// Texts that stand at absolute paths.
    pub(super) fixtures: &'a BTreeMap<String, String>,
    /// Texts that stand in its work directory, by relative path.
    pub(super) files: BTreeMap<String, String>,
    /// Directories that stand there.
    pub(super) directories: Vec<String>,
    /// What it sees of its surroundings.
    pub(super) surroundings: Surroundings,
    /// It is ready once this port takes connections; the run begins then, or after so many seconds.
    pub(super) port: u16,
    pub(super) within_s: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, with a status; 128 and a signal's number if that ended it.
    Exited(i32),
    /// It was killed at its deadline.
    TimedOut,
    /// It was killed because it printed too much.
    TooMuchOutput,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// What it printed, cut at its limit.
    pub stdout: String,
    /// What it printed as errors, cut at its limit; a service beside it after that.
    pub stderr: String,
    /// How long it took, walls included.
    pub took: Duration,
    /// Which bounds it met.
    pub met: Vec<&'static str>,
}

impl Sandbox {
    /// Returns an arena whose walls have been tried from inside, which takes a second: one that does not hold them is
    /// never handed out.
    ///
    /// # Errors
    /// [`ArenaError::Wall`] if one does not hold on this machine; others if nothing can be run at all.
    pub fn open(config: &SandboxConfig) -> Result<Self, ArenaError> {
        let (sandbox, walls) = Self::tried(config)?;
        standing(&walls)?;
        Ok(sandbox)
    }

    /// Returns an arena and all of its walls, each tried from inside, whether they hold or not.
    ///
    /// # Errors
    /// [`ArenaError`] if nothing can be run at all.
    pub(super) fn tried(config: &SandboxConfig) -> Result<(Self, Vec<Wall>), ArenaError> {
        let sandbox = Self::unproven(config)?;
        let walls = super::probe::try_all(&sandbox)?;
        Ok((sandbox, walls))
    }

    /// Returns all walls of an arena on this machine, each tried from inside, which takes a second or two.
    ///
    /// # Errors
    /// [`ArenaError`] if nothing can be run at all.
    pub fn check(config: &SandboxConfig) -> Result<(Bounds, Vec<Wall>), ArenaError> {
        let (sandbox, walls) = Self::tried(config)?;
        Ok((sandbox.bounds(), walls))
    }

    /// Returns an arena whose walls nobody has tried yet.
    pub(super) fn unproven(config: &SandboxConfig) -> Result<Self, ArenaError> {
        let making = || io_error(format!("make {}", config.directory.display()));
        let claim = Claim::make(&config.directory).map_err(making())?;
        let directory = claim.directory().to_owned();
        let file = directory.join("filter");
        fs::write(&file, filter()?).map_err(making())?;
        let cgroups = Cgroups::probe(claim.name());
        cgroups.end_runs_of(claim.swept());
        Ok(Self {
            directory,
            claim,
            bwrap: config.bwrap.clone(),
            filter: file,
            cgroups,
            is_root: rustix::process::geteuid().is_root(),
            runs_at_once: config.runs_at_once,
            leaving: Mutex::default(),
        })
    }

    /// Returns a directory that goes with the arena.
    pub(super) fn scratch(&self) -> &Path {
        &self.directory
    }

    /// Whether runs have another identity than this process.
    pub(super) fn drops_root(&self) -> bool {
        self.is_root
    }

    /// Returns how many runs of one wargame take place side by side.
    pub(super) fn runs_at_once(&self) -> usize {
        self.runs_at_once.get()
    }

    /// Takes the walls of a run down that has ended, beside what comes next: removing mounts and control groups waits for
    /// the kernel, not for a processor.
    pub(super) fn leave(&self, session: Session) {
        let mut leaving = self.leaving.lock();
        leaving.retain(|thread| !thread.is_finished());
        leaving.push_back(thread::spawn(move || drop(session)));
        let oldest = (leaving.len() > MOST_LEAVING).then(|| leaving.pop_front());
        drop(leaving);
        if let Some(thread) = oldest.flatten() {
            let _ = thread.join();
        }
    }

    /// Returns what bounds runs.
    pub fn bounds(&self) -> Bounds {
        self.cgroups.bounds()
    }

    /// Runs a line and returns what it did, and what `look` makes of its work directory once all of it has ended.
    ///
    /// # Errors
    /// [`ArenaError`] if the walls could not be built; what the run itself does is never an error.
    pub fn run<T>(
        &self,
        run: &Run<'_>,
        look: impl FnOnce(&Ran, &Work) -> T,
    ) -> Result<(Ran, T), ArenaError> {
        let mut session = self.start(run, None)?;
        let ran = session.finish()?;
        let seen = look(&ran, session.work());
        Ok((ran, seen))
    }

    /// Builds the walls of a run, and of a service beside it, and returns it before anything foreign has begun.
    ///
    /// # Errors
    /// [`ArenaError`] if the walls could not be built.
    pub(super) fn start(
        &self,
        run: &Run<'_>,
        service: Option<&ServiceRun<'_>>,
    ) -> Result<Session, ArenaError> {
        let slot = Slot::make(&self.directory)?;
        let own = Surroundings::drawn(ARENA);
        let binds = slot.stage(super::launch::CLIENT, &own, &run.reads, run.fixtures)?;
        let beside = service.map(|service| slot.beside(service)).transpose()?;
        let first_id = self.is_root.then(|| {
            let (random, _) = Uuid::new_v4().as_u64_pair();
            FIRST_ID + u32::try_from(random % u64::from(IDS)).unwrap_or(0) * 4
        });
        let launch = Launch {
            slot: &slot.directory,
            filter: &self.filter,
            bwrap: &self.bwrap,
            limits: run.limits,
            by_process: self.cgroups.bounds() == Bounds::Rlimits,
            first_id,
            service: beside
                .map(|binds| (service, binds))
                .and_then(|(service, binds)| {
                    let service = service?;
                    Some(Beside {
                        inside: Inside {
                            binds,
                            environment: &service.environment,
                            surroundings: &service.surroundings,
                            line: service.line,
                        },
                        tree: service.tree,
                        port: service.port,
                        within_s: service.within_s,
                    })
                }),
            inside: Inside {
                binds,
                environment: &run.environment,
                surroundings: &own,
                line: run.line,
            },
        };
        // Memory for what the line uses beside what it may leave behind; the shells and bubblewrap's own processes count
        // too.
        let memory = (run.limits.memory_mb + run.limits.work_mb) << 20;
        let group = self
            .cgroups
            .group(&slot.name(), memory, run.limits.pids + 8)
            .map_err(io_error("make control groups"))?;
        let child = launch
            .command()
            .spawn()
            .map_err(io_error("start setpriv, prlimit, unshare or bash"))?;
        Session::begin(child, slot, group, run.limits, first_id, service.is_some())
    }
}

/// Checks that all walls hold.
///
/// # Errors
/// [`ArenaError::Wall`] for the first that does not.
pub(super) fn standing(walls: &[Wall]) -> Result<(), ArenaError> {
    match walls.iter().find(|wall| !wall.holds) {
        Some(Wall { name, said, .. }) => Err(ArenaError::Wall {
            wall: name,
            said: said.clone(),
        }),
        None => Ok(()),
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for thread in self.leaving.get_mut().drain(..) {
            let _ = thread.join();
        }
        self.cgroups.remove_parents();
        tracing::trace!(directory = %self.claim.directory().display(), "arena closed");
    }
}
