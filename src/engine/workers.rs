//! Workers: threads that judge batches. Batches of one partition go to one worker, in order, so a
//! patch sees what the patches before it left open.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use crate::engine::crew::{Crew, Done, InHand, Job};
use crate::engine::failpoint::{Failpoints, Point};
use crate::event::reason::Reason;
use crate::event::record::{Batch, Handled, Memo};
use crate::pipeline::Pipeline;

/// Batches a worker may have waiting beside the one it judges.
const LANE_BATCHES: usize = 4;

/// The threads and the way to and from them.
pub struct Workers {
    lanes: Vec<Sender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    pipeline: Arc<Pipeline>,
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
            pipeline: Arc::clone(pipeline),
        })
    }

    fn lane(&self, partition: i32) -> Option<&Sender<Job>> {
        let index = partition.unsigned_abs() as usize % self.lanes.len().max(1);
        self.lanes.get(index)
    }
}

impl Crew for Workers {
    fn has_room(&self, partition: i32) -> bool {
        self.lane(partition).is_some_and(|lane| !lane.is_full())
    }

    fn hand(&self, job: Job) -> Result<(), Box<Job>> {
        match self.lane(job.batch.partition) {
            None => Err(Box::new(job)),
            Some(lane) => lane.try_send(job).map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => Box::new(job),
            }),
        }
    }

    fn done(&self) -> &Receiver<Done> {
        &self.done
    }

    fn seal(&self, _handled: &mut [Handled]) {}

    fn committed(&self, _handled: &[Handled]) {}

    fn remember(&self, memos: Vec<Memo>) {
        self.pipeline.remember(memos);
    }

    fn begin_again(&self) {}

    fn forget(&self, partition: i32, from: i64) {
        let tables = self.pipeline.tables();
        tables.open_items.forget_proposed(partition, from);
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
            let in_hand = InHand::take(&job, self.done.clone());
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
