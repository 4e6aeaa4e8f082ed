//! Taking records in: from polled messages to batches with a worker.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Select;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use tracing::{debug, warn};

use crate::engine::crew::{Done, Job};
use crate::engine::error::EngineError;
use crate::engine::failpoint::Point;
use crate::engine::run::Engine;
use crate::event::codec::printable;
use crate::event::record::{Batch, Record};
use crate::log::error::is_instance_fenced;
use crate::log::source::record_of;

/// Messages taken in one go before the engine looks at anything else.
const POLL_BURST: usize = 2_000;

impl Engine {
    /// Polls for up to a burst of records, waiting `patience` for the first.
    pub(super) fn poll(&mut self, patience: Duration) -> Result<(), EngineError> {
        let consumer = Arc::clone(&self.consumer);
        let mut wait = patience;
        let mut polled = 0;
        self.parts.health.polled();
        while polled < POLL_BURST {
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    polled += 1;
                    if let Some(owned) = self.assignment.get_mut(message.partition()) {
                        owned.gather(record_of(&message));
                        if owned.is_full(&self.parts.config) {
                            break;
                        }
                    }
                }
                Some(Err(error)) => self.consumer_error(&error)?,
            }
            wait = Duration::ZERO;
        }
        if polled > 0 {
            self.parts.failpoints.pass(Point::AfterPoll);
        }
        Ok(())
    }

    /// Sorts a consumer error: most heal by themselves, some end the run.
    pub(super) fn consumer_error(&self, error: &KafkaError) -> Result<(), EngineError> {
        self.check_consumer()?;
        if is_instance_fenced(error) {
            return Err(self.instance_fenced("the group says so"));
        }
        match error {
            KafkaError::MessageConsumptionFatal(_) => {
                Err(EngineError::Consumer(printable(&error.to_string())))
            }
            KafkaError::MessageConsumption(RDKafkaErrorCode::PollExceeded) => {
                warn!("the group gave up on this replica between two polls; joining again");
                Ok(())
            }
            _ => {
                debug!(error = %printable(&error.to_string()), "consumer error; the client retries");
                Ok(())
            }
        }
    }

    /// Hands gathered records to workers, as far as these have room.
    pub(super) fn dispatch(&mut self) -> Result<(), EngineError> {
        if self.in_quarantine() {
            return self.step_carefully();
        }
        self.mark_first_records();
        for partition in self.assignment.partitions() {
            while self.parts.crew.has_room(partition) {
                let config = &self.parts.config;
                let Some(owned) = self.assignment.get_mut(partition) else {
                    break;
                };
                let records = owned.take_batch(config.batch_records, config.batch_bytes);
                if records.is_empty() {
                    break;
                }
                self.hand(partition, records, false);
            }
        }
        Ok(())
    }

    /// Admits records to the ledger and hands them to their worker.
    pub(super) fn hand(&mut self, partition: i32, records: Vec<Record>, give_up: bool) {
        let Some(owned) = self.assignment.get_mut(partition) else {
            return;
        };
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        let bytes = records.iter().map(Record::size_bytes).sum();
        let (first, next) = (first.offset, last.offset + 1);
        let Some(id) = owned.ledger.admit(first, next, records.len(), bytes) else {
            debug!(partition, first, "dropped records fetched before a rewind");
            return;
        };
        let job = Job {
            epoch: owned.epoch,
            id,
            batch: Batch {
                topic: Arc::clone(&self.topic),
                partition,
                records,
            },
            give_up,
        };
        if self.parts.crew.hand(job).is_err() {
            // The room was asked for just before and only this thread fills it, so the worker is
            // gone; its guard has told so.
            warn!(partition, "a worker is gone");
        }
    }

    /// Takes finished batches, waiting `patience` for the first or for the end of a transaction.
    pub(super) fn collect(&mut self, patience: Duration) -> Result<(), EngineError> {
        if !patience.is_zero() {
            // The end of a transaction is as good a reason to look around.
            let mut events = Select::new();
            events.recv(self.parts.crew.done());
            events.recv(self.committer.ended());
            let _ = events.ready_timeout(patience);
        }
        while let Ok(done) = self.parts.crew.done().try_recv() {
            self.finish(done)?;
        }
        Ok(())
    }

    fn finish(&mut self, done: Done) -> Result<(), EngineError> {
        let partition = done.partition;
        let current = self
            .assignment
            .get_mut(partition)
            .filter(|owned| owned.epoch == done.epoch);
        let Some(owned) = current else {
            debug!(partition, epoch = ?done.epoch, "dropped completion of a past assignment");
            self.parts.metrics.refused_completion();
            // What the worker proposed belongs to nobody now.
            let from = self
                .assignment
                .get(partition)
                .map_or(0, |owned| owned.ledger.admitted_through());
            self.forget_proposed(partition, from);
            return Ok(());
        };
        let Some(handled) = done.handled else {
            return Err(EngineError::WorkerLost { partition });
        };
        owned
            .ledger
            .finish(done.id, handled)
            .map_err(|violation| EngineError::Ledger {
                partition,
                violation,
            })
    }

    /// Forgets what was proposed for records at or past `from`.
    pub(super) fn forget_proposed(&self, partition: i32, from: i64) {
        self.parts.crew.forget(partition, from);
    }
}
