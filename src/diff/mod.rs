//! Unified diffs: the shape of a parsed patch.
//!
//! [`parse`] turns git-style unified text into a [`Diff`] that borrows from it, in one pass and within
//! [`DiffLimits`]. A diff that parses is structurally sound: every hunk holds exactly the lines its
//! header promises, every path is decoded, every limit is kept.

pub(crate) mod cut;
mod hidden;
mod limits;
mod parse;
mod synthesize;

use std::borrow::Cow;

pub use hidden::{HiddenCharacter, find_hidden};
pub use limits::{DiffLimits, InvalidDiffLimits};
pub use parse::{DiffError, parse};
pub use synthesize::synthesize;

/// A parsed unified diff; text is borrowed from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff<'a> {
    /// The files in the order of the diff.
    pub files: Vec<FileDiff<'a>>,
    /// Lines that begin with `+` inside hunks.
    pub added_lines: usize,
    /// Lines that begin with `-` inside hunks.
    pub removed_lines: usize,
}

/// What a diff does to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff<'a> {
    /// Path before, without its `a/` prefix; `None` for a new file.
    pub old_path: Option<Cow<'a, str>>,
    /// Path after, without its `b/` prefix; `None` for a deleted file.
    pub new_path: Option<Cow<'a, str>>,
    /// How the file changes.
    pub change: Change,
    /// New file mode in octal digits (`100755`, `120000`), where the diff states one.
    pub new_mode: Option<u32>,
    /// The hunks, in order; empty for pure renames, mode changes and binary files.
    pub hunks: Vec<Hunk<'a>>,
}

/// The kind of change a file undergoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The content changes in place.
    Modified,
    /// The file is new.
    Added,
    /// The file is removed.
    Deleted,
    /// The file moves, perhaps with changes.
    Renamed,
    /// The file is copied, perhaps with changes.
    Copied,
    /// The content is binary; the diff does not show it.
    Binary,
}

/// A contiguous region of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk<'a> {
    /// First line before, counted from 1 (0 for an empty side).
    pub old_start: u32,
    /// First line after, counted from 1 (0 for an empty side).
    pub new_start: u32,
    /// What follows the second `@@` and its space: the line above that git takes for a heading, a `\r`
    /// at the end of the header included. Nothing that an applier acts on.
    pub heading: &'a str,
    /// The lines in order: context, removed and added.
    pub lines: Vec<Line<'a>>,
}

/// One line of a hunk, without its marker and line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which side the line stands on.
    pub side: Side,
    /// The text, without the leading marker and without `\n` (a `\r` before it is kept).
    pub text: &'a str,
}

/// Which side of the change a line stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// On both sides, unchanged.
    Context,
    /// Only before.
    Removed,
    /// Only after.
    Added,
}

impl FileDiff<'_> {
    /// Returns the path after the change, or the path before for a deleted file.
    ///
    /// Empty only if the diff names neither side, which [`parse`] refuses.
    pub fn path(&self) -> &str {
        self.new_path
            .as_deref()
            .or(self.old_path.as_deref())
            .unwrap_or_default()
    }
}
