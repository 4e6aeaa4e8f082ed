//! Workers: threads that judge batches. Batches of one partition go to one worker, in order, so a
//! patch sees what the patches before it left open.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use crate::engine::assignment::Epoch;
use crate::engine::failpoint::{Failpoints, Point};
use crate::event::reason::Reason;
use crate::event::record::{Batch, Handled};
use crate::ledger::BatchId;
use crate::pipeline::Pipeline;

/// Batches a worker may have waiting beside the one it judges.
const LANE_BATCHES: usize = 4;

/// A batch on its way to a worker.
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

/// What a worker hands back.
#[derive(Debug)]
pub struct Done {
    /// The partition.
    pub partition: i32,
    /// The assignment the batch belonged to.
    pub epoch: Epoch,
    /// Its name in the ledger.
    pub id: BatchId,
    /// The outcomes; `None` if the worker ended without any.
    pub handled: Option<Vec<Handled>>,
}

/// The threads and the way to and from them.
pub struct Workers {
    lanes: Vec<Sender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
}

/// A batch that a worker holds. Dropped unfinished, it says so: nothing leaves silently.
#[must_use = "a batch in hand must be finished"]
struct InHand {
    done: Sender<Done>,
    message: Option<Done>,
}

impl InHand {
    fn finish(mut self, handled: Vec<Handled>) {
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

impl Workers {
    /// Starts `count` workers over the pipeline.
    ///
    /// # Errors
    /// What the system says if a thread cannot start.
    pub fn start(
        count: usize,
        pipeline: &Arc<Pipeline>,
        failpoints: &Arc<Failpoints>,
    ) -> Result<Self, std::io::Error> {
        let (done_sender, done) = unbounded();
        let mut lanes = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for n in 0..count {
            let (lane, jobs) = bounded(LANE_BATCHES);
            let worker = Worker {
                jobs,
                done: done_sender.clone(),
                pipeline: Arc::clone(pipeline),
                failpoints: Arc::clone(failpoints),
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{n}"))
                .spawn(move || worker.run())?;
            lanes.push(lane);
            threads.push(thread);
        }
        Ok(Self {
            lanes,
            done,
            threads,
        })
    }

    /// Returns whether the partition's worker can take another batch now.
    pub fn has_room(&self, partition: i32) -> bool {
        self.lane(partition).is_some_and(|lane| !lane.is_full())
    }

    /// Hands a batch to its partition's worker; gives it back if there is no room.
    ///
    /// # Errors
    /// The job, unchanged.
    pub fn hand(&self, job: Job) -> Result<(), Box<Job>> {
        match self.lane(job.batch.partition) {
            None => Err(Box::new(job)),
            Some(lane) => lane.try_send(job).map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => Box::new(job),
            }),
        }
    }

    /// Returns where finished batches arrive.
    pub fn done(&self) -> &Receiver<Done> {
        &self.done
    }

    fn lane(&self, partition: i32) -> Option<&Sender<Job>> {
        let index = partition.unsigned_abs() as usize % self.lanes.len().max(1);
        self.lanes.get(index)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.lanes.clear();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

struct Worker {
    jobs: Receiver<Job>,
    done: Sender<Done>,
    pipeline: Arc<Pipeline>,
    failpoints: Arc<Failpoints>,
}

impl Worker {
    fn run(&self) {
        for job in &self.jobs {
            let in_hand = InHand {
                done: self.done.clone(),
                message: Some(Done {
                    partition: job.batch.partition,
                    epoch: job.epoch,
                    id: job.id,
                    handled: None,
                }),
            };
            let handled = if job.give_up {
                self.give_up(&job.batch)
            } else {
                self.judge(&job.batch)
            };
            in_hand.finish(handled);
        }
    }

    fn judge(&self, batch: &Batch) -> Vec<Handled> {
        for record in &batch.records {
            self.failpoints
                .abort_on(record.value.as_deref().unwrap_or_default());
        }
        let handled = self.pipeline.handle(batch);
        self.failpoints.pass(Point::AfterJudge);
        handled
    }

    fn give_up(&self, batch: &Batch) -> Vec<Handled> {
        batch
            .records
            .iter()
            .map(|record| {
                self.pipeline.give_up(
                    batch,
                    record,
                    Reason::Crashed,
                    "the process died twice at this record; see crisol_dlq_offset and the logs of those starts",
                )
            })
            .collect()
    }
}
