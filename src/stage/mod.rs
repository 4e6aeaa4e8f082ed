//! The stages: plain functions over a batch, one file each, in the order of the stream.

pub mod conclude;
pub mod decode;
pub mod fight;
pub mod join;
pub mod judge;
pub mod read;
pub mod recall;
pub mod route;
mod telling;

use crate::event::reason::Reason;

/// A record that cannot be taken as a patch: it becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refused {
    /// Why, as an operator filters for it.
    pub reason: Reason,
    /// What is wrong and where, in words; printable.
    pub message: String,
}
