//! An input record and what must become of it.

use std::fmt;

use super::kind::Kind;

/// A header: its name, and its value if it has one.
pub type Header = (String, Option<Vec<u8>>);

/// A record for `patches`, to be produced byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The key, which decides the partition; the order of one CVE's events must be kept.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers, in order; one is `x-nonce`, and no two events share it.
    pub headers: Vec<Header>,
    /// What must become of it.
    pub expected: Expected,
}

/// What must become of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The position in the generator's stream, from 0.
    pub number: u64,
    /// The kind of event.
    pub kind: Kind,
    /// What becomes of it.
    pub disposition: Disposition,
    /// Why, as it stands on the output.
    pub reason: &'static str,
    /// The sha-256 of the diff, or of a dead event's value.
    pub digest: String,
    /// The value of the event's `x-nonce` header.
    pub nonce: String,
    /// What else the output must say.
    pub about: About,
}

/// What an output says, beside its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A patch, on `decisions` or `hitl`.
    Patch {
        /// The producer's id, or `req:` and the digest.
        patch_id: String,
        /// The CVE.
        cve_id: String,
        /// The package, as the APV spells it; `None` where the table has no facts that say which.
        package: Option<String>,
    },
    /// A dead letter: the original, by its key, headers and [`Expected::digest`].
    Letter {
        /// The original key.
        key: Option<Vec<u8>>,
        /// Whether the original had no value at all, rather than an empty one.
        tombstone: bool,
        /// The original headers.
        headers: Vec<Header>,
        /// Whether the letter may leave out value, key and headers, because they may not fit.
        large: bool,
    },
}

/// What becomes of an event. There is no wargame in this stream: no exploit exists for its CVEs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disposition {
    /// On `decisions`.
    Decided,
    /// On `hitl`.
    Queued,
    /// On `dlq`.
    Dead,
}

// === impl Disposition ===

impl Disposition {
    /// Returns the disposition that a reason goes with.
    pub fn of(reason: &str) -> Self {
        match reason {
            "judge_confident" => Self::Decided,
            "empty_value" | "limit_exceeded" | "invalid_utf8" | "invalid_json"
            | "schema_violation" | "diff_invalid" => Self::Dead,
            _ => Self::Queued,
        }
    }
}

// === impl Expected ===

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            kind,
            disposition,
            reason,
            nonce,
            ..
        } = self;
        write!(
            f,
            "event {number} ({nonce}, {kind:?}: {disposition:?} {reason})"
        )
    }
}
