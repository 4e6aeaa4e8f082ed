//! Why a text is refused as a diff.

use std::fmt::Write as _;

/// Longest piece of foreign text that a message repeats, in characters after escaping.
const MAX_EXCERPT_CHARS: usize = 80;

/// Why a text is not an acceptable diff.
///
/// Each variant carries the `line` of the diff (counted from 1) at which it was noticed. Messages repeat
/// foreign text only escaped and cut, so they are safe in logs and headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// The text changes no file: it is empty or holds nothing but prose.
    #[error("line {line}: the text changes no file")]
    NoFiles {
        /// The last line of the text.
        line: u32,
    },
    /// The diff touches more files than allowed.
    #[error("line {line}: more files than max_files = {limit}")]
    TooManyFiles {
        /// The header of the first file too many.
        line: u32,
        /// Value of `max_files`.
        limit: usize,
    },
    /// The diff has more hunks than allowed.
    #[error("line {line}: more hunks than max_hunks = {limit}")]
    TooManyHunks {
        /// The header of the first hunk too many.
        line: u32,
        /// Value of `max_hunks`.
        limit: usize,
    },
    /// The diff adds and removes more lines than allowed.
    #[error("line {line}: more changed lines than max_changed_lines = {limit}")]
    TooManyChangedLines {
        /// The header of the hunk that passes the limit.
        line: u32,
        /// Value of `max_changed_lines`.
        limit: usize,
    },
    /// A line is longer than allowed.
    #[error("line {line}: longer than max_line_bytes = {limit}")]
    LineTooLong {
        /// The line itself.
        line: u32,
        /// Value of `max_line_bytes`, in bytes without the `\n`.
        limit: usize,
    },
    /// A line that begins like a hunk header is not `@@ -a[,b] +c[,d] @@`, or its numbers are over 2³¹ − 1.
    #[error("line {line}: malformed hunk header \"{excerpt}\"")]
    HunkHeader {
        /// The hunk header.
        line: u32,
        /// The header, escaped and cut.
        excerpt: String,
    },
    /// A hunk holds fewer or more lines than its header promises, or a line that no hunk can hold.
    #[error(
        "line {line}: the hunk of line {header_line} does not hold the lines its header promises"
    )]
    HunkLength {
        /// Where the hunk and its header part.
        line: u32,
        /// The header of that hunk.
        header_line: u32,
    },
    /// A hunk changes nothing; `git apply` refuses it too.
    #[error("line {line}: the hunk changes nothing")]
    HunkEmpty {
        /// The hunk header.
        line: u32,
    },
    /// A hunk stands where no file header directly precedes it.
    #[error("line {line}: a hunk without a file")]
    HunkOrphan {
        /// The hunk header.
        line: u32,
    },
    /// A `\ No newline at end of file` stands where the file cannot end.
    #[error("line {line}: misplaced \"no newline at end of file\"")]
    NoNewlineMarker {
        /// The marker, or the hunk that follows it.
        line: u32,
    },
    /// Text between two file changes that is neither a header nor mail or log prose.
    #[error("line {line}: stray text \"{excerpt}\"")]
    StrayText {
        /// The stray line.
        line: u32,
        /// Its text, escaped and cut.
        excerpt: String,
    },
    /// A header line is malformed, out of order, or contradicts an earlier one.
    #[error("line {line}: {fault}: \"{excerpt}\"")]
    FileHeader {
        /// The header line.
        line: u32,
        /// What is wrong with it.
        fault: &'static str,
        /// The line, escaped and cut.
        excerpt: String,
    },
    /// A file header announces no change at all; `git apply` ignores or refuses it.
    #[error("line {line}: the file header changes nothing")]
    EmptyChange {
        /// The first line of the file header.
        line: u32,
    },
    /// A new file removes lines, or a deleted file keeps some.
    #[error("line {line}: the hunk contradicts a new or deleted file")]
    ContentConflict {
        /// The hunk header.
        line: u32,
    },
    /// A file header names no file.
    #[error("line {line}: the file header names no file")]
    PathMissing {
        /// The first line of the file header.
        line: u32,
    },
    /// The header lines of one file disagree about its name.
    #[error("line {line}: the header lines disagree about the path \"{path}\"")]
    PathMismatch {
        /// The header line that disagrees.
        line: u32,
        /// The path, escaped and cut.
        path: String,
    },
    /// A path cannot be read in one way only: bad quoting, bad UTF-8, or a date in it.
    #[error("line {line}: unreadable path \"{path}\"")]
    PathUnreadable {
        /// The header line that holds it.
        line: u32,
        /// The path, escaped and cut.
        path: String,
    },
    /// A path has no leading component to take off: the diff was made without `a/` and `b/` before its paths.
    #[error(
        "line {line}: no prefix \"a/\" or \"b/\" before the path \"{path}\" (git diff --no-prefix or diff.noprefix?)"
    )]
    PrefixMissing {
        /// The header line that holds it.
        line: u32,
        /// The path, escaped and cut.
        path: String,
    },
    /// A combined diff, as `git diff --cc` shows a merge: no applier makes such a change.
    #[error("line {line}: a combined diff of a merge (--cc) is no patch")]
    Combined {
        /// Its first line.
        line: u32,
    },
    /// A path is absolute, leaves its tree, holds control characters or lies in `.git`.
    #[error("line {line}: unsafe path \"{path}\"")]
    UnsafePath {
        /// The header line that holds it.
        line: u32,
        /// The path, escaped and cut.
        path: String,
    },
    /// Two changes write the same path.
    #[error("line {line}: a second change to \"{path}\"")]
    DuplicatePath {
        /// The first line of the second file header.
        line: u32,
        /// The path, escaped and cut.
        path: String,
    },
    /// A `GIT binary patch` has a payload that is not git's base 85.
    #[error("line {line}: corrupt binary patch")]
    BinaryPayload {
        /// The corrupt line.
        line: u32,
    },
}

