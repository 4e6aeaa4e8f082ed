//! The engine: poll, dispatch, commit, rebalance, shutdown.
//!
//! One thread owns the consumer, another the transactional producer. Workers get batches and hand back
//! outcomes; outcomes are held until their offset is in the contiguous finished prefix, and then
//! sent in a transaction that ends with the offsets. See `docs/engine.md`.

mod assignment;
mod attempts;
mod batching;
mod commit;
mod committer;
mod config;
mod crew;
mod error;
mod failpoint;
mod flood;
mod halt;
mod health;
mod metrics;
mod quarantine;
mod rebalance;
mod rejoin;
mod run;
mod slots;
mod tally;
mod workers;

pub use config::{EngineConfig, InvalidEngineConfig};
pub use crew::Crew;
pub use error::EngineError;
pub use failpoint::{FAILPOINT_ENV, Failpoints};
pub use health::Health;
pub use metrics::EngineMetrics;
pub use run::{Engine, Parts};
pub use slots::{InvalidSlotsConfig, Slots, SlotsConfig};
pub use workers::Workers;
