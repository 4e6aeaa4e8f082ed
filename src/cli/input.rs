//! Input from files and pipes: lines of foreign text, none of them held past a limit.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cli::{Exit, Failure};
use crate::event::codec::printable;

/// Where input comes from: a file, or standard input for `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Reads an argument: `-` stands for standard input.
    pub(super) fn of(argument: &Path) -> Self {
        if argument.as_os_str() == "-" {
            Self::Stdin
        } else {
            Self::File(argument.to_owned())
        }
    }

    /// Reads it to its end, but no further than one byte past the limit: more is refused all the same.
    pub(super) fn read_bounded(&self, limit: usize) -> Result<Vec<u8>, Failure> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let read = match self {
            Self::Stdin => io::stdin().lock().take(most).read_to_end(&mut bytes),
            Self::File(path) => open(path)?.take(most).read_to_end(&mut bytes),
        };
        let path = match self {
            Self::Stdin => Path::new("standard input"),
            Self::File(path) => path,
        };
        read.map_err(|error| cannot_read(path, &error))?;
        Ok(bytes)
    }

    /// Returns the name that stands as the topic of a record's source.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.file_name().map_or_else(
                || "file".to_owned(),
                |name| printable(&name.to_string_lossy()),
            ),
        }
    }
}

/// Opens a file that the command line names.
pub(super) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| cannot_read(path, &error))
}

/// A file that cannot be read.
pub(super) fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("cannot read {}: {error}", path.display()),
    )
}

/// One line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// The bytes as they stand.
    Whole(Vec<u8>),
    /// The line is longer than the limit; its bytes were read past and are gone.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The sha-256 of all of it, 64 hexadecimal digits.
        digest: String,
    },
}

/// Reads lines of at most `limit` bytes into memory, whatever the input holds.
pub(super) struct Lines<R> {
    input: R,
    limit: usize,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    /// Returns the lines of `input`.
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            limit,
            number: 0,
        }
    }

    /// Returns the next line and its number, counted from 1; `None` at the end.
    ///
    /// A line ends with LF or CR LF. A last line without an end counts; an empty rest does not.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(usize, Line)>> {
        let mut held = Vec::new();
        let mut passed = Passed::default();
        let mut met_any = false;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            met_any = true;
            let end = memchr::memchr(b'\n', chunk);
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            // One byte more than the limit may be the CR of the line's end.
            if passed.bytes == 0 && held.len() + part.len() <= self.limit.saturating_add(1) {
                held.extend_from_slice(part);
            } else {
                passed.take(&held);
                held.clear();
                passed.take(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !met_any {
            return Ok(None);
        }
        self.number += 1;
        if passed.bytes == 0 {
            if held.last() == Some(&b'\r') {
                held.pop();
            }
            if held.len() <= self.limit {
                return Ok(Some((self.number, Line::Whole(held))));
            }
            passed.take(&held);
        }
        Ok(Some((self.number, passed.into_line())))
    }
}

/// What is known of bytes that are not held.
#[derive(Default)]
struct Passed {
    bytes: usize,
    digest: Sha256,
}

impl Passed {
    fn take(&mut self, part: &[u8]) {
        self.bytes += part.len();
        self.digest.update(part);
    }

    fn into_line(self) -> Line {
        let digest = self
            .digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Line::TooLong {
            bytes: self.bytes,
            digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], limit: usize, buffer: usize) -> Vec<(usize, Line)> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, text), limit);
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn every_line_counts_and_the_end_of_the_last_is_not_needed() {
        for buffer in [1, 3, 64] {
            let found = lines(b"a\n\nbc\r\nd", 10, buffer);
            assert_eq!(
                found,
                [
                    (1, whole("a")),
                    (2, whole("")),
                    (3, whole("bc")),
                    (4, whole("d"))
                ]
            );
            assert_eq!(lines(b"a\n", 10, buffer), [(1, whole("a"))]);
            assert_eq!(lines(b"", 10, buffer), []);
        }
    }

    #[test]
    fn a_line_past_the_limit_is_known_by_length_and_digest_alone() {
        let digest = crate::event::id::sha256_hex(b"abcde");
        for buffer in [1, 2, 64] {
            let found = lines(b"abcd\r\nabcde\nx\n", 4, buffer);
            let too_long = Line::TooLong {
                bytes: 5,
                digest: digest.clone(),
            };
            assert_eq!(found, [(1, whole("abcd")), (2, too_long), (3, whole("x"))]);
        }
    }
}
