//! Committing: when a transaction is due, what is in it, and what to do when it fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{error, info, warn};

use crate::engine::attempts::Starts;
use crate::engine::committer::{Commit, Committer};
use crate::engine::error::EngineError;
use crate::engine::flood::FloodLimits;
use crate::engine::halt::Halt;
use crate::engine::metrics::Ended;
use crate::engine::run::{Engine, Parts};
use crate::event::codec::printable;
use crate::ledger::{Counts, Sealed};
use crate::log::error::Remedy;
use crate::log::statistics::ProducerContext;
use crate::log::transaction::{TransactionError, TransactionalProducer};

/// Losing the name twice within this time, to a producer or in the group, means that another process
/// runs under it.
pub(super) const FENCING_WINDOW: Duration = Duration::from_secs(60);
/// How long a commit is waited for before the engine looks whether it ever comes.
const SETTLE_STEP: Duration = Duration::from_millis(100);
/// How long the group may take to tell a fenced replica that its name is taken: two heartbeats. A twin
/// needs less to register consumer and producer.
pub(super) const FENCING_GRACE: Duration = Duration::from_millis(2_500);
/// How long registering a new producer may take: the brokers first end what the old one left open.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(60);
/// One try of it.
const REGISTER_TRY: Duration = Duration::from_secs(20);

impl Engine {
    /// Takes what became of a closing transaction, puts what is finished into the open one, and closes
    /// that if a bound of time, records or bytes is reached.
    pub(super) fn commit_if_due(&mut self) -> Result<(), EngineError> {
        self.look_after_commit(Duration::ZERO)?;
        self.seal();
        if self.committer.is_due(&self.parts.config) {
            self.close_transaction();
        }
        Ok(())
    }

    /// Commits whatever is finished and waits for it; does nothing if nothing is.
    pub(super) fn commit_now(&mut self) -> Result<(), EngineError> {
        loop {
            self.settle()?;
            self.seal();
            if !self.committer.is_busy() {
                return Ok(());
            }
            self.close_transaction();
        }
    }

    /// Ends the open transaction unread, if there is one. What it held must then be begun again or
    /// let go.
    pub(super) fn abort_open(&mut self) -> Result<(), EngineError> {
        self.settle()?;
        self.committer.abort();
        self.settle()
    }

    /// Waits until no transaction is closing.
    pub(super) fn settle(&mut self) -> Result<(), EngineError> {
        while self.committer.is_closing() {
            self.look_after_commit(SETTLE_STEP)?;
        }
        Ok(())
    }

    fn close_transaction(&mut self) {
        let outside = self.parts.failpoints.offsets_outside_transaction();
        self.committer.commit(Commit {
            offsets: self.offsets(),
            member: self.consumer.group_metadata(),
            outside: outside.then(|| Arc::clone(&self.consumer)),
        });
    }

    /// Waits up to `patience` for the transaction under way, and leaves behind a committer that does
    /// not come back.
    fn look_after_commit(&mut self, patience: Duration) -> Result<(), EngineError> {
        if let Some(closed) = self.committer.wait(patience) {
            return match closed.outcome {
                Ok(ended) => {
                    let seconds = closed.took.as_secs_f64();
                    self.parts.metrics.transaction(ended, seconds);
                    self.account(closed.sealed);
                    Ok(())
                }
                Err(failure) => self.recover(&failure),
            };
        }
        if self.committer.is_lost() {
            error!("the client does not come back from a transaction; going on without it");
            return self.replace_producer();
        }
        Ok(())
    }

    /// Puts the contiguous finished prefix of every partition into the transaction, as far as it has
    /// room, and a batch of each in turn so that none waits for the others.
    fn seal(&mut self) {
        let limits = FloodLimits::from(&self.parts.config);
        let now = Instant::now();
        let partitions = self.assignment.partitions();
        let mut any = true;
        while any {
            any = false;
            for &partition in &partitions {
                if !self.committer.has_room(&self.parts.config) {
                    return;
                }
                let Some(owned) = self.assignment.get_mut(partition) else {
                    continue;
                };
                let Some(mut run) = owned.ledger.seal_next() else {
                    continue;
                };
                self.parts.crew.seal(&mut run.handled);
                let flood = owned.flood.count(&run.handled, now, &limits);
                if let Some(bad_in_a_row) = flood {
                    self.declare_halt(partition, &mut run, bad_in_a_row);
                    self.stop_partition(partition, Halt::Declared { at: now });
                }
                self.committer.add(partition, run);
                any = true;
            }
        }
    }

    fn offsets(&self) -> TopicPartitionList {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in self.committer.offsets() {
            let mut element = offsets.add_partition(&self.topic, partition);
            // Setting a non-negative offset cannot fail.
            let _ = element.set_offset(Offset::Offset(next));
            // In quarantine the next record is attempted by this very start.
            let suspect = self.assignment.get(partition).and_then(|o| o.careful_until);
            if let Some(until) = suspect.filter(|until| next < *until) {
                element.set_metadata(Starts::default().metadata_with(self.name, until));
            }
        }
        offsets
    }

