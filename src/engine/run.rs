//! The engine's own thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tracing::{info, warn};

use crate::engine::assignment::Assignment;
use crate::engine::attempts::ProcessName;
use crate::engine::commit::{cannot_register, commit_with, register};
use crate::engine::committer::Committer;
use crate::engine::config::EngineConfig;
use crate::engine::crew::Crew;
use crate::engine::error::EngineError;
use crate::engine::failpoint::Failpoints;
use crate::engine::health::Health;
use crate::engine::metrics::EngineMetrics;
use crate::engine::rejoin::join;
use crate::event::codec::printable;
use crate::event::topic::Topic;
use crate::ledger::Counts;
use crate::log::client::KafkaConfig;
use crate::log::error::is_instance_fenced;
use crate::log::statistics::{ConsumerEvents, ProducerContext};
use crate::log::topics::TopicNames;
use crate::pipeline::Clock;
use crate::table::Tables;

/// How long the engine waits for the first record when nothing is in flight.
const IDLE_PATIENCE: Duration = Duration::from_millis(20);
/// How long it waits when something is: completions must not wait for records.
const BUSY_PATIENCE: Duration = Duration::from_millis(1);
/// How long it waits for workers while partitions are full, before it pauses them and polls on.
const FULL_PATIENCE: Duration = Duration::from_millis(20);
/// A partition that stays full this long is paused. A pause drops what the client has fetched ahead,
/// so the short waits of a busy stream must not cause one.
const FULL_LIMIT: Duration = Duration::from_millis(500);

/// What an engine is made of.
pub struct Parts {
    /// Its role: part of its names in the group and at the transaction coordinator.
    pub role: &'static str,
    /// The topic it reads.
    pub input: Topic,
    /// Where Kafka is.
    pub kafka: KafkaConfig,
    /// The topics' names.
    pub names: TopicNames,
    /// Its bounds.
    pub config: EngineConfig,
    /// Who works on batches.
    pub crew: Box<dyn Crew>,
    /// What they look things up in.
    pub tables: Arc<Tables>,
    /// What it counts.
    pub metrics: EngineMetrics,
    /// What probes ask.
    pub health: Arc<Health>,
    /// Where proofs stop it.
    pub failpoints: Arc<Failpoints>,
    /// Set to make it stop in good order.
    pub stop: Arc<AtomicBool>,
    /// The wall clock, for latencies.
    pub clock: Clock,
}

/// The engine: consumer, producer, workers and books.
pub struct Engine {
    pub(super) parts: Parts,
    pub(super) name: ProcessName,
    pub(super) topic: Arc<str>,
    pub(super) consumer: Arc<BaseConsumer<ConsumerEvents>>,
    pub(super) events: ConsumerEvents,
    pub(super) committer: Committer,
    pub(super) producer_context: ProducerContext,
    pub(super) assignment: Assignment,
    pub(super) total: Counts,
    pub(super) last_fenced: Option<Instant>,
    pub(super) last_rejoined: Option<Instant>,
    pub(super) open_items_unknown_since: Option<Instant>,
    full_since: Option<Instant>,
    pub(super) last_step: Option<Instant>,
}

impl Engine {
    /// Registers the transactional id, which ends whatever an earlier process left open, and joins
    /// the group.
    ///
    /// # Errors
    /// [`EngineError`] if the brokers cannot be reached or refuse.
    pub fn start(parts: Parts) -> Result<Self, EngineError> {
        let events = ConsumerEvents::default();
        let producer_context = ProducerContext::default();
        let producer = register(&parts, &producer_context, Duration::from_secs(30))
            .map_err(|source| cannot_register(&parts, source))?;
        let committer = commit_with(&parts, producer)?;
        let topic: Arc<str> = Arc::from(parts.names.of(parts.input));
        let consumer = join(&parts, &topic, &events)?;
        Ok(Self {
            parts,
            name: ProcessName::by_chance(),
            topic,
            consumer,
            events,
            committer,
            producer_context,
            assignment: Assignment::default(),
            total: Counts::default(),
            last_fenced: None,
            last_rejoined: None,
            open_items_unknown_since: None,
            full_since: None,
            last_step: None,
        })
    }

    /// Runs until it is told to stop, and then stops in good order: nothing new is admitted, what is
    /// in flight is finished and committed, markers are cleared.
    ///
    /// Returns what became of every record this run committed.
    ///
    /// # Errors
    /// [`EngineError`] tells why it could not go on. Nothing is lost: what was not committed is
    /// redone by whoever owns the partitions next.
    pub fn run(mut self) -> Result<Counts, EngineError> {
        let ended = self.work();
        // Whatever ended it: a consumer that is dropped with a rebalance unanswered waits for ever.
        self.close();
        ended
    }

