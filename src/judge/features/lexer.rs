//! Lines of code as tokens: good enough for the languages that patches are written in, and harmless on
//! anything else. It looks at each byte once.
//!
//! What it cannot know is what stood before a hunk, so a hunk that begins inside a comment or a string of
//! several lines is read as code until that ends.

use super::language::Family;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word,
    /// A number, with its suffix and exponent.
    Number,
    /// One or two characters that are neither.
    Operator,
    /// The quote that begins a string or a character.
    Quote,
}

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In code.
    Code,
    /// In a comment.
    Comment,
    /// In a string or a character.
    Text,
}

/// A token of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub place: Place,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What the next line begins in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Inside {
    /// Code.
    #[default]
    Code,
    /// A comment that ends with `*/`.
    Comment,
    /// A string that ends with three of this quote.
    Triple(u8),
    /// A string that ends with this quote and may span lines.
    Long(u8),
}

/// The most bytes that a quoted character may take: `'\u{10FFFF}'` and its like.
const CHARACTER_BYTES: usize = 12;

/// What a byte can begin in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Space,
    Word,
    Digit,
    /// A comment or a text, in one family or another.
    Mark,
    Other,
}

/// What each byte can begin: looked up, because it is asked of each byte.
#[expect(
    clippy::indexing_slicing,
    reason = "run by the compiler, which finds a place outside"
)]
static STARTS: [Start; 256] = {
    let mut starts = [Start::Other; 256];
    let mut byte = 0;
    while byte < starts.len() {
        starts[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' => Start::Space,
            // What is not ASCII is taken for letters: names in other scripts, and words of prose.
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => Start::Word,
            b'0'..=b'9' => Start::Digit,
            b'/' | b'#' | b'"' | b'\'' | b'`' => Start::Mark,
            _ => Start::Other,
        };
        byte += 1;
    }
    starts
};

/// Tells each token of a line to `each`, and leaves in `inside` what the next line begins in.
pub fn lex<'a>(
    line: &'a [u8],
    family: Family,
    inside: &mut Inside,
    mut each: impl FnMut(Token<'a>),
) {
    let mut rest = line;
    loop {
        rest = match *inside {
            Inside::Code => match code(rest, family, inside, &mut each) {
                Some(rest) => rest,
                None => return,
            },
            Inside::Comment => match memchr::memmem::find(rest, b"*/") {
                Some(end) => {
                    words(slice(rest, 0, end), Place::Comment, &mut each);
                    *inside = Inside::Code;
                    slice(rest, end + 2, rest.len())
                }
                None => return words(rest, Place::Comment, &mut each),
            },
            Inside::Triple(quote) => match memchr::memmem::find(rest, &[quote; 3]) {
                Some(end) => {
                    words(slice(rest, 0, end), Place::Text, &mut each);
                    *inside = Inside::Code;
                    slice(rest, end + 3, rest.len())
                }
                None => return words(rest, Place::Text, &mut each),
            },
            Inside::Long(quote) => match closing(rest, quote) {
                Some(end) => {
                    words(slice(rest, 0, end), Place::Text, &mut each);
                    *inside = Inside::Code;
                    slice(rest, end + 1, rest.len())
                }
                None => return words(rest, Place::Text, &mut each),
            },
        };
    }
}

/// Leaves in `inside` what the line after this one begins in, as [`lex`] does.
pub fn skip(line: &[u8], family: Family, inside: &mut Inside) {
    // Whatever outlasts a line of code begins with one of these.
    let may_begin = || {
        memchr::memchr3(b'/', b'"', b'\'', line).is_some() || memchr::memchr(b'`', line).is_some()
    };
    if *inside != Inside::Code || may_begin() {
        lex(line, family, inside, |_| {});
    }
}

