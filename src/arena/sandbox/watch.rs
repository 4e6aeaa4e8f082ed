//! Watches a run: reads what it prints, waits for its end, and reads what bubblewrap tells of it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::{Ended, Ran};
use crate::exploit::Limits;

/// What the threads that read a run's output tell.
pub(super) enum Told {
    Ended { which: usize, text: Vec<u8> },
    Overflowed,
}

/// What was seen of a run so far.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    ended: [bool; 2],
    pub(super) killed: Option<Ended>,
    pub(super) exit: Option<i32>,
    pub(super) took: Duration,
}

impl Watched {
    /// Waits until both outputs have ended; returns why it must be killed, if it must.
    pub(super) fn wait(&mut self, told: &Receiver<Told>, deadline: Instant) -> Option<Ended> {
        while self.ended != [true, true] {
            let left = deadline.saturating_duration_since(Instant::now());
            match told.recv_timeout(left) {
                Ok(Told::Ended { which, text }) => {
                    let kept = if which == 0 {
                        &mut self.stdout
                    } else {
                        &mut self.stderr
                    };
                    *kept = text;
                    if let Some(ended) = self.ended.get_mut(which) {
                        *ended = true;
                    }
                }
                Ok(Told::Overflowed) => return Some(Ended::TooMuchOutput),
                Err(RecvTimeoutError::Timeout) => return Some(Ended::TimedOut),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }

    /// Returns what it was.
    pub(super) fn ran(self, limits: Limits, mut met: Vec<&'static str>) -> Ran {
        let ended = self
            .killed
            .unwrap_or(Ended::Exited(self.exit.unwrap_or(-1)));
        match ended {
            Ended::TimedOut => met.push("time"),
            Ended::TooMuchOutput => met.push("output"),
            Ended::Exited(_) => {}
        }
        let most = (limits.output_kb << 10) as usize;
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes)).into_owned();
        Ran {
            ended,
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            took: self.took,
            met,
        }
    }
}

/// An output of a run.
pub(super) enum Pipe {
    Out(std::process::ChildStdout),
    Err(std::process::ChildStderr),
}

/// Reads an output to its end, keeps as much as may be kept, and says so when there is more.
pub(super) fn read_on(pipe: Pipe, which: usize, most: usize, tell: Sender<Told>) {
    thread::spawn(move || {
        let mut pipe: Box<dyn Read> = match pipe {
            Pipe::Out(out) => Box::new(out),
            Pipe::Err(err) => Box::new(err),
        };
        let mut text = Vec::new();
        let mut block = [0; 8_192];
        while let Ok(n @ 1..) = pipe.read(&mut block) {
            let room = most.saturating_sub(text.len());
            let kept = block.get(..n.min(room)).unwrap_or_default();
            text.extend_from_slice(kept);
            if kept.len() < n {
                // Nobody listens any more once the run is given up.
                let _ = tell.send(Told::Overflowed);
            }
        }
        let _ = tell.send(Told::Ended { which, text });
    });
}

/// What bubblewrap tells of a run: the process that holds all others, and how it ended.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    child_pid: Option<i32>,
    exit_code: Option<i32>,
}

fn statuses(file: &Path) -> Vec<Status> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = serde_json::Deserializer::from_str(&text).into_iter();
    lines.map_while(Result::ok).collect()
}

/// Returns the status of a run that has ended by itself.
pub(super) fn exit_of(file: &Path) -> Option<i32> {
    statuses(file).iter().find_map(|status| status.exit_code)
}

/// Kills the first process of the sandbox; the kernel ends all others with it.
pub(super) fn kill_inside(file: &Path) {
    let first = statuses(file).iter().find_map(|status| status.child_pid);
    if let Some(pid) = first.and_then(Pid::from_raw) {
        // It may have ended by itself since.
        let _ = kill_process(pid, Signal::KILL);
    }
}
