//! One PEP 508 requirement: `name[extras] specifiers ; marker`.

use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::requirement::Syntax;

/// Returns the place of the requirement in `text`, a slice of `line`.
///
/// Extras and marker stay in the frame, so they cannot change. What follows the specifiers must be a
/// marker, a comment or a line continuation.
pub(super) fn requirement<'a>(line: &'a str, text: &'a str) -> Read<'a> {
    match split(text) {
        Some((name, specifiers)) => Read::Place(Place::new(
            Package::named(name),
            Role::Requirement,
            Syntax::Pip,
            line,
            specifiers,
        )),
        // `name @ url`.
        None if text.contains('@') => Read::ELSEWHERE,
        None => Read::NOTHING,
    }
}

/// Returns the name and the specifiers, which are empty where every version is admitted.
fn split(text: &str) -> Option<(&str, &str)> {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let end = text
        .bytes()
        .position(|byte| !of_name(byte))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let alphanumeric = |character: char| character.is_ascii_alphanumeric();
    if !name.starts_with(alphanumeric) || !name.ends_with(alphanumeric) {
        return None;
    }
    let mut rest = rest.trim_start_matches([' ', '\t']);
    if let Some(extras) = rest.strip_prefix('[') {
        let (names, after) = extras.split_once(']')?;
        if names.contains(['[', ';', '#', '@']) {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t']);
    }
    let ends = |byte: u8| matches!(byte, b';' | b'#' | b'\\' | b'@' | b'\'' | b'"' | b'(');
    let end = rest.bytes().position(ends).unwrap_or(rest.len());
    let (specifiers, tail) = rest.split_at_checked(end)?;
    // `#` begins a comment only after a space; without one it belongs to a URL or to nothing.
    let spaced = specifiers.is_empty() || specifiers.ends_with([' ', '\t']);
    let tail_fits = match tail.chars().next() {
        None | Some(';') => true,
        Some('#') => spaced,
        Some('\\') => tail.trim_end() == "\\",
        Some(_) => false,
    };
    let specifiers = specifiers.trim_end_matches([' ', '\t']);
    let compares = specifiers.is_empty() || specifiers.starts_with(['=', '<', '>', '!', '~']);
    (tail_fits && compares).then_some((name, specifiers))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_and_specifiers_are_told_apart() {
        assert_eq!(split("PyYAML==5.3.1"), Some(("PyYAML", "==5.3.1")));
        assert_eq!(
            split("a[b,c] >= 1.0, < 2 ; python_version < '3'"),
            Some(("a", ">= 1.0, < 2"))
        );
        assert_eq!(split("a==1 \\"), Some(("a", "==1")));
        assert_eq!(split("a==1  # via b"), Some(("a", "==1")));
        assert_eq!(split("a"), Some(("a", "")));
        for other in [
            "",
            "-r x",
            "a @ https://e",
            "a==1#b",
            "a (==1)",
            "-e .",
            "a==1 \\x",
            "_a==1",
            "a 1.0",
        ] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
