//! Text out of a JSON value, kept beside the literal that it was written as.
//!
//! A diff is most of what comes in and most of what goes out. What was read once from a literal that
//! the parser accepted can go out as that literal, without being escaped anew.

use std::borrow::Cow;
use std::ops::Deref;

use memchr::memchr;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A text, and the JSON literal it came as if it did; equal to another of the same text.
#[derive(Debug, Clone)]
pub struct JsonText<'a> {
    text: Cow<'a, str>,
    literal: Option<&'a RawValue>,
}

impl<'a> JsonText<'a> {
    /// Returns the same text on loan.
    pub fn as_borrowed(&'a self) -> Self {
        Self {
            text: Cow::Borrowed(&self.text),
            literal: self.literal,
        }
    }

    /// Reads a text that need not borrow from what it is read from, so its literal is left behind.
    ///
    /// # Errors
    /// The reader's, for anything else than a string.
    pub fn without_literal<'de, D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        String::deserialize(reader).map(|text| Cow::<str>::Owned(text).into())
    }
}

impl<'a> From<Cow<'a, str>> for JsonText<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self {
            text,
            literal: None,
        }
    }
}

impl Deref for JsonText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq for JsonText<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonText<'_> {}

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.literal {
            Some(literal) => literal.serialize(writer),
            None => self.text.serialize(writer),
        }
    }
}

/// Reads from JSON text alone: other formats, and JSON already read into a tree, have no literals.
impl<'de: 'a, 'a> Deserialize<'de> for JsonText<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let literal = <&'a RawValue>::deserialize(reader)?;
        let text = match unescape(literal.get()) {
            Some(text) => text,
            // Anything else than a string has its error from here, too.
            None => Cow::Owned(serde_json::from_str(literal.get()).map_err(D::Error::custom)?),
        };
        Ok(Self {
            text,
            literal: Some(literal),
        })
    }
}

/// Returns what a literal says that the parser accepted; `None` if it is no string, or holds escapes
/// of more than one character, which are the parser's to read.
fn unescape(literal: &str) -> Option<Cow<'_, str>> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        if text.is_empty() {
            text.reserve(rest.len());
        }
        text.push_str(rest.get(..at)?);
        text.push(match rest.as_bytes().get(at + 1)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            _ => return None,
        });
        rest = rest.get(at + 2..)?;
    }
    if text.is_empty() {
        return Some(Cow::Borrowed(rest));
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<JsonText<'_>, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_literal_goes_out_as_it_came() {
        for literal in [r#""a\/b\n\"""#, r#""\u0041\ud83d\ude00 \/""#, r#""""#] {
            let text = read(literal).unwrap();
            assert_eq!(serde_json::to_string(&text).unwrap(), literal);
            assert_eq!(*text, serde_json::from_str::<String>(literal).unwrap());
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for json in [
            "1",
            "null",
            "[]",
            "{}",
            "true",
            r#""a"#,
            r#""\"#,
            r#""\x""#,
            r#""\ud800""#,
            r#""\u00""#,
            "\"\n\"",
            "\"\u{0}\"",
        ] {
            assert!(read(json).is_err(), "{json:?}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_the_parser_reads(inside in r#"([a-z"/\\\n\u{1}é😀]|\\[bfnrt"/\\u]|\\u[0-9a-fA-F]{4}){0,12}"#) {
            let literal = format!("\"{inside}\"");
            let ours = read(&literal).ok().map(|text| text.to_string());
            prop_assert_eq!(ours, serde_json::from_str::<String>(&literal).ok());
        }

        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let literal = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&*read(&literal).unwrap(), &*text);
        }
    }
}
