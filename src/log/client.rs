//! How clients are configured: one place for every option that a promise hangs on.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::{Deserialize, Serialize};
use tracing::{debug, error, info, warn};

use crate::config::Secret;
use crate::event::codec::printable;
use crate::log::error::is_outage;

/// How the group hands out partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssignmentStrategy {
    /// Eager, by ranges: every rebalance stops the group for a moment; the simplest to reason about.
    Range,
    /// Incremental: partitions that stay are never stopped.
    CooperativeSticky,
}

/// Where Kafka is and how to speak with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Bootstrap servers, `host:port[,host:port]`.
    pub brokers: String,
    /// The consumer group, and the head of every transactional id.
    pub group_id: String,
    /// Names this replica; stable across restarts, unique in the group.
    pub instance_id: String,
    /// What every topic's name begins with, with its separator.
    pub topic_prefix: String,
    /// How partitions are handed out.
    pub assignment_strategy: AssignmentStrategy,
    /// Options handed to librdkafka by its own names, such as `security.protocol`. Those that a
    /// promise hangs on cannot be set here. Values may be secrets, so dumps redact them.
    pub client: BTreeMap<String, Secret>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            group_id: "crisol".to_owned(),
            instance_id: "crisol-0".to_owned(),
            topic_prefix: "maximus.adaptive-immunity.".to_owned(),
            assignment_strategy: AssignmentStrategy::Range,
            client: BTreeMap::new(),
        }
    }
}

/// Options that `[kafka.client]` must not touch, because a promise hangs on them: mostly exactly-once.
const RESERVED: &[&str] = &[
    "bootstrap.servers",
    "group.id",
    "group.instance.id",
    "transactional.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "isolation.level",
    "acks",
    "partitioner",
    "enable.partition.eof",
    "auto.offset.reset",
    "transaction.timeout.ms",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "session.timeout.ms",
    "partition.assignment.strategy",
    "group.protocol",
    "allow.auto.create.topics",
];

/// The longest a dead replica stays a member of the group.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest a record waits for its acknowledgement; shorter than a transaction.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest a transaction stays open: what a dead replica left blocks readers no longer than this.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest record the client sends, before compression: room for a dead letter with headers.
pub const MAX_OUTPUT_BYTES: usize = /* 3.5 MiB */ 3_584 * 1_024;

/// Why a Kafka configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKafkaConfig {
    /// A field is empty.
    #[error("kafka.{0} is empty")]
    Empty(&'static str),
    /// A reserved option is set.
    #[error("kafka.client must not set {0}: a promise depends on it")]
    Reserved(String),
}

/// The role whose group has the plain name.
const FIRST_ROLE: &str = "validate";

impl KafkaConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`InvalidKafkaConfig`] names the field.
    pub fn validate(&self) -> Result<(), InvalidKafkaConfig> {
        for (name, value) in [
            ("brokers", &self.brokers),
            ("group_id", &self.group_id),
            ("instance_id", &self.instance_id),
        ] {
            if value.is_empty() {
                return Err(InvalidKafkaConfig::Empty(name));
            }
        }
        match self
            .client
            .keys()
            .find(|key| RESERVED.contains(&key.as_str()))
        {
            Some(key) => Err(InvalidKafkaConfig::Reserved(key.clone())),
            None => Ok(()),
        }
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.client {
            config.set(key, value.expose());
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set(
                "client.id",
                format!("{}.{}", self.group_id, self.instance_id),
            )
            // Brokers create what a client asks for or sends to, their own way, unless it says otherwise: one
            // partition, and records that go by age. No client here ever makes a topic but by saying so.
            .set("allow.auto.create.topics", "false")
            // A broker that comes back should be found at once, not after the default 10 s.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("topic.metadata.refresh.interval.ms", "30000")
            // Nobody asked for figures to be pushed to the brokers (KIP-714); whoever wants them scrapes
            // them. In librdkafka 2.12.1 that machinery also reads its broker without the lock under which
            // a broker that fails takes itself out.
            .set("enable.metrics.push", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// Returns the group of a role. Each has its own: a worker that comes or goes must not make another role's
    /// replicas divide their partitions anew.
    pub fn group_of(&self, role: &str) -> String {
        if role == FIRST_ROLE {
            self.group_id.clone()
        } else {
            [&self.group_id, ".", role].concat()
        }
    }

    /// Returns the configuration of a role's group consumer.
    pub fn group_consumer(&self, role: &str) -> ClientConfig {
        let strategy = match self.assignment_strategy {
            AssignmentStrategy::Range => "range",
            AssignmentStrategy::CooperativeSticky => "cooperative-sticky",
        };
        let mut config = self.base();
        config
            .set("group.id", self.group_of(role))
            .set("group.instance.id", format!("{role}.{}", self.instance_id))
            .set(
                "session.timeout.ms",
                SESSION_TIMEOUT.as_millis().to_string(),
            )
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", "60000")
            .set("partition.assignment.strategy", strategy)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "100")
            // Fetched and not yet taken; bounds memory whatever the number of partitions.
            .set("queued.min.messages", "20000")
            .set("queued.max.messages.kbytes", /* 16 MiB */ "16384")
            // Batches are inflated whole as they come in, gzip up to a thousandfold. What one answer of a
            // broker may hold bounds how many bombs come at once: one, of the topic's max.message.bytes.
            .set("fetch.max.bytes", /* 1 MiB */ "1048576")
            // A full queue is looked at again before it is empty; the default of a second starves a
            // busy engine between two fetches.
            .set("fetch.queue.backoff.ms", "50")
            .set(
                "fetch.message.max.bytes",
                /* 1 MiB a partition */ "1048576",
            )
            .set("statistics.interval.ms", "1000");
        config
    }

    /// Returns the configuration of a consumer that tails a whole topic without a group.
    ///
    /// The group id is set because librdkafka needs one to hand out records; it is never joined and
    /// nothing is committed under it.
    pub fn table_consumer(&self, topic: &str) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", format!("{}.table.{topic}", self.group_id))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            // As the engine's: a table that starts is read as fast as it can be, not a queue a second.
            .set("fetch.queue.backoff.ms", "50")
            .set("queued.min.messages", "5000")
            .set("queued.max.messages.kbytes", /* 4 MiB */ "4096")
            .set("fetch.message.max.bytes", "524288");
        config
    }

    /// Returns the configuration of a client that only asks for offsets and metadata.
    pub fn query_client(&self, isolation: &str) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", format!("{}.query", self.group_id))
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation);
        config
    }

    /// Returns the configuration of a role's transactional producer.
    pub fn transactional_producer(&self, role: &str) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", self.transactional_id(role))
            // A commit tells that everything was delivered; a report of each record would say it again.
            .set("delivery.report.only.error", "true")
            .set(
                "transaction.timeout.ms",
                TRANSACTION_TIMEOUT.as_millis().to_string(),
            )
            .set("statistics.interval.ms", "1000");
        config
    }

    /// Returns the configuration of an idempotent producer outside any transaction.
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set(
                "message.timeout.ms",
                DELIVERY_TIMEOUT.as_millis().to_string(),
            )
            // Keys land where the Java clients put them.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            // A broker spends as much on a request as on a hundred records in it; a commit waits for
            // the last of them no longer than this.
            .set("linger.ms", "25")
            // A coordinator that still writes the markers of the last transaction asks to be asked
            // again; the default of 100 ms would be spent on every commit that follows at once.
            .set("retry.backoff.ms", "20")
            .set("batch.num.messages", "10000")
            .set("message.max.bytes", /* 4 MiB */ "4194304")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", /* 64 MiB */ "65536");
        config
    }

    /// Returns the transactional id of a role: roles of one process do not fence each other.
    pub fn transactional_id(&self, role: &str) -> String {
        format!("crisol.{}.{role}.{}", self.group_id, self.instance_id)
    }
}

