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
    /// Anything else: numbers, inline objects, two keys a line, escapes.
    Other,
}

/// The keys of the brackets that are open, as far as the hunk shows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Nest<'a> {
    open: Vec<Option<&'a str>>,
}

impl<'a> Nest<'a> {
    /// Follows a line.
    pub fn follow(&mut self, line: JsonLine<'a>) {
        match line {
            JsonLine::Open(key) => self.open.push(key),
            // More closed than was seen to open: what is around is unknown again, as at the start.
            JsonLine::Close => {
                self.open.pop();
            }
            _ => {}
        }
    }

    /// Returns the key of the `nth` bracket outwards, the innermost being 0; `None` if it is not to be
    /// seen or has no key.
    pub fn key(&self, nth: usize) -> Option<&'a str> {
        let index = self.open.len().checked_sub(nth + 1)?;
        self.open.get(index).copied().flatten()
    }

    /// Whether any bracket around has one of these keys.
    pub fn within(&self, keys: &[&str]) -> bool {
        self.open.iter().flatten().any(|key| keys.contains(key))
    }
}

/// Returns what the line is.
pub(super) fn json_line(line: &str) -> JsonLine<'_> {
    scan(trimmed(line)).unwrap_or(JsonLine::Other)
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
    let (text, rest) = string(value)?;
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
    use super::{JsonLine, Nest, json_line};

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(json_line("  \"a\": \"1\","), JsonLine::Pair("a", "1"));
        assert_eq!(json_line("\"\": {"), JsonLine::Open(Some("")));
        assert_eq!(json_line("\t]\r"), JsonLine::Close);
        assert_eq!(json_line("\"x\","), JsonLine::Element("x"));
        for other in [
            "\"a\": \"1\", \"b\": \"2\"",
            "\"a\": {\"b\": \"1\"}",
            "\"a\\\": \"1\"",
            "\"a\": \"1\" // c",
            "\"a\": 1",
            "",
        ] {
            assert_eq!(json_line(other), JsonLine::Other, "{other}");
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
