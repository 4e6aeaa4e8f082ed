//! Runs a shell line behind walls, and tells what it did.

mod slot;
mod watch;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use serde::{Deserialize, Serialize};

use super::cgroup::{Bounds, Cgroups, Group};
use super::claim::Claim;
use super::filter::{FilterError, filter};
use super::launch::{Launch, Places, inodes};
use super::trees::{self, Most, Otherwise};
use crate::exploit::Limits;
use slot::Slot;
use watch::{Pipe, Watched, exit_of, kill_inside, read_on};

/// The longest that a killed run may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// The most that is read of a file that a run left behind, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Where the arena stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxConfig {
    /// A directory of its own, for what runs need while they run; it must be readable by all.
    pub directory: PathBuf,
    /// bubblewrap, looked for among the system's programs if it has no slash.
    pub bwrap: PathBuf,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            directory: std::env::temp_dir().join("crisol-arena"),
            bwrap: PathBuf::from("bwrap"),
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
    _claim: Claim,
    bwrap: PathBuf,
    filter: PathBuf,
    cgroups: Cgroups,
    is_root: bool,
}

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// A shell line.
    pub line: &'a str,
    /// Its environment, beside `PATH`, `HOME`, `LANG` and `TMPDIR`.
    pub environment: Vec<(String, String)>,
    /// Directories that it may read: from, and where it sees them.
    pub reads: Vec<(PathBuf, &'a str)>,
    /// Directories that it may write to.
    pub writes: Vec<(PathBuf, &'a str)>,
    /// Texts that stand at absolute paths.
    pub fixtures: &'a BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
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
    /// What it printed as errors, cut at its limit.
    pub stderr: String,
    /// How long it took, walls included.
    pub took: Duration,
    /// Which bounds it met.
    pub met: Vec<&'static str>,
}

/// The work directory of a run that has ended.
#[derive(Debug)]
pub struct Work {
    directory: Option<File>,
    limits: Limits,
}

impl Work {
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
}

impl Work {
    /// Opens something that the run left behind, without following a link.
    ///
    /// # Errors
    /// If there is no such thing.
    pub(super) fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
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

impl Sandbox {
    /// Returns an arena whose walls have been tried from inside, which takes a second: one that does not hold them is
    /// never handed out.
    ///
    /// # Errors
    /// [`ArenaError::Wall`] if one does not hold on this machine; others if nothing can be run at all.
    pub fn open(config: &SandboxConfig) -> Result<Self, ArenaError> {
        let making = || io_error(format!("make {}", config.directory.display()));
        let claim = Claim::make(&config.directory).map_err(making())?;
        let directory = claim.directory().to_owned();
        let file = directory.join("filter");
        fs::write(&file, filter()?).map_err(making())?;
        let sandbox = Self {
            directory,
            _claim: claim,
            bwrap: config.bwrap.clone(),
            filter: file,
            cgroups: Cgroups::probe(),
            is_root: rustix::process::geteuid().is_root(),
        };
        super::probe::prove(&sandbox)?;
        Ok(sandbox)
    }

    /// Returns a directory that goes with the arena.
    pub(super) fn scratch(&self) -> &Path {
        &self.directory
    }

    /// Whether runs have another identity than this process.
    pub(super) fn drops_root(&self) -> bool {
        self.is_root
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
        let slot = Slot::make(&self.directory)?;
        let binds = slot.binds(run)?;
        let by_process = self.cgroups.bounds() == Bounds::Rlimits;
        let status = slot.directory.join("told").join("status");
        let launch = Launch {
            places: Places {
                work: &slot.directory.join("work"),
                filter: &self.filter,
                status: &status,
            },
            bwrap: &self.bwrap,
            limits: run.limits,
            by_process,
            drop_root: self.is_root,
            binds: &binds,
            environment: &run.environment,
            line: run.line,
        };
        // Memory for what the line uses beside what it may leave behind.
        let memory = (run.limits.memory_mb + run.limits.work_mb) << 20;
        let name = slot.name();
        // The shell, unshare's and bubblewrap's own processes count too.
        let group = self
            .cgroups
            .group(&name, memory, run.limits.pids + 4)
            .map_err(io_error("make control groups"))?;
        let began = Instant::now();
        let mut child = launch
            .command()
            .spawn()
            .map_err(io_error("start setpriv, prlimit, unshare or bash"))?;
        let watched = self.watch(&mut child, run, &group, &status, began);
        let result = watched.map(|watched| {
            let work = slot.directory.join("work").join("arena");
            let work = Work::of(child.id(), &work, run.limits);
            let ran = watched.ran(run.limits, group.met());
            let seen = look(&ran, &work);
            (ran, seen)
        });
        // With its input closed the shell ends, and its mounts with it.
        drop(child.stdin.take());
        if result.is_err() {
            let _ = child.kill();
        }
        let _ = child.wait();
        result
    }

    fn watch(
        &self,
        child: &mut Child,
        run: &Run<'_>,
        group: &Group,
        status: &Path,
        began: Instant,
    ) -> Result<Watched, ArenaError> {
        let deadline = began + Duration::from_secs(run.limits.time_s);
        let most = (run.limits.output_kb << 10) as usize;
        let (tell, told) = channel();
        for (which, pipe) in [
            child.stdout.take().map(Pipe::Out),
            child.stderr.take().map(Pipe::Err),
        ]
        .into_iter()
        .flatten()
        .enumerate()
        {
            read_on(pipe, which, most, tell.clone());
        }
        group
            .admit(child.id())
            .map_err(io_error("enter control groups"))?;
        if let Some(stdin) = &mut child.stdin {
            stdin
                .write_all(b"go\n")
                .map_err(io_error("start the sandbox"))?;
        }
        let mut watched = Watched::default();
        let killed = watched.wait(&told, deadline);
        if killed.is_some() {
            watched.killed = killed;
            kill_inside(status);
            if watched.wait(&told, Instant::now() + GONE_WITHIN).is_some() {
                // The walls fall with the shell that holds them.
                let _ = child.kill();
                let _ = watched.wait(&told, Instant::now() + GONE_WITHIN);
            }
        }
        watched.took = began.elapsed();
        watched.exit = exit_of(status);
        if watched.exit.is_none() && watched.killed.is_none() {
            let text = String::from_utf8_lossy(&watched.stderr).into_owned();
            return Err(ArenaError::NotStarted(crate::event::codec::printable(
                text.trim(),
            )));
        }
        Ok(watched)
    }
}

impl Work {
    /// Returns the work directory as the shell `pid` sees it.
    fn of(pid: u32, path: &Path, limits: Limits) -> Self {
        let seen = Path::new("/proc").join(pid.to_string()).join("root");
        let path = path.strip_prefix("/").unwrap_or(path);
        Self {
            directory: File::open(seen.join(path)).ok(),
            limits,
        }
    }
}