    fn work(&mut self) -> Result<Counts, EngineError> {
        info!(role = self.parts.role, topic = %self.topic, "engine running");
        while !self.is_stopping() {
            match self.turn() {
                Ok(()) => {}
                Err(EngineError::InstanceFenced { evidence, .. }) => self.rejoin(&evidence)?,
                Err(error) => return Err(error),
            }
        }
        self.parts.health.drain();
        info!("stopping: finishing what is in flight");
        self.drain(&self.assignment.partitions())?;
        self.clear_marks(&self.assignment.partitions());
        info!(
            taken = self.total.taken,
            decided = self.total.decided,
            queued = self.total.queued,
            wargame = self.total.wargame,
            compared = self.total.compared,
            dead = self.total.dead,
            "engine stopped"
        );
        Ok(self.total)
    }

    /// One turn: rebalance, poll, dispatch, collect, commit.
    fn turn(&mut self) -> Result<(), EngineError> {
        self.check_consumer()?;
        self.rebalance()?;
        if self.must_wait_for_workers() {
            self.collect(FULL_PATIENCE)?;
        } else {
            self.poll(self.patience())?;
        }
        self.rebalance()?;
        self.obey_halts();
        self.dispatch()?;
        self.collect(Duration::ZERO)?;
        self.commit_if_due()?;
        self.ask_again_for_open_items();
        self.regulate();
        Ok(())
    }

    /// How long the first record may be waited for.
    fn patience(&self) -> Duration {
        let careful = self
            .assignment
            .iter()
            .any(|(_, owned)| owned.careful_until.is_some() && !owned.gathered.is_empty());
        if careful {
            return Duration::ZERO;
        }
        let busy = self
            .assignment
            .iter()
            .any(|(_, owned)| !owned.ledger.is_idle());
        if busy || self.committer.is_busy() {
            BUSY_PATIENCE
        } else {
            IDLE_PATIENCE
        }
    }

    /// A full partition is given a moment to empty before it is paused.
    fn must_wait_for_workers(&mut self) -> bool {
        let full = self
            .assignment
            .iter()
            .any(|(_, owned)| !owned.paused && owned.is_full(&self.parts.config));
        if !full {
            self.full_since = None;
            return false;
        }
        if self.in_quarantine() {
            // Only one partition moves; the others wait paused.
            return false;
        }
        let since = *self.full_since.get_or_insert_with(Instant::now);
        since.elapsed() < FULL_LIMIT
    }

    /// Pauses partitions that stay full and resumes those that have room; tells what is in flight.
    fn regulate(&mut self) {
        let stuck = self.in_quarantine()
            || self
                .full_since
                .is_some_and(|since| since.elapsed() >= FULL_LIMIT);
        let config = &self.parts.config;
        for (partition, owned) in self.assignment.iter_mut() {
            let list = || {
                let mut list = TopicPartitionList::new();
                list.add_partition(&self.topic, partition);
                list
            };
            let changed = if !owned.paused && stuck && owned.is_full(config) {
                owned.paused = true;
                self.consumer.pause(&list())
            } else if owned.paused && !owned.is_halted() && owned.has_room(config) {
                owned.paused = false;
                self.consumer.resume(&list())
            } else {
                Ok(())
            };
            if let Err(error) = changed {
                warn!(partition, error = %printable(&error.to_string()), "cannot pause or resume");
            }
            self.parts.metrics.in_flight(
                partition,
                owned.ledger.records_in_flight(),
                owned.ledger.bytes_in_flight(),
            );
            self.parts.metrics.halted(partition, owned.is_halted());
        }
        let paused = self.assignment.iter().filter(|(_, owned)| owned.paused);
        self.parts.metrics.paused(paused.count());
        self.parts.metrics.observe_clients(
            &self.topic,
            &self.events.statistics,
            &self.producer_context.statistics,
            self.assignment
                .iter()
                .map(|(partition, owned)| (partition, owned.committed)),
        );
    }

    /// Ends the run if the consumer is spent.
    pub(super) fn check_consumer(&self) -> Result<(), EngineError> {
        if let Some(error) = self.events.fatal.lock().as_ref()
            && is_instance_fenced(error)
        {
            return Err(self.instance_fenced(&error.to_string()));
        }
        match self.consumer.client().fatal_error() {
            None => Ok(()),
            Some((RDKafkaErrorCode::FencedInstanceId, text)) => {
                Err(self.instance_fenced(&printable(&text)))
            }
            Some((_, text)) => Err(EngineError::Consumer(printable(&text))),
        }
    }

    pub(super) fn instance_fenced(&self, evidence: &str) -> EngineError {
        EngineError::InstanceFenced {
            instance: self.parts.kafka.instance_id.clone(),
            evidence: evidence.to_owned(),
        }
    }

    pub(super) fn instance_taken(&self, evidence: &str) -> EngineError {
        EngineError::InstanceTaken {
            instance: self.parts.kafka.instance_id.clone(),
            evidence: evidence.to_owned(),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.parts.stop.load(Ordering::Relaxed)
    }

    /// Leaves the group's partitions so that closing does not wait for anybody to take them.
    pub(super) fn close(&self) {
        self.events.closing.store(true, Ordering::Relaxed);
        if let Err(error) = self.consumer.unassign() {
            warn!(error = %printable(&error.to_string()), "cannot give up the assignment");
        }
    }
}
