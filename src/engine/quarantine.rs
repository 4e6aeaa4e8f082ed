//! Quarantine: stepping record by record where earlier starts died.
//!
//! A record that kills the process kills everything in flight with it, so a crash alone does not
//! say which record it was. After a start without progress, the records in doubt of the partition are
//! stepped through: one record, one transaction, nothing else in flight anywhere in the process, one
//! partition after another, so that a crash is nobody else's. The record that
//! kills is then the one at the committed offset, and its third start gives it up.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{error, info, warn};

use crate::engine::error::EngineError;
use crate::engine::run::Engine;
use crate::event::codec::printable;

/// How long a worker may take over a single record before the engine looks around again.
const STEP_PATIENCE: Duration = Duration::from_millis(50);
/// How long the next record of a suspect may be missing: the last ones in doubt may be gone, by
/// retention, or may never have been records.
const STEP_LIMIT: Duration = Duration::from_secs(3);

impl Engine {
    /// Returns whether some partition has to be stepped through.
    pub(super) fn in_quarantine(&self) -> bool {
        self.assignment
            .iter()
            .any(|(_, owned)| owned.careful_until.is_some())
    }

    /// Writes the marker of every partition whose first record of this assignment is about to be
    /// handed out, in one commit.
    pub(super) fn mark_first_records(&mut self) {
        let mut marks = TopicPartitionList::new();
        for (partition, owned) in self.assignment.iter_mut() {
            if owned.gathered.is_empty() {
                continue;
            }
            if let Some(starts) = owned.starts.take() {
                let metadata = starts.metadata_with(self.name, owned.begin_probation());
                add_mark(
                    &mut marks,
                    &self.topic,
                    partition,
                    owned.ledger.sealed_through(),
                    &metadata,
                );
            }
        }
        self.commit_marks(&marks);
    }

    /// Takes one record of the suspect through worker and commit.
    pub(super) fn step_carefully(&mut self) -> Result<(), EngineError> {
        if self
            .assignment
            .iter()
            .any(|(_, owned)| !owned.ledger.is_idle())
        {
            self.collect(STEP_PATIENCE)?;
            return self.commit_now();
        }
        let last_step = *self.last_step.get_or_insert_with(Instant::now);
        let Some((partition, owned)) = self
            .assignment
            .iter_mut()
            .find(|(_, owned)| owned.careful_until.is_some())
        else {
            return Ok(());
        };
        let at = owned.ledger.admitted_through();
        let until = owned.careful_until.unwrap_or(at);
        let exhausted = owned.gathered.is_empty() && last_step.elapsed() >= STEP_LIMIT;
        if at >= until || exhausted {
            info!(partition, at, "quarantine over");
            owned.careful_until = None;
            self.clear_marks(&[partition]);
            if let Some(owned) = self.assignment.get_mut(partition) {
                owned.expect_marker();
            }
            self.last_step = None;
            self.count_quarantined();
            return Ok(());
        }
        let records = owned.take_batch(1, usize::MAX);
        if records.is_empty() {
            return Ok(());
        }
        let mut give_up = false;
        if let Some(starts) = owned.starts.take() {
            give_up = starts.gives_up();
            if give_up {
                error!(
                    partition,
                    offset = at,
                    starts = starts.count(),
                    "giving up the record at which earlier starts died"
                );
            }
            owned.marked = true;
            let mut marks = TopicPartitionList::new();
            add_mark(
                &mut marks,
                &self.topic,
                partition,
                at,
                &starts.metadata_with(self.name, until),
            );
            self.commit_marks(&marks);
        }
        self.hand(partition, records, give_up);
        self.last_step = Some(Instant::now());
        self.collect(STEP_PATIENCE)?;
        self.commit_now()
    }

    /// Leaves no marker where work ended in good order.
    pub(super) fn clear_marks(&mut self, partitions: &[i32]) {
        let mut marks = TopicPartitionList::new();
        for partition in partitions {
            if let Some(owned) = self.assignment.get_mut(*partition)
                && owned.marked
            {
                owned.marked = false;
                add_mark(
                    &mut marks,
                    &self.topic,
                    *partition,
                    owned.ledger.sealed_through(),
                    "",
                );
            }
        }
        self.commit_marks(&marks);
    }

    pub(super) fn count_quarantined(&self) {
        let count = self
            .assignment
            .iter()
            .filter(|(_, owned)| owned.careful_until.is_some())
            .count();
        self.parts.metrics.quarantined(count);
    }

    /// Commits offsets that do not move, for their metadata. A marker that cannot be written costs
    /// one more start to find a record that kills; it is no reason to stop.
    fn commit_marks(&self, marks: &TopicPartitionList) {
        if marks.count() == 0 {
            return;
        }
        if let Err(error) = self.consumer.commit(marks, CommitMode::Sync) {
            warn!(error = %printable(&error.to_string()), "cannot write attempt markers");
        }
    }
}

fn add_mark(
    marks: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    offset: i64,
    metadata: &str,
) {
    let mut element = marks.add_partition(topic, partition);
    // Setting a non-negative offset cannot fail.
    let _ = element.set_offset(Offset::Offset(offset.max(0)));
    element.set_metadata(metadata);
}
