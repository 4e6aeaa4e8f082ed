//! The second, plain implementation that exactly-once claims are measured against.
//!
//! [`World`] makes vulnerabilities and settings, [`Generator`] makes patch events and says beforehand what must
//! become of each ([`Expected`]), [`Account`] takes what a `read_committed` reader saw and tells what was lost, came
//! twice, came otherwise or was never asked for.
//!
//! Nothing here uses the crate under test. Versions are three numbers, the table is a map, policy is a list of
//! `if`s: simple enough to be checked by eye against the design. The same seeds give the same bytes for ever.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part of the oracle"
)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an oracle that cannot go on fails the test"
)]

mod account;
mod apv;
pub mod code;
mod compare;
mod dead;
mod draft;
mod event;
mod expect;
mod facts;
mod generate;
mod identity;
mod kind;
mod make;
mod manifest;
mod open;
pub mod random;
mod reach;
mod report;
mod sighting;
mod unified;
mod wire;
mod world;

#[cfg(test)]
mod controls;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use event::{About, Disposition, Event, Expected, Header};
pub use generate::Generator;
pub use identity::sha256;
pub use kind::Kind;
pub use random::Random;
pub use report::{Report, Wrong};
pub use sighting::{Outlet, Sighting};
pub use world::{TableRecord, World};
