//! What an account comes to.

use std::collections::BTreeMap;
use std::fmt;

use super::event::Disposition;

/// How many of each fault are shown.
const SHOWN: usize = 5;

/// The faults of a run; none if every event had exactly the disposition that was computed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many events were expected.
    pub expected: usize,
    /// How many of them were seen at least once.
    pub seen: usize,
    /// Events that were not seen.
    pub lost: Vec<String>,
    /// Events that were seen more than once, and where.
    pub twice: Vec<String>,
    /// Events that were seen otherwise than expected.
    pub wrong: Vec<Wrong>,
    /// Outputs that no event asked for, or that cannot be read.
    pub unexpected: Vec<String>,
    /// Places where, within one output partition, the offsets of one input partition went back.
    pub went_back: Vec<String>,
    /// How many events were expected for each disposition and reason.
    pub split: BTreeMap<(Disposition, &'static str), usize>,
}

/// One difference between what was expected and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The event.
    pub event: String,
    /// What differs.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: String,
}

// === impl Report ===

impl Report {
    /// Whether there is no fault.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.twice.is_empty()
            && self.wrong.is_empty()
            && self.unexpected.is_empty()
            && self.went_back.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} events expected, {} seen: {} lost, {} twice, {} wrong, {} unexpected, {} went back",
            self.expected,
            self.seen,
            self.lost.len(),
            self.twice.len(),
            self.wrong.len(),
            self.unexpected.len(),
            self.went_back.len()
        )?;
        for ((disposition, reason), count) in &self.split {
            writeln!(f, "  {count:>8} {disposition:?} {reason}")?;
        }
        section(f, "lost", &self.lost)?;
        section(f, "twice", &self.twice)?;
        section(f, "wrong", &self.wrong)?;
        section(f, "unexpected", &self.unexpected)?;
        section(f, "went back", &self.went_back)
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, faults: &[impl fmt::Display]) -> fmt::Result {
    for fault in faults.iter().take(SHOWN) {
        writeln!(f, "{name}: {fault}")?;
    }
    match faults.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "{name}: and {more} more"),
    }
}

// === impl Wrong ===

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            event,
            what,
            expected,
            seen,
        } = self;
        write!(f, "{event}: {what}: expected {expected}, seen {seen}")
    }
}