// === impl DiffError ===

impl DiffError {
    /// Returns the stable `snake_case` name of this kind of error, for headers and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoFiles { .. } => "no_files",
            Self::TooManyFiles { .. } => "too_many_files",
            Self::TooManyHunks { .. } => "too_many_hunks",
            Self::TooManyChangedLines { .. } => "too_many_changed_lines",
            Self::LineTooLong { .. } => "line_too_long",
            Self::HunkHeader { .. } => "hunk_header",
            Self::HunkLength { .. } => "hunk_length",
            Self::HunkEmpty { .. } => "hunk_empty",
            Self::HunkOrphan { .. } => "hunk_orphan",
            Self::NoNewlineMarker { .. } => "no_newline_marker",
            Self::StrayText { .. } => "stray_text",
            Self::FileHeader { .. } => "file_header",
            Self::EmptyChange { .. } => "empty_change",
            Self::ContentConflict { .. } => "content_conflict",
            Self::PathMissing { .. } => "path_missing",
            Self::PathMismatch { .. } => "path_mismatch",
            Self::PathUnreadable { .. } => "path_unreadable",
            Self::PrefixMissing { .. } => "prefix_missing",
            Self::Combined { .. } => "combined_diff",
            Self::UnsafePath { .. } => "unsafe_path",
            Self::DuplicatePath { .. } => "duplicate_path",
            Self::BinaryPayload { .. } => "binary_payload",
        }
    }

    /// Returns the line of the diff at which the error was noticed, counted from 1 (0 for an empty text).
    pub fn line(&self) -> u32 {
        match self {
            Self::NoFiles { line }
            | Self::TooManyFiles { line, .. }
            | Self::TooManyHunks { line, .. }
            | Self::TooManyChangedLines { line, .. }
            | Self::LineTooLong { line, .. }
            | Self::HunkHeader { line, .. }
            | Self::HunkLength { line, .. }
            | Self::HunkEmpty { line }
            | Self::HunkOrphan { line }
            | Self::NoNewlineMarker { line }
            | Self::StrayText { line, .. }
            | Self::FileHeader { line, .. }
            | Self::EmptyChange { line }
            | Self::ContentConflict { line }
            | Self::PathMissing { line }
            | Self::PathMismatch { line, .. }
            | Self::PathUnreadable { line, .. }
            | Self::PrefixMissing { line, .. }
            | Self::Combined { line }
            | Self::UnsafePath { line, .. }
            | Self::DuplicatePath { line, .. }
            | Self::BinaryPayload { line } => *line,
        }
    }
}

/// Returns `text` escaped to ASCII and cut to 80 characters, fit for logs and headers.
pub(super) fn excerpt(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars() {
        // `escape_default` rather than `escape_debug`: the latter lets printable look-alikes through.
        let escaped = character.escape_default();
        if short.len() + escaped.len() > MAX_EXCERPT_CHARS - 3 {
            short.push_str("...");
            break;
        }
        // Writing to a `String` cannot fail.
        let _ = write!(short, "{escaped}");
    }
    short
}
