//! The attempt marker: how often a replica started at an offset without getting past it.
//!
//! It lives in the metadata of the committed offset, so it survives the process, its disk and its
//! host. It is written before the first record of an assignment is handed to a worker; every commit
//! that makes progress leaves it blank again.

/// What the metadata begins with.
const PREFIX: &str = "crisol-starts=";
/// What separates the count from where the records in doubt end.
const UNTIL: &str = ";until=";

/// The start at which the record at the committed offset is given up.
pub const GIVE_UP_AT: u32 = 3;

/// The most records in doubt: no more of a partition are handed out until the first commit of an
/// assignment has made progress.
pub const PROBATION_RECORDS: usize = 512;

/// What an earlier start left at a committed offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Starts {
    /// How many starts there were at this offset without progress, this one not counted.
    pub count: u32,
    /// The offset after the last record that was in flight when the latest of them died.
    pub until: i64,
}

impl Starts {
    /// Reads the metadata of a committed offset; anything but a marker counts as none.
    pub fn parse(metadata: &str) -> Self {
        let read = || {
            let (count, until) = metadata.strip_prefix(PREFIX)?.split_once(UNTIL)?;
            Some(Self {
                count: count.parse().ok()?,
                until: until.parse().ok()?,
            })
        };
        read().unwrap_or_default()
    }

    /// Returns the metadata that tells of one more start, with records in doubt before `until`.
    pub fn next_metadata(self, until: i64) -> String {
        format!("{PREFIX}{}{UNTIL}{until}", self.count.saturating_add(1))
    }

    /// Returns whether an earlier start at this offset made no progress.
    pub fn suspicious(self) -> bool {
        self.count > 0
    }

    /// Returns whether this start is the one that gives the record up.
    pub fn gives_up(self) -> bool {
        self.count + 1 >= GIVE_UP_AT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_start_gives_up() {
        let mut starts = Starts::parse("");
        for (nth, gives_up) in [(1, false), (2, false), (3, true)] {
            assert_eq!(starts.gives_up(), gives_up, "start {nth}");
            starts = Starts::parse(&starts.next_metadata(17));
            assert_eq!(starts.until, 17);
        }
    }

    #[test]
    fn foreign_metadata_is_no_marker() {
        for text in [
            "",
            "x",
            "crisol-starts=",
            "crisol-starts=-1;until=2",
            "crisol-starts=2",
            "2",
        ] {
            assert_eq!(Starts::parse(text), Starts::default(), "{text}");
        }
    }
}