/// Reads code up to where something else begins, and returns what is behind that beginning; `None` at the
/// line's end.
fn code<'a>(
    line: &'a [u8],
    family: Family,
    inside: &mut Inside,
    each: &mut impl FnMut(Token<'a>),
) -> Option<&'a [u8]> {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let start = at;
        let begins = start_of(byte);
        match begins {
            Start::Space => {
                at += 1;
                continue;
            }
            Start::Word => {
                at = run(line, at, is_word);
                tell(each, Kind::Word, slice(line, start, at));
                continue;
            }
            Start::Digit => {
                at = run(line, at, |byte| is_word(byte) || byte == b'.');
                tell(each, Kind::Number, slice(line, start, at));
                continue;
            }
            Start::Mark | Start::Other => {}
        }
        let next = line.get(at + 1).copied().unwrap_or_default();
        match (family, byte, next) {
            _ if begins == Start::Other => {}
            (Family::Plain, ..) => {}
            (Family::C | Family::Script, b'/', b'/') | (Family::Python | Family::Hash, b'#', _) => {
                words(slice(line, at, line.len()), Place::Comment, each);
                return None;
            }
            (Family::C | Family::Script, b'/', b'*') => {
                *inside = Inside::Comment;
                return Some(slice(line, at + 2, line.len()));
            }
            (Family::Python, b'"' | b'\'', _) if slice(line, at, at + 3) == [byte; 3] => {
                tell(each, Kind::Quote, slice(line, at, at + 1));
                *inside = Inside::Triple(byte);
                return Some(slice(line, at + 3, line.len()));
            }
            (Family::Script, b'`', _) => {
                tell(each, Kind::Quote, slice(line, at, at + 1));
                *inside = Inside::Long(b'`');
                return Some(slice(line, at + 1, line.len()));
            }
            (Family::C, b'\'', _) => {
                // A lifetime of Rust's has no second quote, or another one's behind it.
                let near = slice(line, at + 1, at + 1 + CHARACTER_BYTES);
                let one = utf8_length(near);
                let is_character = |end: &usize| near.first() == Some(&b'\\') || *end == one;
                if let Some(end) = closing(near, b'\'').filter(is_character) {
                    tell(each, Kind::Quote, slice(line, at, at + 1));
                    words(slice(near, 0, end), Place::Text, each);
                    at += end + 2;
                    continue;
                }
            }
            (_, b'"' | b'\'', _) => {
                tell(each, Kind::Quote, slice(line, at, at + 1));
                let text = slice(line, at + 1, line.len());
                let end = closing(text, byte).unwrap_or(text.len());
                words(slice(text, 0, end), Place::Text, each);
                at += end + 2;
                continue;
            }
            _ => {}
        }
        at += 1 + usize::from(is_pair([byte, next]));
        tell(each, Kind::Operator, slice(line, start, at));
    }
    None
}

/// Tells the words and numbers of a comment or a text.
fn words<'a>(text: &'a [u8], place: Place, each: &mut impl FnMut(Token<'a>)) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let start = at;
        let kind = match start_of(byte) {
            Start::Word => {
                at = run(text, at, is_word);
                Kind::Word
            }
            Start::Digit => {
                at = run(text, at, |byte| byte.is_ascii_digit());
                Kind::Number
            }
            Start::Space | Start::Mark | Start::Other => {
                at += 1;
                continue;
            }
        };
        each(Token {
            kind,
            place,
            bytes: slice(text, start, at),
        });
    }
}

fn tell<'a>(each: &mut impl FnMut(Token<'a>), kind: Kind, bytes: &'a [u8]) {
    each(Token {
        kind,
        place: Place::Code,
        bytes,
    });
}

/// Returns where the first quote stands that no backslash escapes.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + memchr::memchr2(quote, b'\\', slice(text, at, text.len()))?;
        if text.get(found) == Some(&quote) {
            return Some(found);
        }
        at = found + 2;
    }
}

/// Returns the bytes of the first character, by its first byte.
fn utf8_length(text: &[u8]) -> usize {
    match text.first() {
        Some(0xc0..0xe0) => 2,
        Some(0xe0..0xf0) => 3,
        Some(0xf0..) => 4,
        _ => 1,
    }
}

fn run(text: &[u8], from: usize, holds: impl Fn(u8) -> bool) -> usize {
    let tail = slice(text, from, text.len());
    from + tail
        .iter()
        .position(|byte| !holds(*byte))
        .unwrap_or(tail.len())
}

