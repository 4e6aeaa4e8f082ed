//! What is told of what a program printed.

use crate::event::codec::printable;

/// Returns the last `bytes` of a text, or what there is of it, escaped.
pub(super) fn end_of(text: &str, bytes: usize) -> String {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    printable(text.get(from..).unwrap_or_default())
}
