//! The stages: plain functions over a batch, one file each, in the order of the stream.

pub mod conclude;
pub mod decode;
pub mod fight;
pub mod join;
pub mod judge;
pub mod read;
pub mod recall;
pub mod route;
pub mod sources;
mod telling;

use crate::event::reason::Reason;
use crate::event::record::{Batch, Handled, Record};
use crate::log::dead_letter::{Origin, dead_letter};

/// A record that cannot be taken as a patch: it becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refused {
    /// Why, as an operator filters for it.
    pub reason: Reason,
    /// What is wrong and where, in words; printable.
    pub message: String,
}

/// Returns the dead letter of a record, as its outcome.
pub fn dead(
    batch: &Batch,
    record: &Record,
    refused: &Refused,
    now_ms: i64,
    max_output_bytes: usize,
) -> Handled {
    let origin = Origin {
        topic: &batch.topic,
        partition: batch.partition,
    };
    let letter = dead_letter(
        record,
        origin,
        refused.reason,
        &refused.message,
        now_ms,
        max_output_bytes,
    );
    Handled {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        disposition: refused.reason.disposition(),
        reason: refused.reason,
        outputs: vec![letter],
        ab_sampled: false,
        memo: None,
        agreement: None,
    }
}
