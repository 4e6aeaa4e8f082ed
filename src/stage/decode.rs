//! Decode: bytes to patches.

use crate::diff::synthesize;
use crate::event::limits::EventLimits;
use crate::event::patch::{Patch, decode as decode_one};
use crate::event::record::Record;
use crate::stage::Refused;

/// Returns a patch for each record, or why it is none. Patches borrow from the records.
pub fn decode<'r>(records: &'r [Record], limits: &EventLimits) -> Vec<Result<Patch<'r>, Refused>> {
    records
        .iter()
        .map(|record| {
            decode_one(record.value.as_deref(), limits, synthesize).map_err(|error| Refused {
                reason: error.reason(),
                message: error.to_string(),
            })
        })
        .collect()
}
