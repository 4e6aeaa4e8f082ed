//! Reads unified diffs as strictly as `git apply -p1`, or more strictly where git guesses.
//!
//! The reader exists to see exactly what an applier would do. Its rule: no text that `git apply` would act on goes
//! unseen, and nothing is seen that git would act on otherwise. Where git is lenient in a way that other tools or
//! readers are not, the text is refused. Decisions:
//!
//! - **Paths** lose exactly one leading component, as with `-p1`. A name without one, two names that are the same
//!   from the first letter on (then neither has a prefix), an absolute name, `..`, `.git` in any spelling, control
//!   characters outside quotes, and lines that name different files are refused.
//! - **Hunks** hold exactly the lines they promise and change at least one. A `+`, `-` or blank-led line after a
//!   complete hunk is `hunk_length`, although git ignores it: its author meant it to be applied.
//! - **Prose** is skipped where mails and logs have it: before the first file, and after a hunk from a line that
//!   begins a mail (`From `) or a log entry (`commit `). In it, whatever git takes for a header is a header.
//!   Any other text after a hunk is `stray_text`, but for blank lines, the headings of other diff tools
//!   (`diff -r`, `Index:`, `====`) and a mail signature (`-- ` and what follows it).
//! - **One change a path**: git applies a second one on top of the first, so its lines would not be those of the
//!   tree that a judge knows; it is refused. Copies may share a source.
//! - **No change at all** (an empty text, only prose, a header without effect) is refused.
//! - **A missing last newline** is read as if it were there. git refuses such a text: an applier must add it.
//! - **Binary** changes are seen as such; a `GIT binary patch` is stepped over line by line and checked.

mod binary;
mod error;
mod header;
mod hunk;
mod lines;
mod path;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use error::DiffError;
use error::excerpt;
use header::{ParsedHeader, git_header, plain_header};
use lines::Lines;

use super::{Change, Diff, DiffLimits, FileDiff};

/// Parses a unified diff in one pass, in time linear in its length; the result borrows from `text`.
///
/// Lines keep a `\r` before their end. A file that is binary has [`Change::Binary`] whatever else happens to it;
/// its paths tell whether it is new or deleted. `new_mode` is what `new mode` or `new file mode` states, or what
/// `index` states for anything but a regular file.
///
/// # Errors
///
/// [`DiffError`]: a limit is passed, or the text is no diff that can be read in one way only.
pub fn parse<'a>(text: &'a str, limits: &DiffLimits) -> Result<Diff<'a>, DiffError> {
    let mut parser = Parser {
        lines: Lines::new(text, limits.max_line_bytes)?,
        limits,
        diff: Diff {
            files: Vec::new(),
            added_lines: 0,
            removed_lines: 0,
        },
        header_lines: Vec::new(),
        hunks: 0,
    };
    parser.run()?;
    parser.refuse_second_changes()?;
    Ok(parser.diff)
}

struct Parser<'a, 'l> {
    lines: Lines<'a>,
    limits: &'l DiffLimits,
    diff: Diff<'a>,
    /// The line of each file's header.
    header_lines: Vec<u32>,
    hunks: usize,
}

/// What kind of text may stand where no file change does.
#[derive(Clone, Copy)]
enum Between {
    /// Mail or log text: anything but a hunk.
    Prose,
    /// Right after a file change: little.
    Change,
    /// After `-- `: a mail signature.
    Signature,
}

// === impl Parser ===