    /// Counts what is committed.
    fn account(&mut self, sealed: Vec<(i32, Sealed)>) {
        let now_ms = (self.parts.clock)();
        let mut memos = Vec::new();
        for (partition, mut run) in sealed {
            let mut counts = Counts::default();
            for outcome in &mut run.handled {
                memos.extend(outcome.memo.take());
                counts.add(outcome.disposition);
                self.parts.metrics.latency_ms(now_ms - outcome.timestamp_ms);
            }
            debug_assert!(counts.balances());
            self.parts.crew.committed(&run.handled);
            self.total.merge(&counts);
            self.parts
                .metrics
                .committed(partition, &run.handled, &counts, run.next);
            if let Some(owned) = self.assignment.get_mut(partition) {
                owned.marked = owned.careful_until.is_some_and(|until| run.next < until);
                owned.probation_until = None;
                owned.committed = run.next;
            }
        }
        // Only now: what is remembered of an outcome that never came to be would be a lie.
        self.parts.crew.remember(memos);
    }

    /// Answers a failed transaction as its error asks.
    pub(super) fn recover(&mut self, failure: &TransactionError) -> Result<(), EngineError> {
        warn!(
            step = failure.step,
            remedy = ?failure.remedy,
            error = %printable(&failure.source.to_string()),
            "transaction failed"
        );
        match failure.remedy {
            Remedy::Stop => Err(self.instance_fenced(&failure.to_string())),
            Remedy::Abort => {
                self.parts.metrics.transaction(Ended::Aborted, 0.0);
                self.rewind()
            }
            Remedy::Retry | Remedy::Replace => self.replace_producer(),
            Remedy::Fenced => {
                self.parts.health.set_fenced(true);
                self.note_fencing(failure)?;
                self.replace_producer()
            }
        }
    }

    /// Tells a zombie that woke up from a twin that took its name.
    fn note_fencing(&mut self, failure: &TransactionError) -> Result<(), EngineError> {
        if is_recent(self.last_fenced) {
            return Err(
                self.instance_taken(&format!("fenced twice within 60 s, last by {failure}"))
            );
        }
        self.last_fenced = Some(Instant::now());
        let deadline = Instant::now() + FENCING_GRACE;
        while Instant::now() < deadline {
            self.poll(Duration::from_millis(50))?;
            self.check_consumer()?;
        }
        Ok(())
    }

    /// Builds a new producer under the same transactional id, which fences the old one, and only
    /// then asks where the group stands: the old one's last commit may yet have gone through.
    pub(super) fn replace_producer(&mut self) -> Result<(), EngineError> {
        self.parts.metrics.transaction(Ended::Replaced, 0.0);
        let deadline = Instant::now() + REGISTER_TIMEOUT;
        loop {
            match register(&self.parts, &self.producer_context, REGISTER_TRY) {
                Ok(producer) => {
                    self.committer = commit_with(&self.parts, producer)?;
                    break;
                }
                Err(failure) if failure.remedy == Remedy::Stop => {
                    return Err(self.instance_taken(&failure.to_string()));
                }
                Err(failure) if Instant::now() >= deadline => {
                    error!(error = %printable(&failure.to_string()), "cannot register a new producer yet");
                    if self.is_stopping() {
                        return Err(cannot_register(&self.parts, failure));
                    }
                    self.poll(Duration::from_millis(100))?;
                }
                Err(failure) => {
                    warn!(error = %printable(&failure.to_string()), "registering a new producer again");
                    self.poll(Duration::from_millis(100))?;
                }
            }
        }
        info!("producer replaced");
        self.parts.health.set_fenced(false);
        self.rewind()
    }
}

/// Returns whether a loss of the name was within [`FENCING_WINDOW`].
pub(super) fn is_recent(lost: Option<Instant>) -> bool {
    lost.is_some_and(|at| at.elapsed() < FENCING_WINDOW)
}

pub(super) fn cannot_register(parts: &Parts, source: TransactionError) -> EngineError {
    EngineError::Register {
        id: parts.kafka.transactional_id(parts.role),
        source,
    }
}

/// Starts the thread that commits with this producer.
pub(super) fn commit_with(
    parts: &Parts,
    producer: TransactionalProducer,
) -> Result<Committer, EngineError> {
    Committer::start(producer, Arc::clone(&parts.failpoints)).map_err(EngineError::Thread)
}

/// Registers the role's transactional id, which ends what an earlier transaction under it left open.
pub(super) fn register(
    parts: &Parts,
    context: &ProducerContext,
    timeout: Duration,
) -> Result<TransactionalProducer, TransactionError> {
    TransactionalProducer::register(
        &parts.kafka,
        parts.role,
        parts.names.clone(),
        context.clone(),
        timeout,
    )
}
