//! A run under way: its walls stand, its work directory can be watched, and it ends with this value.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::slot::Slot;
use super::watch::{Pipe, Told, Watched, exit_of, kill_inside, read_on};
use super::{ArenaError, Ran, Work, io_error};
use crate::arena::cgroup::Group;
use crate::arena::launch::{CLIENT, SERVICE};
use crate::event::codec::printable;
use crate::exploit::Limits;

/// The longest that a killed run may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// The longest that walls may take to stand; a busy machine takes a fraction of it.
const BUILT_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked whether a step of the shell is done.
const STEP: Duration = Duration::from_micros(300);
/// The most that is told of what a service printed, in bytes.
const LOG_BYTES: u64 = 16 << 10;

/// A run under way.
///
/// ```text
/// begin: walls stand, nothing foreign runs → finish: the line has ended, a service beside it still runs
///     → end_service: all has ended → drop: mounts, control groups and directories are gone
/// ```
#[derive(Debug)]
pub(in crate::arena) struct Session {
    child: Child,
    work: Work,
    told: Receiver<Told>,
    began: Instant,
    limits: Limits,
    has_service: bool,
    group: Group,
    slot: Slot,
}

impl Session {
    /// Puts a launched shell into its bounds and waits until the work directories stand.
    pub(super) fn begin(
        mut child: Child,
        slot: Slot,
        group: Group,
        limits: Limits,
        first_id: Option<u32>,
        has_service: bool,
    ) -> Result<Self, ArenaError> {
        let began = Instant::now();
        let most = (limits.output_kb << 10) as usize;
        let (tell, told) = channel();
        let pipes = [
            child.stdout.take().map(Pipe::Out),
            child.stderr.take().map(Pipe::Err),
        ];
        for (which, pipe) in pipes.into_iter().flatten().enumerate() {
            read_on(pipe, which, most, tell.clone());
        }
        let mut session = Self {
            child,
            work: Work {
                directory: None,
                limits,
            },
            told,
            began,
            limits,
            has_service,
            group,
            slot,
        };
        let pid = session.child.id();
        session
            .group
            .admit(pid)
            .map_err(io_error("enter control groups"))?;
        if let Some(first) = first_id {
            session.map_identities(first)?;
        }
        session.say("start the sandbox")?;
        let ready = session.slot.told("ready");
        if !session.comes(&ready, BUILT_WITHIN) {
            return Err(session.not_started());
        }
        let part = if has_service { SERVICE } else { CLIENT };
        let work = session.slot.directory.join(part).join("work");
        session.work = Work::of(pid, &work, limits);
        Ok(session)
    }

    /// Returns the work directory: the service's where there is one, the line's where not.
    pub(in crate::arena) fn work(&self) -> &Work {
        &self.work
    }

    /// Starts the service, if there is one, and then the line, and waits for the line's end.
    ///
    /// # Errors
    /// [`ArenaError`] if it could not be started; what the run itself does is never an error.
    pub(in crate::arena) fn finish(&mut self) -> Result<Ran, ArenaError> {
        let deadline = Instant::now() + Duration::from_secs(self.limits.time_s);
        self.say("start the run")?;
        let status = self.slot.told(CLIENT);
        let mut watched = Watched::default();
        let killed = watched.wait(&self.told, deadline);
        if killed.is_some() {
            watched.killed = killed;
            kill_inside(&status);
            if watched
                .wait(&self.told, Instant::now() + GONE_WITHIN)
                .is_some()
            {
                // The walls fall with the shell that holds them.
                let _ = self.child.kill();
                let _ = watched.wait(&self.told, Instant::now() + GONE_WITHIN);
            }
        }
        watched.took = self.began.elapsed();
        watched.exit = exit_of(&status);
        if watched.exit.is_none() && watched.killed.is_none() {
            let text = String::from_utf8_lossy(&watched.stderr).into_owned();
            return Err(ArenaError::NotStarted(printable(text.trim())));
        }
        if self.has_service {
            watched.stderr.extend(self.log());
        }
        Ok(watched.ran(self.limits, self.group.met()))
    }

    /// Returns whether the service beside the line has ended by itself.
    pub(in crate::arena) fn service_has_ended(&self) -> bool {
        self.has_service && exit_of(&self.slot.told(SERVICE)).is_some()
    }

    /// Ends the service beside the line; from then on nothing in the work directory changes any more.
    pub(in crate::arena) fn end_service(&mut self) {
        if self.has_service && self.say("end the service").is_ok() {
            let ended = self.slot.told("ended");
            self.comes(&ended, GONE_WITHIN);
        }
    }

    /// Returns the numbers of the processes of the run that have another identity than the shell that holds it, as far
    /// as its control group tells.
    pub(in crate::arena) fn processes(&self) -> Vec<u32> {
        self.group.processes()
    }

    /// Maps the identities of the run into its namespace: the shell's, the service's, the line's.
    fn map_identities(&self, first: u32) -> Result<(), ArenaError> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let namespace = |process: &Path| fs::read_link(process.join("ns/user")).ok();
        let own = namespace(Path::new("/proc/self"));
        let end = Instant::now() + BUILT_WITHIN;
        while namespace(&process) == own {
            if Instant::now() > end {
                break;
            }
            thread::sleep(STEP);
        }
        for map in ["uid_map", "gid_map"] {
            fs::write(process.join(map), format!("0 {first} 3\n"))
                .map_err(io_error("map the identities of a run"))?;
        }
        Ok(())
    }

    /// Lets the shell take its next step.
    fn say(&mut self, doing: &str) -> Result<(), ArenaError> {
        match &mut self.child.stdin {
            Some(stdin) => stdin.write_all(b"go\n").map_err(io_error(doing)),
            None => Err(io_error(doing)(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Waits until the shell has made a file, for so long.
    fn comes(&mut self, file: &Path, within: Duration) -> bool {
        let end = Instant::now() + within;
        while !file.exists() {
            if Instant::now() > end || matches!(self.child.try_wait(), Ok(Some(_))) {
                return file.exists();
            }
            thread::sleep(STEP);
        }
        true
    }

    fn not_started(&mut self) -> ArenaError {
        let _ = self.child.kill();
        let mut watched = Watched::default();
        let _ = watched.wait(&self.told, Instant::now() + GONE_WITHIN);
        let text = String::from_utf8_lossy(&watched.stderr).into_owned();
        ArenaError::NotStarted(printable(text.trim()))
    }

    /// Returns the beginning of what the service printed.
    fn log(&self) -> Vec<u8> {
        let path = self.slot.directory.join(SERVICE).join("log");
        let path = path.strip_prefix("/").unwrap_or(&path);
        let seen = format!("/proc/{}/root", self.child.id());
        let mut text = Vec::new();
        if let Ok(file) = fs::File::open(Path::new(&seen).join(path)) {
            let _ = file.take(LOG_BYTES).read_to_end(&mut text);
        }
        text
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // With its input closed the shell ends, and its mounts with it; one that is stuck is killed, and all with it.
        drop(self.child.stdin.take());
        let end = Instant::now() + GONE_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            thread::sleep(STEP);
        }
    }
}
