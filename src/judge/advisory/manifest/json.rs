//! JSON as package managers print it, line by line: one key, one bracket or one string a line.

use crate::diff::cut::trimmed;

/// What one line of pretty-printed JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonLine<'a> {
    /// `"key": {` or `"key": [`, or a bare opening bracket with the key absent.
    Open(Option<&'a str>),
    /// `}` or `]`, with or without a comma.
    Close,
    /// `"key": "value"`, with or without a comma.
    Pair(&'a str, &'a str),
    /// `"value"` as an element of an array.
    Element(&'a str),
    /// `"key": true`, `"key": 1`, `"key": {}`: a value that holds nothing further.
    Literal(&'a str, &'a str),
    /// Nothing.
    Blank,
    /// Anything else: inline objects, two keys a line, escapes.
    Other,
}

/// The keys of the brackets that are open, as far as the hunk shows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Nest<'a> {
    open: Vec<(Option<&'a str>, u32)>,
    /// The number of what is around all that was seen to open.
    outside: u32,
    /// How many brackets were given a number.
    numbered: u32,
    /// How many brackets are open beyond [`MAX_DEPTH`].
    deeper: u32,
}

/// Deeper than manifests nest; what lies deeper has no readable parent.
const MAX_DEPTH: usize = 32;

impl<'a> Nest<'a> {
    /// Follows a line.
    pub fn follow(&mut self, line: JsonLine<'a>) {
        match line {
            JsonLine::Open(_) if self.open.len() >= MAX_DEPTH => self.deeper += 1,
            JsonLine::Close if self.deeper > 0 => self.deeper -= 1,
            // The digests of an entry stand in an array of it.
            JsonLine::Open(Some("hashes")) => self.open.push((Some("hashes"), self.entry())),
            JsonLine::Open(key) => {
                self.numbered += 1;
                self.open.push((key, self.numbered));
            }
            JsonLine::Close => {
                let closed = self.open.pop();
                if closed.is_none() {
                    // More closed than was seen to open: what is around is unknown again.
                    self.numbered += 1;
                    self.outside = self.numbered;
                }
            }
            _ => {}
        }
    }

    /// Returns the number of the object around.
    pub fn entry(&self) -> u32 {
        if self.deeper > 0 {
            return u32::MAX;
        }
        self.open.last().map_or(self.outside, |(_, entry)| *entry)
    }

    /// Returns the key of the `nth` bracket outwards, the innermost being 0; `None` if it is not to be
    /// seen or has no key.
    pub fn key(&self, nth: usize) -> Option<&'a str> {
        if self.deeper > 0 {
            // Something is around, and it is nothing that is known.
            return Some("");
        }
        let index = self.open.len().checked_sub(nth + 1)?;
        self.open.get(index).and_then(|(key, _)| *key)
    }

    /// Whether any bracket around has one of these keys.
    pub fn within(&self, keys: &[&str]) -> bool {
        self.open
            .iter()
            .any(|(key, _)| key.is_some_and(|key| keys.contains(&key)))
    }
}

/// Returns what the line is.
pub(super) fn json_line(line: &str) -> JsonLine<'_> {
    let body = trimmed(line);
    if body.is_empty() {
        return JsonLine::Blank;
    }
    scan(body).unwrap_or(JsonLine::Other)
}

/// Returns what a line with several keys or brackets says, each as a line of its own would; `None` if
/// anything of it is not understood, or a bracket is left open or closed that was not opened.
pub(super) fn pieces(line: &str) -> Option<Vec<JsonLine<'_>>> {
    let mut rest = trimmed(line);
    let (mut found, mut depth) = (Vec::new(), 0_usize);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['}', ']']) {
            depth = depth.checked_sub(1)?;
            found.push(JsonLine::Close);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(['{', '[']) {
            depth += 1;
            found.push(JsonLine::Open(None));
            rest = after.trim_start();
            continue;
        } else {
            let (key, after) = string(rest)?;
            let after = after.trim_start();
            let Some(value) = after.strip_prefix(':').map(str::trim_start) else {
                found.push(JsonLine::Element(key));
                rest = after_comma(after)?;
                continue;
            };
            if let Some(after) = value.strip_prefix(['{', '[']) {
                depth += 1;
                found.push(JsonLine::Open(Some(key)));
                rest = after.trim_start();
                continue;
            }
            let (piece, after) = match string(value) {
                Some((text, after)) => (JsonLine::Pair(key, text), after),
                None => {
                    let (literal, after) = literal(value)?;
                    (JsonLine::Literal(key, literal), after)
                }
            };
            found.push(piece);
            rest = after;
        }
        rest = after_comma(rest)?;
    }
    (depth == 0).then_some(found)
}