fn start_of(byte: u8) -> Start {
    STARTS
        .get(usize::from(byte))
        .copied()
        .unwrap_or(Start::Other)
}

fn is_word(byte: u8) -> bool {
    matches!(start_of(byte), Start::Word | Start::Digit)
}

/// Whether two characters together mean something else than each.
fn is_pair(both: [u8; 2]) -> bool {
    matches!(
        &both,
        b"=="
            | b"!="
            | b"<="
            | b">="
            | b"&&"
            | b"||"
            | b"->"
            | b"=>"
            | b"::"
            | b"++"
            | b"--"
            | b"+="
            | b"-="
            | b"*="
            | b"/="
            | b"%="
            | b"&="
            | b"|="
            | b"^="
            | b"<<"
            | b">>"
            | b"??"
    )
}

/// Returns the part of `text` between two places, or what there is of it.
fn slice(text: &[u8], from: usize, to: usize) -> &[u8] {
    let to = to.min(text.len());
    text.get(from.min(to)..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str], family: Family) -> Vec<(Kind, Place, String)> {
        let mut inside = Inside::default();
        let mut told = Vec::new();
        for line in lines {
            lex(line.as_bytes(), family, &mut inside, |token| {
                told.push((
                    token.kind,
                    token.place,
                    String::from_utf8_lossy(token.bytes).into_owned(),
                ));
            });
        }
        told
    }

    fn code_of(lines: &[&str], family: Family) -> String {
        read(lines, family)
            .into_iter()
            .filter(|(_, place, _)| *place == Place::Code)
            .map(|(.., text)| text)
            .collect::<Vec<_>>()
            .join(" ")
    }

    proptest! {
        #[test]
        fn skipping_a_line_leaves_what_reading_it_does(
            lines in prop::collection::vec("[ab \\\\/*#'\"`]{0,12}", 1..6),
        ) {
            for family in [Family::C, Family::Script, Family::Python, Family::Hash, Family::Plain] {
                let (mut read, mut skipped) = (Inside::default(), Inside::default());
                for line in &lines {
                    lex(line.as_bytes(), family, &mut read, |_| {});
                    skip(line.as_bytes(), family, &mut skipped);
                    prop_assert_eq!(read, skipped);
                }
            }
        }
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        assert_eq!(
            code_of(
                &["a += b->c; // if (x)", "s = \"if \\\" x\" + 'c';"],
                Family::C
            ),
            "a += b -> c ; s = \" + ' ;"
        );
        assert_eq!(code_of(&["x /* if", "more */ y"], Family::C), "x y");
        assert_eq!(
            code_of(&["a = '''if", "x ''' + 1 # no", "'it'"], Family::Python),
            "a = ' + 1 '"
        );
        assert_eq!(code_of(&["`if ${x}", "y` + 'z'"], Family::Script), "` + '");
    }

    #[test]
    fn a_lifetime_is_no_string() {
        assert_eq!(
            code_of(&["fn f<'a>(x: &'a str) -> char { 'y' }"], Family::C),
            "fn f < ' a > ( x : & ' a str ) -> char { ' }"
        );
    }

    #[test]
    fn numbers_keep_their_suffix() {
        assert_eq!(code_of(&["0x1fUL + 1.5e3"], Family::C), "0x1fUL + 1.5e3");
    }

    proptest! {
        #[test]
        fn every_token_is_part_of_its_line_and_they_do_not_overlap(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..6),
            family in prop::sample::select(&[
                Family::C, Family::Script, Family::Python, Family::Hash, Family::Plain,
            ][..]),
        ) {
            let mut inside = Inside::default();
            for line in &lines {
                let mut covered = 0;
                let mut last = line.as_ptr() as usize;
                lex(line, family, &mut inside, |token| {
                    let start = token.bytes.as_ptr() as usize;
                    assert!(start >= last && !token.bytes.is_empty());
                    last = start + token.bytes.len();
                    covered += token.bytes.len();
                });
                prop_assert!(covered <= line.len());
            }
        }
    }
}
