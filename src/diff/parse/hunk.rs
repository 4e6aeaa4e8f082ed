//! One hunk: its header and exactly the lines it promises.

use super::{DiffError, error::excerpt, lines::Lines};
use crate::diff::{Hunk, Line, Side};

/// Largest line number and length in a hunk header: room for consumers to add two of them.
const MAX_NUMBER: u32 = i32::MAX as u32;

/// Lines to make room for before they have been seen; a header may promise billions.
const MAX_LINES_RESERVED: usize = 1_024;

/// Shortest `\ No newline` line in any language, as git has it (without the `\n`).
const MIN_MARKER_BYTES: usize = 11;

/// A hunk and what its header and end tell about the file.
pub(super) struct ParsedHunk<'a> {
    pub(super) hunk: Hunk<'a>,
    pub(super) old_lines: u32,
    pub(super) new_lines: u32,
    pub(super) added: usize,
    pub(super) removed: usize,
    /// A side ended without a newline, so no further hunk can follow.
    pub(super) reaches_end: bool,
}

struct Range {
    start: u32,
    lines: u32,
}

/// Reads a hunk whose header is in view; leaves the line after the hunk in view.
///
/// A line that is entirely empty is an empty context line whose blank was lost, as in `git apply`.
///
/// # Errors
///
/// [`DiffError::HunkHeader`], [`DiffError::HunkLength`], [`DiffError::HunkEmpty`],
/// [`DiffError::NoNewlineMarker`], [`DiffError::LineTooLong`].
pub(super) fn hunk<'a>(lines: &mut Lines<'a>) -> Result<ParsedHunk<'a>, DiffError> {
    let header_line = lines.number();
    let header = lines.current().unwrap_or_default();
    let Some((old, new, heading)) = ranges(header) else {
        return Err(DiffError::HunkHeader {
            line: header_line,
            excerpt: excerpt(header),
        });
    };
    let reserved = old.lines.max(new.lines) as usize + 2;
    let mut body = Vec::with_capacity(reserved.min(MAX_LINES_RESERVED));
    let (mut old_left, mut new_left) = (old.lines, new.lines);
    let (mut added, mut removed) = (0, 0);
    // The side of the last line, as long as a `\ No newline` may still follow it.
    let mut last_side = None;
    let mut reaches_end = false;
    lines.advance()?;
    loop {
        let complete = old_left == 0 && new_left == 0;
        let line = match lines.current() {
            Some(line) if !complete || line.starts_with("\\ ") => line,
            _ if complete => break,
            _ => return Err(wrong_length(lines, header_line)),
        };
        let (side, left) = match line.as_bytes().first() {
            None | Some(b' ') => (Side::Context, old_left.min(new_left)),
            Some(b'+') => (Side::Added, new_left),
            Some(b'-') => (Side::Removed, old_left),
            Some(b'\\') => {
                let side_ended = match last_side.take() {
                    Some(Side::Context) => complete,
                    Some(Side::Removed) => old_left == 0,
                    Some(Side::Added) => new_left == 0,
                    None => false,
                };
                // In the middle of a side, git would glue the line to its successor.
                if !side_ended || !line.starts_with("\\ ") || line.len() < MIN_MARKER_BYTES {
                    return Err(DiffError::NoNewlineMarker {
                        line: lines.number(),
                    });
                }
                reaches_end = true;
                lines.advance()?;
                continue;
            }
            Some(_) => return Err(wrong_length(lines, header_line)),
        };
        if left == 0 {
            return Err(wrong_length(lines, header_line));
        }
        match side {
            Side::Context => {
                old_left -= 1;
                new_left -= 1;
            }
            Side::Added => {
                new_left -= 1;
                added += 1;
            }
            Side::Removed => {
                old_left -= 1;
                removed += 1;
            }
        }
        last_side = Some(side);
        body.push(Line {
            side,
            text: line.get(1..).unwrap_or_default(),
        });
        lines.advance()?;
    }
    if added + removed == 0 {
        return Err(DiffError::HunkEmpty { line: header_line });
    }
    Ok(ParsedHunk {
        hunk: Hunk {
            old_start: old.start,
            new_start: new.start,
            heading,
            lines: body,
        },
        old_lines: old.lines,
        new_lines: new.lines,
        added,
        removed,
        reaches_end,
    })
}

/// Reads `@@ -a[,b] +c[,d] @@`; whatever follows is a heading for the reader.
fn ranges(header: &str) -> Option<(Range, Range, &str)> {
    let (old, rest) = range(header.strip_prefix("@@ -")?)?;
    let (new, rest) = range(rest.strip_prefix(" +")?)?;
    let heading = rest.strip_prefix(" @@")?;
    Some((old, new, heading.strip_prefix(' ').unwrap_or(heading)))
}

fn range(text: &str) -> Option<(Range, &str)> {
    let (start, rest) = number(text)?;
    let (lines, rest) = match rest.strip_prefix(',') {
        Some(rest) => number(rest)?,
        None => (1, rest),
    };
    Some((Range { start, lines }, rest))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let mut value = 0_u32;
    let mut digits = 0;
    for byte in text.bytes().take_while(u8::is_ascii_digit) {
        value = value.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
        digits += 1;
    }
    if digits == 0 || value > MAX_NUMBER {
        return None;
    }
    Some((value, text.get(digits..)?))
}

fn wrong_length(lines: &Lines<'_>, header_line: u32) -> DiffError {
    DiffError::HunkLength {
        line: lines.number(),
        header_line,
    }
}