impl<'a> Parser<'a, '_> {
    fn run(&mut self) -> Result<(), DiffError> {
        let mut between = Between::Prose;
        while let Some(line) = self.lines.current() {
            if let Some(names) = line.strip_prefix("diff --git ") {
                let header_line = self.lines.number();
                let header = git_header(&mut self.lines, names)?;
                self.file(header, header_line)?;
                between = Between::Change;
            } else if line.starts_with("--- ") && self.lines.followed_by("+++ ", "@@ -")? {
                let header_line = self.lines.number();
                let header = plain_header(&mut self.lines)?;
                self.file(header, header_line)?;
                between = Between::Change;
            } else {
                between = between.after(line, self.lines.number())?;
                self.lines.advance()?;
            }
        }
        if self.diff.files.is_empty() {
            return Err(DiffError::NoFiles {
                line: self.lines.number(),
            });
        }
        Ok(())
    }

    /// Reads what follows a file header: hunks, a binary patch, or nothing.
    fn file(&mut self, header: ParsedHeader<'a>, header_line: u32) -> Result<(), DiffError> {
        if self.diff.files.len() >= self.limits.max_files {
            return Err(DiffError::TooManyFiles {
                line: header_line,
                limit: self.limits.max_files,
            });
        }
        let ParsedHeader {
            mut file,
            changes_metadata,
        } = header;
        self.hunks_of(&mut file)?;
        if file.hunks.is_empty() && self.binary_follows()? {
            file.change = Change::Binary;
        } else if file.hunks.is_empty() && !changes_metadata {
            return Err(DiffError::EmptyChange { line: header_line });
        }
        self.diff.files.push(file);
        self.header_lines.push(header_line);
        Ok(())
    }

    fn hunks_of(&mut self, file: &mut FileDiff<'a>) -> Result<(), DiffError> {
        let mut reaches_end = false;
        while self
            .lines
            .current()
            .is_some_and(|line| line.starts_with("@@ -"))
        {
            let line = self.lines.number();
            if reaches_end {
                return Err(DiffError::NoNewlineMarker { line });
            }
            self.hunks += 1;
            if self.hunks > self.limits.max_hunks {
                return Err(DiffError::TooManyHunks {
                    line,
                    limit: self.limits.max_hunks,
                });
            }
            let parsed = hunk::hunk(&mut self.lines)?;
            if (file.old_path.is_none() && parsed.old_lines > 0)
                || (file.new_path.is_none() && parsed.new_lines > 0)
            {
                return Err(DiffError::ContentConflict { line });
            }
            self.diff.added_lines += parsed.added;
            self.diff.removed_lines += parsed.removed;
            if self.diff.added_lines + self.diff.removed_lines > self.limits.max_changed_lines {
                return Err(DiffError::TooManyChangedLines {
                    line,
                    limit: self.limits.max_changed_lines,
                });
            }
            reaches_end = parsed.reaches_end;
            file.hunks.push(parsed.hunk);
            if self.hunk_overruns()? {
                return Err(DiffError::HunkLength {
                    line: self.lines.number(),
                    header_line: line,
                });
            }
        }
        Ok(())
    }

    /// Tells whether the line after a complete hunk looks like one more line of it.
    fn hunk_overruns(&self) -> Result<bool, DiffError> {
        let Some(line) = self.lines.current() else {
            return Ok(false);
        };
        if !line.starts_with(['+', '-', ' ']) || is_signature_start(line) {
            return Ok(false);
        }
        let is_header = line.starts_with("--- ") && self.lines.followed_by("+++ ", "@@ -")?;
        Ok(!is_header)
    }

    /// Steps over a binary patch, or the line that stands for one; returns whether there was any.
    fn binary_follows(&mut self) -> Result<bool, DiffError> {
        let Some(line) = self.lines.current() else {
            return Ok(false);
        };
        let is_patch = line == "GIT binary patch";
        let is_notice = line.ends_with(" differ")
            && (line.starts_with("Binary files ") || line.starts_with("Files "));
        if is_patch || is_notice {
            self.lines.advance()?;
        }
        if is_patch {
            binary::skip_payload(&mut self.lines)?;
        }
        Ok(is_patch || is_notice)
    }

    /// Refuses a path that two changes write; a copy only reads its source.
    fn refuse_second_changes(&self) -> Result<(), DiffError> {
        if self.diff.files.len() < 2 {
            return Ok(());
        }
        let mut written = HashSet::with_capacity(self.diff.files.len());
        for (file, &line) in self.diff.files.iter().zip(&self.header_lines) {
            let moved_away = (file.change == Change::Renamed)
                .then_some(file.old_path.as_deref())
                .flatten();
            for path in [Some(file.path()), moved_away].into_iter().flatten() {
                if !written.insert(path) {
                    return Err(DiffError::DuplicatePath {
                        line,
                        path: excerpt(path),
                    });
                }
            }
        }
        Ok(())
    }
}

// === impl Between ===

impl Between {
    /// Returns what may follow `line`, or refuses it.
    fn after(self, line: &str, number: u32) -> Result<Self, DiffError> {
        if line.starts_with("diff --cc ") || line.starts_with("diff --combined ") {
            return Err(DiffError::Combined { line: number });
        }
        if line.starts_with("@@") {
            return Err(DiffError::HunkOrphan { line: number });
        }
        let blank = line.is_empty() || line == "\r";
        let begins_prose = line.starts_with("From ") || is_log_entry(line);
        match self {
            // ## Prose => Prose
            Self::Prose => Ok(Self::Prose),
            // ## (Change | Signature) => (Change | Signature | Prose)
            _ if begins_prose => Ok(Self::Prose),
            _ if blank => Ok(self),
            // ## Change => (Change | Signature)
            Self::Change if is_signature_start(line) => Ok(Self::Signature),
            Self::Change if is_heading(line) => Ok(Self::Change),
            // ## Signature => Signature
            Self::Signature if !line.starts_with(['+', '-', ' ', '\\']) => Ok(Self::Signature),
            _ => Err(DiffError::StrayText {
                line: number,
                excerpt: excerpt(line),
            }),
        }
    }
}

fn is_signature_start(line: &str) -> bool {
    matches!(line, "-- " | "--" | "-- \r" | "--\r")
}

/// Tells whether the line begins an entry of `git log`: `commit` and a hash.
fn is_log_entry(line: &str) -> bool {
    line.strip_prefix("commit ")
        .is_some_and(|rest| rest.len() >= 7 && rest.bytes().take(7).all(|b| b.is_ascii_hexdigit()))
}

/// Tells whether the line is what other diff tools put above a plain header.
fn is_heading(line: &str) -> bool {
    // A combined diff (`--cc`, `--combined`) shows changes that no applier makes.
    (line.starts_with("diff -") && !line.starts_with("diff --c"))
        || line.starts_with("Index: ")
        || line.starts_with("=====")
}
