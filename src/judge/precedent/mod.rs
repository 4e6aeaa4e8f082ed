//! Associative memory: what earlier candidates for the same CVE, and their makers, say about one.
//!
//! A verdict is what a wargame said, not the truth: of those that it calls mitigated a third are wrong. So
//! good and bad ones have counts of their own, and how far to trust which is left to the forest.

mod casebook;
mod columns;
mod experience;

pub use casebook::{Candidate, Casebook, Digest, Evicted};
pub use columns::{COLUMNS, Precedent, columns, features, without_generator};
pub use experience::{Background, Experience};
use xxhash_rust::xxh3::xxh3_64;

/// Candidates of a CVE that are kept, and that one is compared with: the newest.
pub const MOST: usize = 60;

/// Returns how a generator is known among candidates: by the hash of its name.
pub fn generator_hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}