/// Steps over a comma, which must be there unless a bracket closes or all ends.
fn after_comma(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    match rest.strip_prefix(',') {
        Some(after) => Some(after.trim_start()),
        None => (rest.is_empty() || rest.starts_with(['}', ']'])).then_some(rest),
    }
}

/// Reads a number, `true`, `false` or `null`, or an empty bracket.
fn literal(text: &str) -> Option<(&str, &str)> {
    for empty in ["{}", "[]"] {
        if let Some(rest) = text.strip_prefix(empty) {
            return Some((empty, rest));
        }
    }
    let of_it = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    let end = text.bytes().position(|byte| !of_it(byte));
    let (literal, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    (!literal.is_empty()).then_some((literal, rest))
}

fn scan(body: &str) -> Option<JsonLine<'_>> {
    if matches!(body, "{" | "[") {
        return Some(JsonLine::Open(None));
    }
    if matches!(body, "}" | "]" | "}," | "],") {
        return Some(JsonLine::Close);
    }
    let (key, rest) = string(body)?;
    let rest = rest.trim_start();
    let Some(value) = rest.strip_prefix(':') else {
        return matches!(rest, "" | ",").then_some(JsonLine::Element(key));
    };
    let value = value.trim_start();
    if matches!(value, "{" | "[") {
        return Some(JsonLine::Open(Some(key)));
    }
    let Some((text, rest)) = string(value) else {
        let (literal, rest) = literal(value)?;
        return matches!(rest, "" | ",").then_some(JsonLine::Literal(key, literal));
    };
    matches!(rest.trim_start(), "" | ",").then_some(JsonLine::Pair(key, text))
}

/// Reads a string without escapes: with one, what it says is not what stands there.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let end = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
    let (inside, rest) = text.split_at_checked(end)?;
    Some((inside, rest.strip_prefix('"')?))
}

#[cfg(test)]
mod tests {
    use super::{JsonLine, Nest, json_line, pieces};

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(json_line("  \"a\": \"1\","), JsonLine::Pair("a", "1"));
        assert_eq!(json_line("\"\": {"), JsonLine::Open(Some("")));
        assert_eq!(json_line("\t]\r"), JsonLine::Close);
        assert_eq!(json_line("\"x\","), JsonLine::Element("x"));
        assert_eq!(json_line("\"a\": true,"), JsonLine::Literal("a", "true"));
        assert_eq!(json_line("\"a\": {},"), JsonLine::Literal("a", "{}"));
        assert_eq!(json_line(" \r"), JsonLine::Blank);
        for other in [
            "\"a\": \"1\", \"b\": \"2\"",
            "\"a\": {\"b\": \"1\"}",
            "\"a\\\": \"1\"",
            "\"a\": \"1\" // c",
        ] {
            assert_eq!(json_line(other), JsonLine::Other, "{other}");
        }
    }

    #[test]
    fn a_line_of_several_pieces_is_read_whole_or_not_at_all() {
        assert_eq!(
            pieces("\"o\": {\"a\": \"1\", \"b\": {\".\": \"2\"}, \"c\": [\"x\"], \"d\": 1},"),
            Some(vec![
                JsonLine::Open(Some("o")),
                JsonLine::Pair("a", "1"),
                JsonLine::Open(Some("b")),
                JsonLine::Pair(".", "2"),
                JsonLine::Close,
                JsonLine::Open(Some("c")),
                JsonLine::Element("x"),
                JsonLine::Close,
                JsonLine::Literal("d", "1"),
                JsonLine::Close,
            ])
        );
        for other in [
            "\"a\": {",
            "}",
            "\"a\": \"1\" \"b\": \"2\"",
            "x",
            "\"a\\u\"",
        ] {
            assert_eq!(pieces(other), None, "{other}");
        }
    }

    #[test]
    fn closing_more_than_was_seen_forgets_nothing_else() {
        let mut nest = Nest::default();
        nest.follow(JsonLine::Close);
        assert_eq!(nest.key(0), None);
        nest.follow(JsonLine::Open(Some("dependencies")));
        assert_eq!(nest.key(0), Some("dependencies"));
        assert_eq!(nest.key(1), None);
    }
}
