//! Crisol decides which machine-made security patches may ship by themselves and which a person
//! must see.
//!
//! It is the engine behind the `crisol` binary, laid out in data order: each room uses only those
//! listed before it. It is not a patch generator, not a scanner and not a general stream processor.

pub mod config;
pub mod event;
pub mod diff;
pub mod ledger;
pub mod guard;
pub mod judge;
pub mod policy;
pub mod exploit;
pub mod arena;
pub mod log;
pub mod table;
pub mod memory;
pub mod stage;
pub mod pipeline;
pub mod engine;
pub mod http;
pub mod role;
pub mod cli;
