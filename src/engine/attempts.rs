//! The attempt marker: which processes started at an offset without getting past it.
//!
//! It lives in the metadata of the committed offset, so it survives the process, its disk and its
//! host. It is written before the first record of an assignment is handed to a worker; every commit
//! that makes progress leaves it blank again.
//!
//! It names processes and does not count assignments: a process that lost its place and takes it
//! again did not die there.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// What the metadata begins with.
const PREFIX: &str = "crisol-starts=";
/// What separates the processes from where the records in doubt end.
const UNTIL: &str = ";until=";
/// The most processes a marker names: past [`GIVE_UP_AT`] one more changes nothing.
const MAX_NAMED: usize = 8;

/// The start at which the record at the committed offset is given up.
pub const GIVE_UP_AT: usize = 3;

/// The most records in doubt: no more of a partition are handed out until the first commit of an
/// assignment has made progress.
pub const PROBATION_RECORDS: usize = 512;

/// Names one run of this program, in markers only: two that met by chance would cost a record that
/// kills one more start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessName(u32);

/// What other processes left at a committed offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// The processes that started at this offset without progress, this one not among them.
    others: Vec<ProcessName>,
    /// The offset after the last record that was in flight when the latest of them started.
    pub until: i64,
}

impl ProcessName {
    /// Returns a name by chance; one a process.
    pub fn by_chance() -> Self {
        // The standard library seeds its hash maps by chance; nothing here needs more than that.
        let bits = RandomState::new().hash_one(std::process::id());
        Self(u32::try_from(bits >> 32).unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let bits = u32::from_str_radix(text, 16).ok()?;
        is_plain.then_some(Self(bits))
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl Starts {
    /// Reads the metadata of a committed offset as the process `own`; anything but a marker counts
    /// as none.
    pub fn parse(metadata: &str, own: ProcessName) -> Self {
        let read = || {
            let (names, until) = metadata.strip_prefix(PREFIX)?.split_once(UNTIL)?;
            let mut others = names
                .split(',')
                .take(MAX_NAMED)
                .map(ProcessName::parse)
                .collect::<Option<Vec<_>>>()?;
            others.retain(|name| *name != own);
            Some(Self {
                others,
                until: until.parse().ok()?,
            })
        };
        read().unwrap_or_default()
    }

    /// Returns the metadata that tells that `own` started here too, with records in doubt before
    /// `until`.
    pub fn metadata_with(&self, own: ProcessName, until: i64) -> String {
        let mut names = String::new();
        for other in self.others.iter().take(MAX_NAMED - 1) {
            names.push_str(&other.to_string());
            names.push(',');
        }
        format!("{PREFIX}{names}{own}{UNTIL}{until}")
    }

    /// Returns how many other processes started here without progress.
    pub fn count(&self) -> usize {
        self.others.len()
    }

    /// Returns whether another process made no progress here.
    pub fn suspicious(&self) -> bool {
        self.count() > 0
    }

    /// Returns whether this start is the one that gives the record up.
    pub fn gives_up(&self) -> bool {
        self.count() + 1 >= GIVE_UP_AT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ProcessName = ProcessName(1);
    const B: ProcessName = ProcessName(2);
    const C: ProcessName = ProcessName(0xffff_ffff);

    #[test]
    fn the_third_start_gives_up() {
        let mut metadata = String::new();
        for (own, gives_up) in [(A, false), (B, false), (C, true)] {
            let starts = Starts::parse(&metadata, own);
            assert_eq!(starts.gives_up(), gives_up, "{metadata}");
            metadata = starts.metadata_with(own, 17);
            assert_eq!(Starts::parse(&metadata, own).until, 17);
        }
    }

    #[test]
    fn two_processes_that_take_a_place_from_each_other_never_give_up() {
        let mut metadata = String::new();
        for own in [A, B, A, B, A] {
            let starts = Starts::parse(&metadata, own);
            assert!(!starts.gives_up(), "{metadata}");
            metadata = starts.metadata_with(own, 17);
        }
    }

    #[test]
    fn a_marker_stays_short_however_many_start() {
        let mut metadata = String::new();
        for n in 0..100 {
            metadata = Starts::parse(&metadata, ProcessName(n)).metadata_with(ProcessName(n), 1);
            assert!(metadata.len() < 128, "{metadata}");
        }
        assert!(Starts::parse(&metadata, A).gives_up());
    }

    #[test]
    fn foreign_metadata_is_no_marker() {
        for text in [
            "",
            "x",
            "crisol-starts=",
            "crisol-starts=00000001",
            "crisol-starts=1;until=2",
            "crisol-starts=+0000001;until=2",
            "crisol-starts=00000001;until=x",
            "2",
        ] {
            assert_eq!(Starts::parse(text, B), Starts::default(), "{text}");
        }
    }
}
