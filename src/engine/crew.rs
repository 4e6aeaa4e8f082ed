//! Who works on what the engine takes in.

use crossbeam_channel::{Receiver, Sender};

use crate::engine::assignment::Epoch;
use crate::event::record::{Batch, Handled, Memo};
use crate::ledger::BatchId;

/// A batch on its way to whoever works on it.
#[derive(Debug)]
pub struct Job {
    /// The assignment it belongs to.
    pub epoch: Epoch,
    /// Its name in the ledger.
    pub id: BatchId,
    /// The records.
    pub batch: Batch,
    /// Whether its records are to be given up unseen, because replicas keep dying at them.
    pub give_up: bool,
}

/// What is handed back.
#[derive(Debug)]
pub struct Done {
    /// The partition.
    pub partition: i32,
    /// The assignment the batch belonged to.
    pub epoch: Epoch,
    /// Its name in the ledger.
    pub id: BatchId,
    /// The outcomes; `None` if work on it ended without any.
    pub handled: Option<Vec<Handled>>,
}

/// Workers that judge batches in order, or slots in which wargames take place side by side.
pub trait Crew: Send {
    /// Returns whether a batch of the partition can be handed over now.
    fn has_room(&self, partition: i32) -> bool;

    /// Hands a batch over; gives it back if there is no room.
    ///
    /// # Errors
    /// The job, unchanged.
    fn hand(&self, job: Job) -> Result<(), Box<Job>>;

    /// Returns where finished batches arrive.
    fn done(&self) -> &Receiver<Done>;

    /// Adds what outcomes say together, in the order in which they are about to be committed.
    fn seal(&self, handled: &mut [Handled]);

    /// Hears what is committed now.
    fn committed(&self, handled: &[Handled]);

    /// Lets memory keep what it may of a transaction that is committed.
    fn remember(&self, memos: Vec<Memo>);

    /// Hears that what was sealed and not committed came to nothing.
    fn begin_again(&self);

    /// Forgets what was done for records of a partition at or past `from`: their transaction came to nothing, or the
    /// partition belongs to another replica.
    fn forget(&self, partition: i32, from: i64);
}

/// A batch that somebody holds. Dropped unfinished, it says so: nothing leaves silently.
#[derive(Debug)]
#[must_use = "a batch in hand must be finished"]
pub(super) struct InHand {
    done: Sender<Done>,
    message: Option<Done>,
}

impl InHand {
    /// Takes a job in hand; what becomes of it is told to `done`.
    pub(super) fn take(job: &Job, done: Sender<Done>) -> Self {
        Self {
            done,
            message: Some(Done {
                partition: job.batch.partition,
                epoch: job.epoch,
                id: job.id,
                handled: None,
            }),
        }
    }

    /// Hands back what became of it.
    pub(super) fn finish(mut self, handled: Vec<Handled>) {
        if let Some(message) = &mut self.message {
            message.handled = Some(handled);
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            // The engine is gone only when the process ends.
            let _ = self.done.send(message);
        }
    }
}
