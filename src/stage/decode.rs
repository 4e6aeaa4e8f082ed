//! Decode: bytes to patches.

use crate::diff::synthesize;
use crate::event::limits::EventLimits;
use crate::event::patch::{Patch, decode as decode_one};
use crate::event::reason::Reason;
use crate::event::record::{LeftOut, Record};
use crate::stage::Refused;

/// Returns a patch for each record, or why it is none. Patches borrow from the records.
pub fn decode<'r>(records: &'r [Record], limits: &EventLimits) -> Vec<Result<Patch<'r>, Refused>> {
    records
        .iter()
        .map(|record| {
            if let Some(left_out) = &record.left_out {
                return Err(too_large(left_out, limits));
            }
            decode_one(record.value.as_deref(), limits, synthesize).map_err(|error| Refused {
                reason: error.reason(),
                message: error.to_string(),
            })
        })
        .collect()
}

fn too_large(left_out: &LeftOut, limits: &EventLimits) -> Refused {
    Refused {
        reason: Reason::LimitExceeded,
        message: format!(
            "the record has {} bytes with key and headers, the limit max_record_bytes is {}",
            left_out.bytes, limits.max_record_bytes
        ),
    }
}
