//! The two sides of a hunk, each with its reader.

use super::Reader;
use crate::judge::advisory::path::FileKind;
use crate::judge::advisory::place::Read;

/// The readers of the text before and of the text after.
///
/// Most of a hunk stands on both sides. While both readers know the same, only the one of the text
/// after reads, for both.
pub(in super::super) struct Sides<'a> {
    /// Out of date while `apart` is not set.
    before: Reader<'a>,
    after: Reader<'a>,
    /// Whether the sides may know different things.
    apart: bool,
}

impl<'a> Sides<'a> {
    /// Returns the sides of a hunk of which nothing has been seen yet but its heading.
    pub fn new(kind: FileKind, heading: &'a str) -> Self {
        let mut after = Reader::new(kind);
        if !heading.is_empty() {
            after.heading(heading);
        }
        Self {
            before: Reader::new(kind),
            after,
            apart: false,
        }
    }

    /// Returns what the last line says of packages that it names within; `None` if that is not understood.
    pub fn inside(&self, line: &'a str) -> Option<Vec<Read<'a>>> {
        self.after.inside(line)
    }

    /// Returns what a line that stands on both sides is after, and its entry there.
    pub fn read_both(&mut self, line: &'a str) -> (Read<'a>, u32) {
        // ## (Together | Apart) => (Together | Apart)
        self.apart = self.apart && self.before != self.after;
        if self.apart {
            self.before.read(line);
        }
        (self.after.read(line), self.after.entry())
    }

    /// Returns what a removed line is, and its entry.
    pub fn read_before(&mut self, line: &'a str) -> (Read<'a>, u32) {
        self.part();
        (self.before.read(line), self.before.entry())
    }

    /// Returns what an added line is, and its entry.
    pub fn read_after(&mut self, line: &'a str) -> (Read<'a>, u32) {
        self.part();
        (self.after.read(line), self.after.entry())
    }

    /// ## (Together | Apart) => Apart
    fn part(&mut self) {
        if !self.apart {
            self.before.clone_from(&self.after);
            self.apart = true;
        }
    }
}
