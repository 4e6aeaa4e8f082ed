//! A replica of the service, as a process that may be killed.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Stream, crisol};
use crate::fixture::Process;

static LOGS: AtomicU32 = AtomicU32::new(0);

/// A running `crisol run` of one role.
pub struct Replica {
    pub process: Process,
}

impl Replica {
    /// Starts a replica with further settings in its environment.
    pub fn start(stream: &Stream, instance: &str, environment: &[(&str, &str)]) -> Self {
        Self::of_role("validate", stream, instance, environment)
    }

    /// Starts a replica of another role.
    pub fn of_role(
        role: &str,
        stream: &Stream,
        instance: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = crisol();
        command
            .args(["run", "--role", role])
            .envs(stream.environment(instance))
            .envs(environment.iter().copied());
        let number = LOGS.fetch_add(1, Ordering::Relaxed);
        let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("replicas");
        std::fs::create_dir_all(&directory).unwrap();
        let log = directory.join(format!("{}-{number}-{instance}.log", std::process::id()));
        Self {
            process: Process::spawn(command, &log),
        }
    }

    /// Waits until it has taken its partitions on.
    pub fn wait_assigned(&mut self) {
        self.process
            .wait_for_line("assigned", 0, Duration::from_secs(60))
            .expect("the replica was never assigned");
    }

    /// The partitions it owns, as its log tells since byte `from`; `None` if it says nothing of them.
    pub fn owned(&self, from: usize) -> Option<Vec<i32>> {
        let log = self.process.log();
        let line = log.get(from..)?.lines().rev().find(|line| {
            line.contains("assigned partitions=") || line.contains("revoked given_up=")
        })?;
        let list = line.rsplit("partitions=[").next()?.strip_suffix(']')?;
        let numbers = list.split(", ").filter(|number| !number.is_empty());
        Some(numbers.map(|number| number.parse().unwrap()).collect())
    }

    /// `Ok` once its log says `needle` past byte `from`; else what it does say.
    pub fn says(&self, needle: &str, from: usize) -> Result<(), String> {
        let log = self.process.log();
        if log.get(from..).is_some_and(|fresh| fresh.contains(needle)) {
            return Ok(());
        }
        Err(format!("'{needle}' in\n{}", self.process.log_tail()))
    }

    /// Where its sidecar listens.
    pub fn http(&mut self) -> String {
        self.process
            .wait_for_line("sidecar listening", 0, Duration::from_secs(30))
            .expect("the sidecar never listened");
        let log = self.process.log();
        let line = log
            .lines()
            .find(|line| line.contains("sidecar listening"))
            .unwrap();
        // `address=127.0.0.1:1234` in text, `"address":"127.0.0.1:1234"` in JSON.
        let (_, rest) = line.split_once("address").unwrap();
        let rest = rest.trim_start_matches(['=', '"', ':']);
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ':'));
        rest[..end.unwrap_or(rest.len())].to_owned()
    }

    /// Stops it in good order; panics unless it exits with 0.
    pub fn stop(mut self) {
        let status: ExitStatus = self.process.terminate(Duration::from_secs(30));
        assert!(status.success(), "{status}\n{}", self.process.log_tail());
    }
}
