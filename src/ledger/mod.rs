//! The ledger of one partition: which offsets may be committed.
//!
//! Batches are admitted in offset order and finish in any order. What they hand in is sealed only
//! while every earlier batch has finished too, so a committed offset never skips one. The ledger
//! knows no Kafka and no clock; its invariants are functions, checked in debug builds after every
//! step and used by the property tests.

mod counts;
mod invariants;
mod partition;

pub use counts::Counts;
pub use invariants::{Violation, check};
pub use partition::{BatchId, PartitionLedger, Sealed};

#[cfg(test)]
mod tests;
