//! The header of one file: `diff --git` with its extended lines, or a plain `---` and `+++` pair.
//!
//! What git reads leniently is refused here: names that differ between lines, a rename that does not say so, lines
//! out of order. So a header has one meaning for every tool that reads it.

use std::borrow::Cow;

use super::{
    DiffError,
    error::excerpt,
    lines::Lines,
    path::{
        SideName, are_without_prefix, bare_name, doubled_name, is_epoch, names_agree, side_name,
        whole_name, without_prefix,
    },
};
use crate::diff::{Change, FileDiff};

/// Git's type bits for regular files; links and submodules have others.
const REGULAR_FILE: u32 = 0o100_000;
const FILE_TYPE: u32 = 0o170_000;

/// What the lines of one header have said so far.
struct Header<'a> {
    /// The number of its first line.
    line: u32,
    /// What follows `diff --git `.
    names: &'a str,
    /// The name that stands twice after `diff --git `; the only one where no other line has a name.
    default_path: Option<Cow<'a, str>>,
    old_path: Option<Cow<'a, str>>,
    new_path: Option<Cow<'a, str>>,
    /// Created, deleted, renamed or copied; at most one of them.
    change: Option<Change>,
    old_mode: Option<u32>,
    new_mode: Option<u32>,
    index_mode: Option<u32>,
    seen_old_side: bool,
    seen_new_side: bool,
}

/// A file without its hunks yet.
pub(super) struct ParsedHeader<'a> {
    pub(super) file: FileDiff<'a>,
    /// Whether the header alone is a change: created, deleted, renamed, copied, or another mode.
    pub(super) changes_metadata: bool,
}

/// Reads a `diff --git` header whose first line is in view; leaves the line after the header in view.
///
/// # Errors
///
/// [`DiffError::FileHeader`], [`DiffError::EmptyChange`], [`DiffError::PathMissing`],
/// [`DiffError::PathMismatch`], [`DiffError::PathUnreadable`], [`DiffError::PrefixMissing`],
/// [`DiffError::UnsafePath`], [`DiffError::LineTooLong`].
pub(super) fn git_header<'a>(
    lines: &mut Lines<'a>,
    names: &'a str,
) -> Result<ParsedHeader<'a>, DiffError> {
    let line = lines.number();
    if are_without_prefix(names) {
        return Err(without_prefix(names, line));
    }
    let mut header = Header {
        line,
        names,
        default_path: doubled_name(names, line)?,
        old_path: None,
        new_path: None,
        change: None,
        old_mode: None,
        new_mode: None,
        index_mode: None,
        seen_old_side: false,
        seen_new_side: false,
    };
    lines.advance()?;
    let mut says_something = false;
    while let Some(text) = lines.current()
        && header.read(text, lines.number())?
    {
        says_something = true;
        lines.advance()?;
    }
    // git steps over such a line as if it were prose, even where a hunk follows.
    if !says_something {
        return Err(DiffError::EmptyChange { line });
    }
    header.finish()
}

/// Reads a plain header whose `---` line is in view and whose `+++` line follows.
///
/// # Errors
///
/// As [`git_header`].
pub(super) fn plain_header<'a>(lines: &mut Lines<'a>) -> Result<ParsedHeader<'a>, DiffError> {
    let line = lines.number();
    let old_field = take_field(lines, "--- ")?;
    let new_field = take_field(lines, "+++ ")?;
    let old_side = side_name(old_field, line)?;
    let new_side = side_name(new_field, line.saturating_add(1))?;
    // Two prefixes differ.
    let name = whole_name(new_field);
    if whole_name(old_field) == name && matches!(new_side, SideName::Path(_)) {
        return Err(without_prefix(name, line));
    }
    let (old_path, new_path, change) = match (old_side, new_side) {
        (SideName::DevNull, SideName::DevNull) => return Err(DiffError::PathMissing { line }),
        (SideName::DevNull, SideName::Path(new)) => (None, Some(new), Change::Added),
        (SideName::Path(old), SideName::DevNull) => (Some(old), None, Change::Deleted),
        // git and GNU patch each have their own rule for picking one of two names.
        (SideName::Path(old), SideName::Path(new)) if old != new => {
            return Err(DiffError::PathMismatch {
                line: line.saturating_add(1),
                path: excerpt(&new),
            });
        }
        (SideName::Path(_), SideName::Path(new)) if is_epoch(old_field) => {
            (None, Some(new), Change::Added)
        }
        (SideName::Path(old), SideName::Path(_)) if is_epoch(new_field) => {
            (Some(old), None, Change::Deleted)
        }
        (SideName::Path(old), SideName::Path(new)) => (Some(old), Some(new), Change::Modified),
    };
    Ok(ParsedHeader {
        file: FileDiff {
            old_path,
            new_path,
            change,
            new_mode: None,
            hunks: Vec::new(),
        },
        changes_metadata: change != Change::Modified,
    })
}

