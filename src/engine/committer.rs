//! Carrying transactions out, on a thread of their own: the engine takes records in meanwhile, and a
//! call of the client that never comes back holds up nobody but this thread.
//!
//! That such calls exist is librdkafka's issues 5456 and 5511: sending offsets ignores its timeout,
//! and waits for a group coordinator that has left the cluster until something else wakes it. A
//! committer that overstays is left behind with its producer. The next one registers the same
//! transactional id, which fences it, so whatever it still does counts for nothing.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};

use crate::engine::failpoint::{Failpoints, Point};
use crate::ledger::Sealed;
use crate::log::statistics::ConsumerEvents;
use crate::log::transaction::{LONGEST, TransactionError, TransactionalProducer};

/// How often an idle committer serves its producer's events.
const IDLE: Duration = Duration::from_millis(100);
/// The longest a transaction with all its tries takes, and a margin. Past that the call is stuck.
const LOST_AFTER: Duration = LONGEST.saturating_add(Duration::from_secs(2));

/// One transaction to carry out.
pub struct Job {
    /// The finished prefix of each partition.
    pub sealed: Vec<(i32, Sealed)>,
    /// Where each partition goes on.
    pub offsets: TopicPartitionList,
    /// The consumer's membership as of now.
    pub member: Option<ConsumerGroupMetadata>,
    /// The negative control of the exactly-once proof: commits the offsets outside the transaction.
    pub outside: Option<Arc<BaseConsumer<ConsumerEvents>>>,
}

/// What became of a transaction.
pub struct Closed {
    /// What it held.
    pub sealed: Vec<(i32, Sealed)>,
    /// Whether it was committed.
    pub outcome: Result<(), TransactionError>,
    /// How long it took.
    pub took: Duration,
}

/// The thread that owns the transactional producer.
pub struct Committer {
    jobs: Option<Sender<Job>>,
    closed: Receiver<Closed>,
    busy_since: Option<Instant>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the system says if it cannot start.
    pub fn start(
        producer: TransactionalProducer,
        failpoints: Arc<Failpoints>,
    ) -> Result<Self, std::io::Error> {
        let (jobs, job_receiver) = bounded(1);
        let (closed_sender, closed) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || serve(producer, &job_receiver, &closed_sender, &failpoints))?;
        Ok(Self {
            jobs: Some(jobs),
            closed,
            busy_since: None,
            thread: Some(thread),
        })
    }

    /// Begins a transaction. One at a time: the caller sees to it that none is under way.
    pub fn begin(&mut self, job: Job) {
        debug_assert!(!self.is_busy());
        self.busy_since = Some(Instant::now());
        if let Some(jobs) = &self.jobs {
            // A thread that is gone never answers, and is found lost.
            let _ = jobs.try_send(job);
        }
    }

    /// Returns whether a transaction is under way.
    pub fn is_busy(&self) -> bool {
        self.busy_since.is_some()
    }

    /// Returns whether the transaction under way takes longer than it can.
    pub fn is_lost(&self) -> bool {
        self.busy_since
            .is_some_and(|since| since.elapsed() > LOST_AFTER)
    }

    /// Waits up to `patience` for the transaction under way and returns what became of it.
    pub fn wait(&mut self, patience: Duration) -> Option<Closed> {
        self.busy_since?;
        let closed = self.closed.recv_timeout(patience).ok()?;
        self.busy_since = None;
        Some(closed)
    }

    /// Returns where finished transactions arrive, to wait for them beside other things; they are
    /// taken with [`Self::wait`].
    pub fn closed(&self) -> &Receiver<Closed> {
        &self.closed
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        // Whoever is busy may never come back.
        if !self.is_busy()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut producer: TransactionalProducer,
    jobs: &Receiver<Job>,
    closed: &Sender<Closed>,
    failpoints: &Failpoints,
) {
    loop {
        match jobs.recv_timeout(IDLE) {
            Ok(job) => {
                let began = Instant::now();
                let outcome = transact(&mut producer, &job, failpoints);
                let done = Closed {
                    sealed: job.sealed,
                    outcome,
                    took: began.elapsed(),
                };
                if closed.send(done).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => producer.poll(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Begin, produce, send offsets, commit.
fn transact(
    producer: &mut TransactionalProducer,
    job: &Job,
    failpoints: &Failpoints,
) -> Result<(), TransactionError> {
    let transaction = producer.begin()?;
    let steps = || -> Result<(), TransactionError> {
        let handled = job.sealed.iter().flat_map(|(_, run)| &run.handled);
        for output in handled.flat_map(|one| &one.outputs) {
            transaction.send(output)?;
        }
        if failpoints.is_armed() {
            // A failpoint past this line means what it says: the outputs are at the broker.
            transaction.flush()?;
        }
        failpoints.pass(Point::AfterProduce);
        if let Some(consumer) = &job.outside {
            let _ = consumer.commit(&job.offsets, CommitMode::Sync);
        } else {
            let member = job.member.as_ref();
            let member = member.ok_or_else(TransactionError::no_member)?;
            transaction.send_offsets(&job.offsets, member)?;
        }
        failpoints.pass(Point::AfterSendOffsets);
        failpoints.pass(Point::BeforeCommit);
        Ok(())
    };
    match steps() {
        Ok(()) => transaction.commit()?,
        failed => return transaction.or_abort(failed),
    }
    failpoints.pass(Point::AfterCommit);
    Ok(())
}
