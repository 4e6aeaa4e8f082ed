//! Applies the hunks of one file at the lines that they state, and nowhere else.
//!
//! git would look around for a hunk that does not fit where it says. Here the text before is what the
//! judgement rests on: where a hunk does not fit, text and diff are of different files.

use crate::diff::{FileDiff, Side};

/// Returns the text after; `None` if a hunk's lines are not those of the text at its place.
///
/// A `\r` belongs to its line. The text after ends with a line end, whatever the text before ended with.
pub(super) fn apply(before: &str, file: &FileDiff<'_>) -> Option<String> {
    let mut lines: Vec<&str> = before.split('\n').collect();
    // `a\n` is one line, and so is `a`.
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut after: Vec<&str> = Vec::with_capacity(lines.len());
    let mut next = 0_usize;
    for hunk in &file.hunks {
        let takes = hunk.lines.iter().any(|line| line.side != Side::Added);
        // A hunk that finds no line stands behind the one that it names.
        let start = usize::try_from(hunk.old_start).ok()?;
        let start = if takes { start.checked_sub(1)? } else { start };
        after.extend(lines.get(next..start)?);
        next = start;
        for line in &hunk.lines {
            if line.side != Side::Added {
                if *lines.get(next)? != line.text {
                    return None;
                }
                next += 1;
            }
            if line.side != Side::Removed {
                after.push(line.text);
            }
        }
    }
    after.extend(lines.get(next..)?);
    let mut text = after.join("\n");
    if !after.is_empty() {
        text.push('\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::apply;
    use crate::diff::{DiffLimits, parse, synthesize};

    fn applied(before: &str, diff: &str) -> Option<String> {
        let parsed = parse(diff, &DiffLimits::default()).unwrap();
        apply(before, &parsed.files[0])
    }

    const CHANGE: &str = "--- a/f\n+++ b/f\n@@ -2,3 +2,3 @@\n one\n-two\n+zwei\n three\n";

    #[test]
    fn a_hunk_fits_at_its_line_alone() {
        let there = "zero\none\ntwo\nthree\n";
        assert_eq!(applied(there, CHANGE).unwrap(), "zero\none\nzwei\nthree\n");
        // git would find it one line further down.
        assert_eq!(applied("zero\nzero\none\ntwo\nthree\n", CHANGE), None);
        assert_eq!(applied("zero\none\ndeux\nthree\n", CHANGE), None);
        assert_eq!(applied("zero\none\ntwo\n", CHANGE), None);
    }

    #[test]
    fn line_ends_belong_to_the_lines() {
        assert_eq!(applied("zero\r\none\r\ntwo\r\nthree\r\n", CHANGE), None);
        let crlf = CHANGE
            .replace("one\n", "one\r\n")
            .replace("two\n", "two\r\n");
        let crlf = crlf.replace("three\n", "three\r\n");
        let after = applied("zero\r\none\r\ntwo\r\nthree\r\n", &crlf).unwrap();
        assert_eq!(after, "zero\r\none\r\nzwei\nthree\r\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_was_made_of_two_texts_leads_from_one_to_the_other(
            old in prop::collection::vec(prop::sample::select(&["", "a", "b", "  c"][..]), 0..24),
            new in prop::collection::vec(prop::sample::select(&["", "a", "b", "x"][..]), 0..24),
        ) {
            let text = |lines: &[&str]| -> String {
                lines.iter().flat_map(|line| [line, "\n"]).collect()
            };
            let (before, after) = (text(&old), text(&new));
            prop_assume!(before != after);
            let diff = synthesize("f", &before, &after);
            prop_assert_eq!(applied(&before, &diff), Some(after));
        }
    }
}