/// A client context that does nothing but log; for clients whose events nobody needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for LogContext {}

/// Writes a line of the client's own log; broker text in it is escaped.
pub fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let message = printable(message);
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!(target: "librdkafka", facility, message);
        }
        // Every connection of every client tells of every try.
        RDKafkaLogLevel::Error if facility == "FAIL" && !outage_is_news() => {
            debug!(target: "librdkafka", facility, message);
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            warn!(target: "librdkafka", facility, message);
        }
        RDKafkaLogLevel::Notice => info!(target: "librdkafka", facility, message),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            debug!(target: "librdkafka", facility, message);
        }
    }
}

/// Seconds between two lines that say only that brokers are away: every client says so for every try.
const OUTAGE_QUIET_S: u64 = 5;

/// Writes an error of the client; broker text in it is escaped.
pub fn log_error(error: &KafkaError, reason: &str) {
    let code = error.rdkafka_error_code();
    // The end of a partition is news for a table, not an error.
    if code == Some(RDKafkaErrorCode::PartitionEOF) {
        return;
    }
    if is_outage(error) {
        note_outage();
        if !outage_is_news() {
            return;
        }
    }
    warn!(target: "librdkafka", error = %printable(&error.to_string()), reason = %printable(reason), "client error");
}

/// When any client of this process last found brokers away, milliseconds since [`BEGAN`] and one more;
/// 0 if never. All of a process's clients speak with the same brokers, and the one that needs to know
/// may be the last to hear: its errors wait until it is polled.
static LAST_OUTAGE_MS: AtomicU64 = AtomicU64::new(0);
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

fn note_outage() {
    let now_ms = u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
    LAST_OUTAGE_MS.store(now_ms + 1, Ordering::Relaxed);
}

/// Returns whether any client of this process found brokers away within the last `window`.
pub fn outage_within(window: Duration) -> bool {
    let noted = LAST_OUTAGE_MS.load(Ordering::Relaxed);
    noted > 0 && BEGAN.elapsed() < Duration::from_millis(noted).saturating_add(window)
}

fn outage_is_news() -> bool {
    static SILENT_UNTIL_S: AtomicU64 = AtomicU64::new(0);
    let now_s = BEGAN.elapsed().as_secs();
    let until = SILENT_UNTIL_S.load(Ordering::Relaxed);
    now_s >= until
        && SILENT_UNTIL_S
            .compare_exchange(
                until,
                now_s + OUTAGE_QUIET_S,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exactly_once_depends_on_cannot_be_configured_away() {
        let mut config = KafkaConfig::default();
        config.validate().unwrap();
        config
            .client
            .insert("isolation.level".into(), Secret::new("read_uncommitted"));
        assert_eq!(
            config.validate().unwrap_err().to_string(),
            "kafka.client must not set isolation.level: a promise depends on it"
        );
    }

    #[test]
    fn timeouts_are_ordered_so_that_an_heir_is_not_blocked_for_long() {
        assert!(DELIVERY_TIMEOUT < TRANSACTION_TIMEOUT);
        assert!(SESSION_TIMEOUT < TRANSACTION_TIMEOUT);
    }
}
