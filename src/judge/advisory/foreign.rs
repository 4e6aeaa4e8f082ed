//! Foreign text on its way into a message: escaped and bounded.

use super::MAX_TEXT_CHARS;

/// Returns `text` with control, quote and non-printing characters escaped, cut to
/// [`MAX_TEXT_CHARS`] characters.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_TEXT_CHARS));
    append(&mut out, text);
    out
}

/// Returns `path: what`, each escaped, together at most [`MAX_TEXT_CHARS`] characters.
pub(super) fn located(path: &str, what: &str) -> String {
    // Half each, so that a long path cannot push out what was found there.
    let mut out = String::with_capacity(path.len().min(100) + what.len().min(100));
    append_within(&mut out, path, MAX_TEXT_CHARS / 2 - 2);
    if !what.is_empty() {
        out.push_str(": ");
        append(&mut out, what);
    }
    out
}

fn append(out: &mut String, text: &str) {
    append_within(out, text, MAX_TEXT_CHARS);
}

/// Appends until `out` holds `limit` characters; an escape is never cut in two.
fn append_within(out: &mut String, text: &str, limit: usize) {
    // Escapes are ASCII and so is most text: the length in bytes is at least that in characters.
    if text.len() + out.len() <= limit && text.bytes().all(is_plain) {
        out.push_str(text);
        return;
    }
    let mut held = out.chars().count();
    for character in text.chars() {
        let escaped = character.escape_debug();
        let width = escaped.len();
        if held + width > limit {
            return;
        }
        held += width;
        out.extend(escaped);
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::{located, quoted};

    #[test]
    fn a_message_holds_no_control_character_and_no_escape_is_cut() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        let long = quoted(&"\u{202e}".repeat(500));
        assert!(long.chars().count() <= 200);
        assert!(long.ends_with('}'));
    }

    #[test]
    fn a_long_path_leaves_room_for_what_was_found() {
        let text = located(&"p".repeat(5_000), "lodash");
        assert!(text.ends_with(": lodash"));
        assert!(text.chars().count() <= 200);
    }
}
