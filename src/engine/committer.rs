//! Carrying transactions out, on a thread of their own: the engine takes records in meanwhile, and a
//! call of the client that never comes back holds up nobody but this thread.
//!
//! Outputs are sent as soon as they are sealed, into a transaction that is open until its commit is
//! due: the first batch that a transaction writes to a partition costs the brokers some 10 ms (they
//! ask the coordinator whether the transaction is known), one partition after the other.
//!
//! That such calls exist is librdkafka's issues 5456 and 5511: sending offsets ignores its timeout,
//! and waits for a group coordinator that has left the cluster until something else wakes it. A
//! committer that overstays is left behind with its producer. The next one registers the same
//! transactional id, which fences it, so whatever it still does counts for nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};

use crate::engine::config::EngineConfig;
use crate::engine::failpoint::{Failpoints, Point};
use crate::engine::metrics::Ended;
use crate::event::record::Output;
use crate::ledger::Sealed;
use crate::log::statistics::ConsumerEvents;
use crate::log::transaction::{LONGEST, TransactionError, TransactionalProducer};

/// How often an idle committer serves its producer's events.
const IDLE: Duration = Duration::from_millis(100);
/// How long a committer past its time is waited for once more. A replica that was frozen finds its
/// transaction past any bound, and must hear from its committer, which was frozen too, whether another
/// has its name.
const LAST_CALL: Duration = Duration::from_secs(2);

/// What the thread is to do next.
enum Work {
    /// Send these, in a transaction that the first of them opens.
    Send(Vec<Output>),
    /// Add the offsets and commit.
    Commit(Commit),
    /// End the transaction unread.
    Abort,
}

/// What a commit needs beside the outputs.
pub struct Commit {
    /// Where each partition goes on.
    pub offsets: TopicPartitionList,
    /// The consumer's membership as of now.
    pub member: Option<ConsumerGroupMetadata>,
    /// The negative control of the exactly-once proof: commits the offsets outside the transaction.
    pub outside: Option<Arc<BaseConsumer<ConsumerEvents>>>,
}

/// What became of a transaction.
pub struct Closed {
    /// What is committed by it, without the outputs; empty if its abort was asked for.
    pub sealed: Vec<(i32, Sealed)>,
    /// How it ended, as was asked for, or why it did not.
    pub outcome: Result<Ended, TransactionError>,
    /// From its opening to its end.
    pub took: Duration,
}

/// A transaction as the engine sees it.
struct Open {
    since: Instant,
    /// When its end was asked for.
    closing: Option<Instant>,
    sealed: Vec<(i32, Sealed)>,
    records: usize,
    bytes: usize,
}

impl Open {
    /// Returns whether it has reached a bound of records or bytes.
    fn is_full(&self, config: &EngineConfig) -> bool {
        self.records >= config.commit_records || self.bytes >= config.commit_bytes
    }
}