fn take_field<'a>(lines: &mut Lines<'a>, marker: &str) -> Result<&'a str, DiffError> {
    let field = lines
        .current()
        .and_then(|text| text.strip_prefix(marker))
        .ok_or(DiffError::PathMissing {
            line: lines.number(),
        })?;
    lines.advance()?;
    Ok(field)
}

// === impl Header ===

impl<'a> Header<'a> {
    /// Takes in one line; returns `false` if it does not belong to the header.
    fn read(&mut self, text: &'a str, line: u32) -> Result<bool, DiffError> {
        // `@@ -` ends the header for sure; asked first because every usual header ends so.
        if text.starts_with("@@ -") {
            return Ok(false);
        }
        if let Some(field) = text.strip_prefix("--- ") {
            if self.seen_old_side {
                return Err(fault("a second old side", text, line));
            }
            self.seen_old_side = true;
            return self.read_old_side(field, text, line);
        }
        if let Some(field) = text.strip_prefix("+++ ") {
            if self.seen_new_side || !self.seen_old_side {
                return Err(fault("a new side out of order", text, line));
            }
            self.seen_new_side = true;
            return self.read_new_side(field, text, line);
        }
        if !self.read_extended(text, line)? {
            return Ok(false);
        }
        // git would apply what this line says to names already read.
        if self.seen_old_side {
            return Err(fault("an extended header line out of order", text, line));
        }
        Ok(true)
    }

    fn read_old_side(&mut self, field: &'a str, text: &str, line: u32) -> Result<bool, DiffError> {
        let created = self.change == Some(Change::Added);
        match side_name(field, line)? {
            SideName::DevNull if created => {}
            SideName::DevNull => {
                return Err(fault("/dev/null without \"new file mode\"", text, line));
            }
            SideName::Path(_) if created => {
                return Err(fault("a new file with an old side", text, line));
            }
            SideName::Path(path) => settle(&mut self.old_path, path, line)?,
        }
        Ok(true)
    }

    fn read_new_side(&mut self, field: &'a str, text: &str, line: u32) -> Result<bool, DiffError> {
        let deleted = self.change == Some(Change::Deleted);
        match side_name(field, line)? {
            SideName::DevNull if deleted => {}
            SideName::DevNull => {
                return Err(fault("/dev/null without \"deleted file mode\"", text, line));
            }
            SideName::Path(_) if deleted => {
                return Err(fault("a deleted file with a new side", text, line));
            }
            SideName::Path(path) => settle(&mut self.new_path, path, line)?,
        }
        Ok(true)
    }

    fn read_extended(&mut self, text: &'a str, line: u32) -> Result<bool, DiffError> {
        if let Some(field) = text.strip_prefix("index ") {
            if let Some((_, new)) = field.split_once("..")
                && let Some((_, mode)) = new.split_once(' ')
            {
                self.index_mode = Some(octal(mode, text, line)?);
            }
        } else if let Some(mode) = text.strip_prefix("old mode ") {
            self.old_mode = Some(octal(mode, text, line)?);
        } else if let Some(mode) = text.strip_prefix("new mode ") {
            self.new_mode = Some(octal(mode, text, line)?);
        } else if let Some(mode) = text.strip_prefix("new file mode ") {
            self.become_kind(Change::Added, text, line)?;
            self.new_mode = Some(octal(mode, text, line)?);
        } else if let Some(mode) = text.strip_prefix("deleted file mode ") {
            self.become_kind(Change::Deleted, text, line)?;
            self.old_mode = Some(octal(mode, text, line)?);
        } else if let Some(name) = either(text, "rename from ", "rename old ") {
            self.become_kind(Change::Renamed, text, line)?;
            settle(&mut self.old_path, bare_name(name, line)?, line)?;
        } else if let Some(name) = either(text, "rename to ", "rename new ") {
            self.become_kind(Change::Renamed, text, line)?;
            settle(&mut self.new_path, bare_name(name, line)?, line)?;
        } else if let Some(name) = text.strip_prefix("copy from ") {
            self.become_kind(Change::Copied, text, line)?;
            settle(&mut self.old_path, bare_name(name, line)?, line)?;
        } else if let Some(name) = text.strip_prefix("copy to ") {
            self.become_kind(Change::Copied, text, line)?;
            settle(&mut self.new_path, bare_name(name, line)?, line)?;
        } else {
            return Ok(either(text, "similarity index ", "dissimilarity index ").is_some());
        }
        Ok(true)
    }

