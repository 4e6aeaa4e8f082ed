//! What must hold of a ledger at any time.

use crate::ledger::partition::{Entry, PartitionLedger};

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A batch finishes that is not open.
    #[error("a batch finished that is not open")]
    NotOpen,
    /// A batch begins before its predecessor ends.
    #[error("a batch begins at {first}, before {after}")]
    Overlap {
        /// Where the batch begins.
        first: i64,
        /// Where it may begin at the earliest.
        after: i64,
    },
    /// A finished batch does not account for each of its records exactly once and in order.
    #[error("the batch at {first} has {records} records and {handled} outcomes in order")]
    Unaccounted {
        /// Where the batch begins.
        first: i64,
        /// How many records it has.
        records: usize,
        /// How many of them have an outcome in order.
        handled: usize,
    },
    /// The end of the last batch is not the end of what was admitted.
    #[error("admitted through {admitted}, but the last batch ends at {end}")]
    End {
        /// What the ledger says.
        admitted: i64,
        /// What its batches say.
        end: i64,
    },
    /// The counts in flight are not the sum of the batches.
    #[error("{counted} records in flight, the batches hold {held}")]
    InFlight {
        /// What the ledger says.
        counted: usize,
        /// What its batches say.
        held: usize,
    },
}

/// Checks every invariant of a ledger.
///
/// # Errors
/// The first [`Violation`] found.
pub fn check(ledger: &PartitionLedger) -> Result<(), Violation> {
    let mut after = ledger.committed;
    for entry in &ledger.entries {
        if entry.first < after || entry.next <= entry.first {
            return Err(Violation::Overlap {
                first: entry.first,
                after,
            });
        }
        check_accounted(entry)?;
        after = entry.next;
    }
    if ledger.admitted != after {
        return Err(Violation::End {
            admitted: ledger.admitted,
            end: after,
        });
    }
    let held = ledger.entries.iter().map(|entry| entry.records).sum();
    if ledger.records_in_flight() != held {
        return Err(Violation::InFlight {
            counted: ledger.records_in_flight(),
            held,
        });
    }
    Ok(())
}

/// Promise 1: every record has exactly one outcome.
pub(super) fn check_accounted(entry: &Entry) -> Result<(), Violation> {
    let Some(handled) = &entry.handled else {
        return Ok(());
    };
    let mut least = entry.first;
    let mut in_order = 0;
    for outcome in handled {
        if outcome.offset >= least && outcome.offset < entry.next {
            in_order += 1;
        }
        least = outcome.offset + 1;
    }
    if in_order != entry.records || handled.len() != entry.records {
        return Err(Violation::Unaccounted {
            first: entry.first,
            records: entry.records,
            handled: in_order,
        });
    }
    Ok(())
}
