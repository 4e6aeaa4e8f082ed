//! Halted partitions: paused and still polled, until an operator says to go on.
//!
//! What halts a partition stands on `control`, written in the transaction of the records that brought it
//! about, so a restart or another owner does not begin the flood anew. `crisol dlq resume` takes it back.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{error, info, warn};

use crate::engine::run::Engine;
use crate::event::codec::printable;
use crate::event::control::{ControlKey, ControlValue, HaltRecord};
use crate::event::timestamp::format_rfc3339;
use crate::ledger::Sealed;

/// How long a halt may take from here to `control` and back. One that is not seen by then was taken back
/// before the table was read again.
const SEEN_LIMIT: Duration = Duration::from_secs(20);
/// How long the client may take to go back to where the partition was halted.
const SEEK_LIMIT: Duration = Duration::from_secs(1);

/// Whether a partition is halted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Halt {
    /// It is not.
    #[default]
    None,
    /// This replica has said so, and `control` has not come back with it.
    Declared {
        /// When.
        at: Instant,
    },
    /// `control` says so.
    InForce,
}

impl Engine {
    /// Writes a halt beside the outcomes that brought it about.
    pub(super) fn declare_halt(&self, partition: i32, run: &mut Sealed, bad_in_a_row: u64) {
        let key = ControlKey::Halt {
            topic: self.parts.input,
            partition,
        };
        let halt = HaltRecord {
            offset: run.next,
            bad_in_a_row,
            since: format_rfc3339((self.parts.clock)()),
        };
        error!(
            partition,
            offset = run.next,
            bad_in_a_row,
            "flood of bad records: partition halted; look at: crisol dlq list; go on with: crisol dlq resume"
        );
        if let Some(last) = run.handled.last_mut() {
            last.outputs.push(key.setting(&ControlValue::Halt(halt)));
        }
    }

    /// Takes nothing more from a partition. What is in flight behind the last sealed record is dropped:
    /// it comes again.
    pub(super) fn stop_partition(&mut self, partition: i32, halt: Halt) {
        let Some(next) = self.assignment.halt(partition, halt) else {
            return;
        };
        self.forget_proposed(partition, next);
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        if let Err(error) = self.consumer.pause(&list) {
            warn!(partition, error = %printable(&error.to_string()), "cannot pause");
        }
    }

    /// Halts and resumes partitions as `control` says.
    pub(super) fn obey_halts(&mut self) {
        let control = self.parts.tables.control_snapshot();
        let input = self.parts.input;
        let (mut stop, mut go_on) = (Vec::new(), Vec::new());
        for (partition, owned) in self.assignment.iter_mut() {
            let said = control.halts.contains_key(&(input, partition));
            match owned.halt {
                Halt::None if said => stop.push(partition),
                Halt::Declared { .. } if said => owned.halt = Halt::InForce,
                Halt::Declared { at } if at.elapsed() < SEEN_LIMIT => {}
                Halt::Declared { .. } | Halt::InForce if !said => go_on.push(partition),
                Halt::None | Halt::Declared { .. } | Halt::InForce => {}
            }
        }
        for partition in stop {
            warn!(
                partition,
                "partition is halted; go on with: crisol dlq resume"
            );
            self.stop_partition(partition, Halt::InForce);
        }
        for partition in go_on {
            self.resume_partition(partition);
        }
    }

    fn resume_partition(&mut self, partition: i32) {
        let Some(owned) = self.assignment.get_mut(partition) else {
            return;
        };
        let next = owned.ledger.sealed_through();
        // First back, then on: what was fetched past it must not be taken for the next.
        let back = self
            .consumer
            .seek(&self.topic, partition, Offset::Offset(next), SEEK_LIMIT);
        if let Err(error) = back {
            warn!(partition, error = %printable(&error.to_string()), "cannot go on yet");
            return;
        }
        owned.halt = Halt::None;
        owned.flood = Default::default();
        info!(partition, next, "partition goes on");
    }
}