    fn become_kind(&mut self, change: Change, text: &str, line: u32) -> Result<(), DiffError> {
        if self.change.is_some_and(|known| known != change) {
            return Err(fault("a second kind of change", text, line));
        }
        self.change = Some(change);
        Ok(())
    }

    fn finish(self) -> Result<ParsedHeader<'a>, DiffError> {
        let line = self.line;
        let missing = || DiffError::PathMissing { line };
        let change = self.change.unwrap_or(Change::Modified);
        if self.seen_old_side != self.seen_new_side {
            return Err(missing());
        }
        let (old_path, new_path) = match change {
            Change::Added => (
                None,
                Some(self.new_path.or(self.default_path).ok_or_else(missing)?),
            ),
            Change::Deleted => (
                Some(self.old_path.or(self.default_path).ok_or_else(missing)?),
                None,
            ),
            Change::Renamed | Change::Copied => (
                Some(self.old_path.ok_or_else(missing)?),
                Some(self.new_path.ok_or_else(missing)?),
            ),
            Change::Modified | Change::Binary => (
                Some(
                    self.old_path
                        .or_else(|| self.default_path.clone())
                        .ok_or_else(missing)?,
                ),
                Some(self.new_path.or(self.default_path).ok_or_else(missing)?),
            ),
        };
        let old_name = old_path
            .as_deref()
            .or(new_path.as_deref())
            .unwrap_or_default();
        let new_name = new_path
            .as_deref()
            .or(old_path.as_deref())
            .unwrap_or_default();
        let moves = matches!(change, Change::Renamed | Change::Copied);
        // Two names without a rename line: git would move the file all the same.
        if moves == (old_name == new_name) || !names_agree(self.names, old_name, new_name) {
            return Err(DiffError::PathMismatch {
                line,
                path: excerpt(new_name),
            });
        }
        let changes_mode =
            self.old_mode.is_some() && self.new_mode.is_some() && self.old_mode != self.new_mode;
        // An `index` line repeats an unchanged mode; it tells something only where the file is no regular one.
        let special_mode = self
            .index_mode
            .filter(|mode| mode & FILE_TYPE != REGULAR_FILE);
        Ok(ParsedHeader {
            changes_metadata: change != Change::Modified || changes_mode,
            file: FileDiff {
                old_path,
                new_path,
                change,
                new_mode: self.new_mode.or(special_mode),
                hunks: Vec::new(),
            },
        })
    }
}

/// Sets a path, or checks that it is the one already known.
fn settle<'a>(
    known: &mut Option<Cow<'a, str>>,
    path: Cow<'a, str>,
    line: u32,
) -> Result<(), DiffError> {
    match known {
        Some(known) if *known != path => Err(DiffError::PathMismatch {
            line,
            path: excerpt(&path),
        }),
        Some(_) => Ok(()),
        None => {
            *known = Some(path);
            Ok(())
        }
    }
}

fn either<'a>(text: &'a str, first: &str, second: &str) -> Option<&'a str> {
    text.strip_prefix(first)
        .or_else(|| text.strip_prefix(second))
}

/// Reads a file mode of up to seven octal digits.
fn octal(field: &str, text: &str, line: u32) -> Result<u32, DiffError> {
    let digits = field.strip_suffix('\r').unwrap_or(field);
    let sound = matches!(digits.len(), 1..=7) && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    sound
        .then(|| u32::from_str_radix(digits, 8).ok())
        .flatten()
        .ok_or_else(|| fault("a bad file mode", text, line))
}

fn fault(fault: &'static str, text: &str, line: u32) -> DiffError {
    DiffError::FileHeader {
        line,
        fault,
        excerpt: excerpt(text),
    }
}
