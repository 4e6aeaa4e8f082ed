//! A cursor over the lines of a diff, with one line in view.

use memchr::{Memchr, memchr_iter};

use super::DiffError;

/// Walks text line by line; a line excludes its `\n` and keeps a `\r` before it.
///
/// A text that does not end in `\n` is read as if it did.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    text: &'a str,
    newlines: Memchr<'a>,
    /// Byte offset of the line after the one in view.
    next_start: usize,
    in_view: Option<&'a str>,
    number: u32,
    max_line_bytes: usize,
}

/// A line over the limit. Two words, so that the hot `advance` returns in registers.
#[derive(Clone, Copy)]
pub(super) struct LineTooLong {
    line: u32,
    limit: usize,
}

// === impl LineTooLong ===

impl From<LineTooLong> for DiffError {
    fn from(LineTooLong { line, limit }: LineTooLong) -> Self {
        Self::LineTooLong { line, limit }
    }
}

// === impl Lines ===

impl<'a> Lines<'a> {
    /// Returns a cursor with the first line of `text` in view.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] if that line is over `max_line_bytes`.
    pub(super) fn new(text: &'a str, max_line_bytes: usize) -> Result<Self, LineTooLong> {
        let mut lines = Self {
            text,
            newlines: memchr_iter(b'\n', text.as_bytes()),
            next_start: 0,
            in_view: None,
            number: 0,
            max_line_bytes,
        };
        lines.advance()?;
        Ok(lines)
    }

    /// Returns the line in view, or `None` past the end.
    #[inline]
    pub(super) fn current(&self) -> Option<&'a str> {
        self.in_view
    }

    /// Returns the number of the line in view, counted from 1; the last line's number past the end.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Brings the next line into view.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] if that line is over the limit.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<(), LineTooLong> {
        let start = self.next_start;
        if start >= self.text.len() {
            self.in_view = None;
            return Ok(());
        }
        let end = self.newlines.next().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or_default();
        self.number = self.number.saturating_add(1);
        if line.len() > self.max_line_bytes {
            return Err(LineTooLong {
                line: self.number,
                limit: self.max_line_bytes,
            });
        }
        self.next_start = end + 1;
        self.in_view = Some(line);
        Ok(())
    }

    /// Tells whether the next two lines begin with `first` and `second`.
    pub(super) fn followed_by(&self, first: &str, second: &str) -> Result<bool, LineTooLong> {
        let mut ahead = self.clone();
        ahead.advance()?;
        if !ahead.current().is_some_and(|line| line.starts_with(first)) {
            return Ok(false);
        }
        ahead.advance()?;
        Ok(ahead.current().is_some_and(|line| line.starts_with(second)))
    }
}
