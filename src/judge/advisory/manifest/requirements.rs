//! pip's requirements and constraints files.

use super::{is_named_digest, pep508};
use crate::judge::advisory::place::{Mark, Read};
use crate::judge::advisory::reason::NotABumpReason;

/// What pip writes before each digest.
const HASH_OPTION: &str = "--hash=";

/// Reader of requirements files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Requirements {
    /// Whether the line before ended in a backslash.
    continued: bool,
    /// The entry of the last line.
    pub entry: u32,
}

impl Requirements {
    /// Reads the next line.
    pub fn read<'a>(&mut self, line: &'a str) -> Read<'a> {
        let text = line.trim();
        let continues = text.ends_with('\\') && !text.starts_with('#');
        let continued = std::mem::replace(&mut self.continued, continues);
        if text.starts_with(HASH_OPTION) {
            return if digests(text) {
                let end = |sign: char| sign == '\\' || sign.is_ascii_whitespace();
                Read::Mark(Mark::digest(text.trim_end_matches(end)))
            } else {
                Read::NOTHING
            };
        }
        if text.is_empty() || text.starts_with('#') {
            return Read::IDLE;
        }
        // Behind an option, a continued line is its argument and not a requirement.
        if continued {
            return Read::NOTHING;
        }
        self.entry += 1;
        if text.starts_with('-') {
            return Read::Still(NotABumpReason::InstallerOption);
        }
        // Digests on the requirement's own line may change with the version.
        let (text, hashes) = match hashes_start(text) {
            Some(start) => text.split_at_checked(start).unwrap_or((text, "")),
            None => (text, ""),
        };
        if !hashes.is_empty() && !digests(hashes.trim_start()) {
            return Read::NOTHING;
        }
        match pep508::requirement(line, text) {
            Read::Place(place) if !hashes.is_empty() => {
                Read::Place(place.without_digest_from(" --hash="))
            }
            read => read,
        }
    }
}

/// Returns where the digests behind a requirement begin, with the space before them.
fn hashes_start(text: &str) -> Option<usize> {
    memchr::memchr_iter(b' ', text.as_bytes()).find(|space| {
        text.get(space + 1..)
            .is_some_and(|rest| rest.starts_with(HASH_OPTION))
    })
}

/// Whether the text is digests and nothing else, perhaps with a continuation behind.
fn digests(text: &str) -> bool {
    text.trim_end_matches('\\')
        .split_ascii_whitespace()
        .all(|one| one.strip_prefix(HASH_OPTION).is_some_and(is_named_digest))
}

#[cfg(test)]
mod tests {
    use super::Requirements;
    use crate::judge::advisory::place::Read;
    use crate::judge::advisory::reason::NotABumpReason;

    #[test]
    fn an_option_is_an_option_even_when_continued() {
        let mut reader = Requirements::default();
        let first = reader.read("--extra-index-url \\");
        assert!(matches!(
            first,
            Read::Still(NotABumpReason::InstallerOption)
        ));
        assert!(matches!(
            reader.read("django==3.2"),
            Read::Still(NotABumpReason::NotUnderstood)
        ));
        assert!(matches!(reader.read("django==3.2"), Read::Place(_)));
    }
}
