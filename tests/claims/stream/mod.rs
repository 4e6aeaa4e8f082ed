//! A stream under test: topics of its own, replicas that may die, a feeder and a reader.

#![allow(
    dead_code,
    unused_imports,
    reason = "each binary uses its own part of the harness"
)]

mod feeder;
mod http;
mod load;
mod reader;
mod replica;
mod snapshot;

use std::process::Command;
use std::time::{Duration, Instant};

use crate::fixture::{Console, guarded, prefix, run};
use crate::oracle::{Report, TableRecord, World};

pub use feeder::Feeder;
pub use http::{figure, get, request};
pub use load::Load;
pub use reader::Reader;
pub use replica::Replica;
pub use snapshot::{Place, Told, all_of, snapshot};

/// Partitions of `patches`, as of `decisions` and `hitl`.
pub const PARTITIONS: i32 = 6;
/// How long outcomes may take after the last event was fed.
const SETTLE_LIMIT: Duration = Duration::from_secs(300);

/// Topics under a prefix of their own on some cluster.
pub struct Stream {
    bootstrap: String,
    prefix: String,
    settings: Vec<(String, String)>,
}

impl Stream {
    /// Creates the topics with `crisol topics apply`.
    pub fn create(bootstrap: &str, name: &str) -> Self {
        Self::create_with(bootstrap, name, &[])
    }

    /// The same, with settings that every `crisol` of this stream gets by its environment.
    pub fn create_with(bootstrap: &str, name: &str, settings: &[(&str, &str)]) -> Self {
        let stream = Self {
            bootstrap: bootstrap.to_owned(),
            prefix: format!("{}.", prefix(name)),
            settings: settings
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        };
        stream.crisol(&["topics", "apply"]);
        stream
    }

    /// Runs a command of `crisol` to its end and returns what it printed; panics if it fails.
    pub fn crisol(&self, arguments: &[&str]) -> String {
        let mut command = crisol();
        command.args(arguments).envs(self.environment("tool"));
        let output = run(command, b"", Duration::from_secs(60));
        assert!(
            output.status.success(),
            "crisol {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The environment of a `crisol` of this stream.
    pub fn environment(&self, instance: &str) -> Vec<(String, String)> {
        let mut environment: Vec<(String, String)> = [
            ("KAFKA_BROKERS", self.bootstrap.as_str()),
            ("CRISOL_TOPIC_PREFIX", &self.prefix),
            ("CRISOL_GROUP_ID", &format!("{}group", self.prefix)),
            ("CRISOL_INSTANCE_ID", instance),
            ("CRISOL_HTTP_LISTEN", "127.0.0.1:0"),
            ("CRISOL_SECRET_KEY", "a key for the claims, not for service"),
            // The oracle knows no forest: claims of it switch it on.
            ("CRISOL_MODEL_ENABLED", "false"),
            // Nor exploits.
            ("CRISOL_EXPLOITS_DIRECTORY", "no-exploits-here"),
            ("LOG_LEVEL", "info"),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
        environment.extend(self.settings.iter().cloned());
        environment
    }

    /// The full name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The consumer group of the stream's replicas.
    pub fn group(&self) -> String {
        format!("{}group", self.prefix)
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kafka's own tools on this stream's brokers.
    pub fn console(&self) -> Console {
        Console::new(&self.bootstrap)
    }

    /// A producer into this stream.
    pub fn feeder(&self) -> Feeder {
        Feeder::new(self)
    }

    /// A `read_committed` reader of everything that comes out.
    pub fn reader(&self) -> Reader {
        Reader::new(self)
    }

    /// Starts a replica.
    pub fn replica(&self, instance: &str) -> Replica {
        Replica::start(self, instance, &[])
    }

    /// Writes the world's vulnerabilities and settings.
    pub fn publish(&self, world: &World) {
        let feeder = self.feeder();
        let send = |topic: &str, record: &TableRecord| {
            feeder.send(
                &self.topic(topic),
                Some(record.key.as_bytes()),
                record.value.as_deref(),
                &[],
            );
        };
        for record in &world.apv {
            send("apv", record);
        }
        for record in &world.control {
            send("control", record);
        }
        feeder.flush();
    }
}

/// The binary under test, without the variables that steer the tests: it refuses settings it does not know.
pub fn crisol() -> Command {
    let mut command = guarded(env!("CARGO_BIN_EXE_crisol"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CRISOL_")) {
        command.env_remove(name);
    }
    for name in ["REDIS_URL", "AB_TEST_RATE", "AB_TESTING_ENABLED"] {
        command.env_remove(name);
    }
    command
}

/// Reads until nothing is outstanding; panics with the account after five minutes.
pub fn settle(reader: &mut Reader) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    while reader.account.outstanding() > 0 {
        assert!(
            Instant::now() < deadline,
            "{} events are still outstanding\n{}",
            reader.account.outstanding(),
            reader.account.verdict()
        );
        reader.read_for(Duration::from_millis(200));
    }
}

/// The first line of a report: how many were lost, came twice and so on.
pub fn in_short(report: &Report) -> String {
    let text = report.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}