/// The thread that owns the transactional producer, and what is in its transaction.
pub struct Committer {
    work: Option<Sender<Work>>,
    ended: Receiver<Result<Ended, TransactionError>>,
    open: Option<Open>,
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
        let (work, works) = unbounded();
        let (ends, ended) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || serve(producer, &works, &ends, &failpoints))?;
        Ok(Self {
            work: Some(work),
            ended,
            open: None,
            thread: Some(thread),
        })
    }

    /// Returns whether a transaction is open or being closed.
    pub fn is_busy(&self) -> bool {
        self.open.is_some()
    }

    /// Returns whether the transaction's end was asked for and is still to come.
    pub fn is_closing(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.closing.is_some())
    }

    /// Returns whether more may go into the transaction: it is not closing, nor at its bounds.
    pub fn has_room(&self, config: &EngineConfig) -> bool {
        self.open
            .as_ref()
            .is_none_or(|open| open.closing.is_none() && !open.is_full(config))
    }

    /// Returns whether the open transaction has reached a bound of time, records or bytes.
    pub fn is_due(&self, config: &EngineConfig) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let late = open.since.elapsed() >= config.commit_interval();
            open.closing.is_none() && (late || open.is_full(config))
        })
    }

    /// Sends the outputs of a sealed run, opening a transaction if none is open. The caller has
    /// asked for room.
    pub fn add(&mut self, partition: i32, mut run: Sealed) {
        let outputs: Vec<Output> = run
            .handled
            .iter_mut()
            .flat_map(|one| std::mem::take(&mut one.outputs))
            .collect();
        let open = self.open.get_or_insert_with(|| Open {
            since: Instant::now(),
            closing: None,
            sealed: Vec::new(),
            records: 0,
            bytes: 0,
        });
        open.records += run.handled.len();
        open.bytes += outputs.iter().map(Output::size_bytes).sum::<usize>();
        open.sealed.push((partition, run));
        self.tell(Work::Send(outputs));
    }

    /// Returns the offset that each partition goes on at once the transaction is committed.
    pub fn offsets(&self) -> BTreeMap<i32, i64> {
        let sealed = self.open.iter().flat_map(|open| &open.sealed);
        sealed
            .map(|(partition, run)| (*partition, run.next))
            .collect()
    }

    /// Asks for the end of the open transaction.
    pub fn commit(&mut self, commit: Commit) {
        self.close(Work::Commit(commit));
    }

    /// Asks for the end of the open transaction, unread.
    pub fn abort(&mut self) {
        if let Some(open) = &mut self.open {
            open.sealed.clear();
        }
        self.close(Work::Abort);
    }

    fn close(&mut self, work: Work) {
        if let Some(open) = &mut self.open {
            open.closing = Some(Instant::now());
            self.tell(work);
        }
    }

    fn tell(&self, work: Work) {
        if let Some(works) = &self.work {
            // A thread that is gone never answers, and is found lost.
            let _ = works.send(work);
        }
    }

    /// Returns whether the end of the transaction takes longer than it can. Ask after a [`Self::wait`]
    /// in vain.
    pub fn is_lost(&self) -> bool {
        let closing = self.open.as_ref().and_then(|open| open.closing);
        closing.is_some_and(|since| since.elapsed() > LONGEST + LAST_CALL)
    }

    /// Waits up to `patience` for the end of a closing transaction and returns what became of it; a
    /// little longer if it is late.
    pub fn wait(&mut self, patience: Duration) -> Option<Closed> {
        let closing = self.open.as_ref()?.closing?;
        let patience = if closing.elapsed() > LONGEST {
            patience.max(LAST_CALL)
        } else {
            patience
        };
        let outcome = self.ended.recv_timeout(patience).ok()?;
        self.open.take().map(|open| Closed {
            sealed: open.sealed,
            outcome,
            took: open.since.elapsed(),
        })
    }

    /// Returns where the ends of transactions arrive, to wait for them beside other things; they are
    /// taken with [`Self::wait`].
    pub fn ended(&self) -> &Receiver<Result<Ended, TransactionError>> {
        &self.ended
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.work = None;
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
    works: &Receiver<Work>,
    ends: &Sender<Result<Ended, TransactionError>>,
    failpoints: &Failpoints,
) {
    loop {
        match works.recv_timeout(IDLE) {
            Ok(Work::Send(first)) => {
                let end = transact(&mut producer, &first, works, failpoints);
                if ends.send(end).is_err() {
                    return;
                }
            }
            // Nothing is open, so there is nothing to end.
            Ok(Work::Commit(_) | Work::Abort) => {}
            Err(RecvTimeoutError::Timeout) => producer.poll(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Begin, produce as work comes, send offsets, commit. A failure is told when the end is asked for,
/// which is soon.
fn transact(
    producer: &mut TransactionalProducer,
    first: &[Output],
    works: &Receiver<Work>,
    failpoints: &Failpoints,
) -> Result<Ended, TransactionError> {
    let transaction = match producer.begin() {
        Ok(transaction) => transaction,
        Err(failure) => {
            while let Ok(Work::Send(_)) = works.recv() {}
            return Err(failure);
        }
    };
    let mut sent = transaction.send_all(first);
    let commit = loop {
        match works.recv() {
            Ok(Work::Send(outputs)) if sent.is_ok() => sent = transaction.send_all(&outputs),
            Ok(Work::Send(_)) => {}
            Ok(Work::Commit(commit)) => break commit,
            Ok(Work::Abort) | Err(_) => return transaction.abort().map(|()| Ended::Aborted),
        }
    };
    let steps = || -> Result<(), TransactionError> {
        sent?;
        if failpoints.is_armed() {
            // A failpoint past this line means what it says: the outputs are at the broker.
            transaction.flush()?;
        }
        failpoints.pass(Point::AfterProduce);
        if let Some(consumer) = &commit.outside {
            let _ = consumer.commit(&commit.offsets, CommitMode::Sync);
        } else {
            let member = commit.member.as_ref();
            let member = member.ok_or_else(TransactionError::no_member)?;
            transaction.send_offsets(&commit.offsets, member)?;
        }
        failpoints.pass(Point::AfterSendOffsets);
        failpoints.pass(Point::BeforeCommit);
        Ok(())
    };
    let ready = steps();
    if ready.is_err() {
        return transaction.or_abort(ready).map(|()| Ended::Aborted);
    }
    transaction.commit()?;
    failpoints.pass(Point::AfterCommit);
    Ok(Ended::Committed)
}
