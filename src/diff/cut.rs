//! Cutting short texts at one ASCII character.
//!
//! Lines and requirements are cut many times over, and std's search for a `char` costs several times
//! what finding a byte does.

/// Splits `text` at the first `at`, an ASCII character, which neither part holds.
#[inline]
pub(crate) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    debug_assert!(at.is_ascii());
    let index = memchr::memchr(at, text.as_bytes())?;
    Some((text.get(..index)?, text.get(index + 1..)?))
}

/// Returns the parts of `text` between each `at`, an ASCII character; at least one.
pub(crate) fn parts(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left?;
        let (part, rest) = match cut(text, at) {
            Some((part, rest)) => (part, Some(rest)),
            None => (text, None),
        };
        left = rest;
        Some(part)
    })
}

/// Returns `text` without the spaces, tabs and carriage returns around it.
#[inline]
pub(crate) fn trimmed(text: &str) -> &str {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let bytes = text.as_bytes();
    let start = bytes.iter().take_while(|byte| blank(byte)).count();
    let end = bytes.len() - bytes.iter().rev().take_while(|byte| blank(byte)).count();
    // Empty where everything is blank: then the end lies before the start.
    text.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{cut, parts, trimmed};

    proptest! {
        #[test]
        fn it_is_what_std_does(text in "[a, \t\r\u{e9}]{0,12}") {
            prop_assert_eq!(cut(&text, b','), text.split_once(','));
            prop_assert!(parts(&text, b',').eq(text.split(',')));
            prop_assert_eq!(trimmed(&text), text.trim_matches([' ', '\t', '\r']));
        }
    }
}
