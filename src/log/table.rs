//! A table: a topic that every replica tails whole into memory, without a group.
//!
//! One thread a table reads `read_committed` from the beginning and hands each record to a sink.
//! A table knows how far it has read, so that a reader can ask it to catch up with the log's end as
//! of now before relying on it.
//!
//! Over 400 lines because reading, waiting and confirming ends share one record of progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use tracing::{debug, warn};

use crate::event::codec::printable;
use crate::log::client::{KafkaConfig, LogContext};
use crate::log::ends::Ends;
use crate::log::error::is_outage;
use crate::log::source::{Coordinates, from_beginning};

/// How long the thread waits for a record before it looks whether somebody waits for it.
const POLL: Duration = Duration::from_millis(10);
/// How long it may take to jump back.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a waiter asks again whether open transactions below its goal have ended.
const STABLE_POLL: Duration = Duration::from_millis(10);

/// Takes a table's records, one after another; an `Err` is logged and counted with its coordinates.
pub type Sink =
    Box<dyn FnMut(Coordinates, Option<&[u8]>, Option<&[u8]>) -> Result<(), String> + Send>;

/// A topic tailed into memory.
pub struct Table {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    ends: Ends,
    stable_ends: Ends,
}

struct Shared {
    topic: String,
    progress: Mutex<Progress>,
    moved: Condvar,
    stop: AtomicBool,
    records: AtomicU64,
    bad: AtomicU64,
}

struct Progress {
    partitions: Vec<Reached>,
}

/// How far one partition is read.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    /// Every record below this offset has been handed to the sink.
    next: i64,
    /// Whether the log's end was met at least once since the start.
    met_end: bool,
    /// A stable end that a waiter asks to have confirmed: markers may stand between `next` and it.
    confirm: Option<i64>,
    /// The confirmation under way: the next end met is at or past this offset.
    confirming: Option<i64>,
}

