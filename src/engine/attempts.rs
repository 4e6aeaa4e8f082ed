//! The attempt marker: how often a replica started at an offset without getting past it.
//!
//! It lives in the metadata of the committed offset, so it survives the process, its disk and its
//! host. It is written before the first record of an assignment is handed to a worker; every commit
//! that makes progress leaves it blank again.

/// What the metadata begins with.
const PREFIX: &str = "crisol-starts=";

/// The start at which the record at the committed offset is given up.
pub const GIVE_UP_AT: u32 = 3;

/// How many starts there were at the committed offset, this one not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Starts(pub u32);

impl Starts {
    /// Reads the metadata of a committed offset; anything but a marker counts as none.
    pub fn parse(metadata: &str) -> Self {
        let count = metadata
            .strip_prefix(PREFIX)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        Self(count)
    }

    /// Returns the metadata that tells of one more start than these.
    pub fn next_metadata(self) -> String {
        format!("{PREFIX}{}", self.0.saturating_add(1))
    }

    /// Returns whether an earlier start at this offset made no progress.
    pub fn suspicious(self) -> bool {
        self.0 > 0
    }

    /// Returns whether this start is the one that gives the record up.
    pub fn gives_up(self) -> bool {
        self.0 + 1 >= GIVE_UP_AT
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
            starts = Starts::parse(&starts.next_metadata());
        }
    }

    #[test]
    fn foreign_metadata_is_no_marker() {
        for text in ["", "x", "crisol-starts=", "crisol-starts=-1", "2"] {
            assert_eq!(Starts::parse(text), Starts(0), "{text}");
        }
    }
}