/// Why a table could not catch up.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The client cannot be built.
    #[error("cannot read table {topic}: {source}")]
    Client {
        /// The topic.
        topic: String,
        /// What the client says.
        source: KafkaError,
    },
    /// The thread cannot be started.
    #[error("cannot start the thread of table {topic}: {source}")]
    Thread {
        /// The topic.
        topic: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The brokers did not tell where the log ends.
    #[error("cannot ask where {topic} ends: {source}")]
    Ends {
        /// The topic.
        topic: String,
        /// What the client says.
        source: KafkaError,
    },
    /// Time ran out.
    #[error("table {topic} did not catch up within {waited:?}")]
    Stale {
        /// The topic.
        topic: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl Table {
    /// Starts to tail `topic`, all of its `partitions`, from the beginning.
    ///
    /// # Errors
    /// [`TableError::Client`] or [`TableError::Thread`] if it cannot start.
    pub fn start(
        config: &KafkaConfig,
        topic: String,
        partitions: i32,
        sink: Sink,
    ) -> Result<Self, TableError> {
        let client = |source| TableError::Client {
            topic: topic.clone(),
            source,
        };
        let consumer = from_beginning(config, &topic, partitions).map_err(client)?;
        let ends = |isolation: &str| {
            Ends::new(config.query_client(isolation), &topic, partitions).map_err(client)
        };
        let (ends, stable_ends) = (ends("read_uncommitted")?, ends("read_committed")?);
        let shared = Arc::new(Shared {
            progress: Mutex::new(Progress {
                partitions: vec![Reached::default(); usize::try_from(partitions).unwrap_or(0)],
            }),
            topic,
            moved: Condvar::new(),
            stop: AtomicBool::new(false),
            records: AtomicU64::new(0),
            bad: AtomicU64::new(0),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("table-{}", short_name(&shared.topic)))
            .spawn(move || for_thread.tail(&consumer, sink))
            .map_err(|source| TableError::Thread {
                topic: shared.topic.clone(),
                source,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            ends,
            stable_ends,
        })
    }

    /// Returns whether every partition has been read to its end at least once since the start.
    pub fn is_ready(&self) -> bool {
        self.shared
            .progress
            .lock()
            .partitions
            .iter()
            .all(|p| p.met_end)
    }

    /// Returns how many records were read, and how many of them were bad.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.shared.records.load(Ordering::Relaxed),
            self.shared.bad.load(Ordering::Relaxed),
        )
    }

    /// Waits until the table has been read to its end once.
    ///
    /// # Errors
    /// [`TableError::Stale`] after `limit`.
    pub fn wait_ready(&self, limit: Duration) -> Result<(), TableError> {
        let deadline = Instant::now() + limit;
        let mut progress = self.shared.progress.lock();
        while !progress.partitions.iter().all(|p| p.met_end) {
            if self
                .shared
                .moved
                .wait_until(&mut progress, deadline)
                .timed_out()
            {
                return Err(self.stale(limit));
            }
        }
        Ok(())
    }

    /// Asks where the log ends now and waits until the table has read that far.
    ///
    /// The end asked for is the high watermark, so records of transactions still open are waited
    /// for as well. One query where the table is up to date.
    ///
    /// # Errors
    /// [`TableError::Ends`] if the brokers do not answer, [`TableError::Stale`] after `limit`.
    pub fn catch_up(&self, limit: Duration) -> Result<(), TableError> {
        let deadline = Instant::now() + limit;
        let goals = self.ask(&self.ends, deadline)?;
        loop {
            let behind = {
                let mut progress = self.shared.progress.lock();
                if !is_behind(&progress, &goals) {
                    return Ok(());
                }
                // The common case: the records are there and only need to be read.
                self.shared
                    .moved
                    .wait_until(&mut progress, (Instant::now() + STABLE_POLL).min(deadline));
                is_behind(&progress, &goals)
            };
            if !behind {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.stale(limit));
            }
            self.ask_for_confirmation(&goals, deadline)?;
        }
    }

    /// Where no record is left below a goal, only the log's end can tell that it is reached.
    fn ask_for_confirmation(&self, goals: &[i64], deadline: Instant) -> Result<(), TableError> {
        let stable = self.ask(&self.stable_ends, deadline)?;
        let mut progress = self.shared.progress.lock();
        for ((reached, goal), stable) in progress.partitions.iter_mut().zip(goals).zip(stable) {
            let waiting = reached.confirm.is_some() || reached.confirming.is_some();
            if reached.next < *goal && stable >= *goal && !waiting {
                reached.confirm = Some(stable);
            }
        }
        Ok(())
    }

    fn ask(&self, ends: &Ends, deadline: Instant) -> Result<Vec<i64>, TableError> {
        ends.ask(deadline).map_err(|source| TableError::Ends {
            topic: self.shared.topic.clone(),
            source,
        })
    }

    fn stale(&self, waited: Duration) -> TableError {
        TableError::Stale {
            topic: self.shared.topic.clone(),
            waited,
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

fn is_behind(progress: &Progress, goals: &[i64]) -> bool {
    progress
        .partitions
        .iter()
        .zip(goals)
        .any(|(reached, goal)| reached.next < *goal)
}

fn short_name(topic: &str) -> &str {
    topic.rsplit('.').next().unwrap_or(topic)
}

impl Shared {
    fn tail(&self, consumer: &BaseConsumer<LogContext>, mut sink: Sink) {
        debug!(topic = self.topic, "table: reading");
        while !self.stop.load(Ordering::Relaxed) {
            self.begin_confirmations(consumer);
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    let at = Coordinates {
                        partition: message.partition(),
                        offset: message.offset(),
                    };
                    self.records.fetch_add(1, Ordering::Relaxed);
                    if let Err(problem) = sink(at, message.key(), message.payload()) {
                        self.bad.fetch_add(1, Ordering::Relaxed);
                        warn!(
                            topic = self.topic,
                            partition = at.partition,
                            offset = at.offset,
                            problem = %printable(&problem),
                            "table: bad record skipped"
                        );
                    }
                    self.reached(at.partition, |reached| reached.next = at.offset + 1);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.reached(partition, |reached| {
                        reached.met_end = true;
                        if let Some(end) = reached.confirming.take() {
                            reached.next = reached.next.max(end);
                        }
                    });
                }
                Some(Err(error)) if is_outage(&error) => std::thread::sleep(POLL),
                Some(Err(error)) => {
                    warn!(topic = self.topic, error = %printable(&error.to_string()), "table: read error");
                    std::thread::sleep(POLL);
                }
            }
        }
    }

    fn reached(&self, partition: i32, update: impl FnOnce(&mut Reached)) {
        let mut progress = self.progress.lock();
        let slot = usize::try_from(partition)
            .ok()
            .and_then(|p| progress.partitions.get_mut(p));
        if let Some(slot) = slot {
            update(slot);
        }
        drop(progress);
        self.moved.notify_all();
    }

    /// Reads on from where the table stands, so that the client reports the log's end anew: it
    /// reports each end only once, and only by partition, never by offset. What was fetched before
    /// the seek is dropped by the client, so the next end reported is at or past the stable end that
    /// was asked for before the seek.
    fn begin_confirmations(&self, consumer: &BaseConsumer<LogContext>) {
        let wanted: Vec<(i32, i64)> = {
            let mut progress = self.progress.lock();
            let mut wanted = Vec::new();
            for (partition, reached) in (0_i32..).zip(progress.partitions.iter_mut()) {
                if let Some(end) = reached.confirm.take() {
                    reached.confirming = Some(end);
                    wanted.push((partition, reached.next));
                }
            }
            wanted
        };
        for (partition, next) in wanted {
            if let Err(error) =
                consumer.seek(&self.topic, partition, Offset::Offset(next), SEEK_TIMEOUT)
            {
                warn!(topic = self.topic, partition, error = %printable(&error.to_string()), "table: seek failed");
                self.reached(partition, |reached| reached.confirming = None);
            }
        }
    }
}
