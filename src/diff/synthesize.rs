//! Makes the diff that a request did not send.

use std::{collections::HashMap, fmt::Write as _};

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

/// Lines of context around a change, as git has it.
const CONTEXT_LINES: usize = 3;

/// Most lines, of both texts together and between their first and last difference, among which the shortest edit is
/// searched.
///
/// The search may take time in proportion to the square. A bound in work, not in time: the same texts must always
/// give the same diff, on a busy machine too.
const MAX_SEARCH_LINES: usize = 4_000;

/// Returns the git-style unified diff that turns `before` into `after`, with three lines of context.
///
/// Both texts are content of one existing file, `path` (relative, without `a/`). The diff has a last newline; texts
/// without one get git's marker. Equal texts give an empty string, which is no diff. Otherwise the result parses,
/// if `path` is safe and the texts are within the limits. Where the texts differ in very many lines, the whole
/// stretch between the first and the last difference is replaced: a correct diff, not the shortest.
pub fn synthesize(path: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let (old_name, new_name) = (side_name('a', path), side_name('b', path));
    let mut diff = String::with_capacity(before.len().max(after.len()) + 4 * path.len() + 128);
    // Writing to a `String` cannot fail.
    let _ = writeln!(diff, "diff --git {old_name} {new_name}");
    let _ = writeln!(diff, "--- {}", tab_after_blank(&old_name));
    let _ = writeln!(diff, "+++ {}", tab_after_blank(&new_name));
    for group in group_diff_ops(edits(&old, &new), CONTEXT_LINES) {
        write_hunk(&mut diff, &group, &old, &new);
    }
    diff
}

/// Returns the edits from `old` to `new`, in order and without gaps.
fn edits(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_tail, new_tail) = (old.iter().skip(prefix), new.iter().skip(prefix));
    let suffix = old_tail
        .rev()
        .zip(new_tail.rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old_middle = old.len() - prefix - suffix;
    let new_middle = new.len() - prefix - suffix;
    let middle = if old_middle + new_middle <= MAX_SEARCH_LINES {
        // Numbers in place of lines: each comparison then takes the same time, however long the lines.
        let mut numbers = HashMap::with_capacity(old_middle + new_middle);
        let old_numbers = numbered(old, prefix, old_middle, &mut numbers);
        let new_numbers = numbered(new, prefix, new_middle, &mut numbers);
        capture_diff_slices(Algorithm::Myers, &old_numbers, &new_numbers)
    } else {
        vec![DiffOp::Replace {
            old_index: 0,
            old_len: old_middle,
            new_index: 0,
            new_len: new_middle,
        }]
    };
    let head = equal(0, 0, prefix);
    let tail = equal(prefix + old_middle, prefix + new_middle, suffix);
    let middle = middle.into_iter().map(|op| moved(op, prefix));
    head.into_iter().chain(middle).chain(tail).collect()
}

fn equal(old_index: usize, new_index: usize, len: usize) -> Option<DiffOp> {
    (len > 0).then_some(DiffOp::Equal {
        old_index,
        new_index,
        len,
    })
}

/// Returns the same edit, `by` lines further down on both sides.
fn moved(mut op: DiffOp, by: usize) -> DiffOp {
    match &mut op {
        DiffOp::Equal {
            old_index,
            new_index,
            ..
        }
        | DiffOp::Delete {
            old_index,
            new_index,
            ..
        }
        | DiffOp::Insert {
            old_index,
            new_index,
            ..
        }
        | DiffOp::Replace {
            old_index,
            new_index,
            ..
        } => {
            *old_index += by;
            *new_index += by;
        }
    }
    op
}

fn numbered<'a>(
    lines: &[&'a str],
    skip: usize,
    take: usize,
    numbers: &mut HashMap<&'a str, usize>,
) -> Vec<usize> {
    let middle = lines.iter().skip(skip).take(take);
    middle
        .map(|&line| {
            let next = numbers.len();
            *numbers.entry(line).or_insert(next)
        })
        .collect()
}

fn write_hunk(diff: &mut String, group: &[DiffOp], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    let old_range = first.old_range().start..last.old_range().end;
    let new_range = first.new_range().start..last.new_range().end;
    let _ = writeln!(
        diff,
        "@@ -{},{} +{},{} @@",
        first_line(old_range.start, old_range.len()),
        old_range.len(),
        first_line(new_range.start, new_range.len()),
        new_range.len(),
    );
    for op in group {
        let old_lines = old.get(op.old_range()).unwrap_or_default();
        let new_lines = new.get(op.new_range()).unwrap_or_default();
        if let DiffOp::Equal { .. } = op {
            write_lines(diff, ' ', old_lines);
        } else {
            write_lines(diff, '-', old_lines);
            write_lines(diff, '+', new_lines);
        }
    }
}

fn write_lines(diff: &mut String, marker: char, lines: &[&str]) {
    for line in lines {
        diff.push(marker);
        diff.push_str(line);
        if !line.ends_with('\n') {
            diff.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// Returns the number in a hunk header: an empty side is named by the line before it.
fn first_line(index: usize, lines: usize) -> usize {
    if lines == 0 { index } else { index + 1 }
}

/// Returns the path behind `a/` or `b/`, quoted as git does where it holds a quote, backslash or control character.
fn side_name(side: char, path: &str) -> String {
    if !path
        .chars()
        .any(|c| c.is_ascii_control() || matches!(c, '"' | '\\'))
    {
        return format!("{side}/{path}");
    }
    let mut quoted = format!("\"{side}/");
    for character in path.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_ascii_control() => {
                let _ = write!(quoted, "\\{:03o}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns the name with a tab after it where it holds a blank, as git writes it, so that no tool takes the end of
/// the name for a date.
fn tab_after_blank(name: &str) -> String {
    let tab = if name.contains(' ') && !name.starts_with('"') {
        "\t"
    } else {
        ""
    };
    format!("{name}{tab}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diff::{Diff, DiffLimits, Side, parse};

    /// Limits that no generated text reaches.
    fn wide() -> DiffLimits {
        DiffLimits {
            max_changed_lines: 1_000_000,
            max_line_bytes: 1_000_000,
            ..DiffLimits::default()
        }
    }

    /// Applies the text of a one-file diff without asking the parser: a second witness.
    fn apply(diff: &str, before: &str) -> String {
        let mut old = before.split_inclusive('\n');
        let mut taken = 0;
        let mut after = String::new();
        for line in diff.split_inclusive('\n').skip(3) {
            if let Some(range) = line.strip_prefix("@@ -") {
                let (start, rest) = range.split_once(',').unwrap();
                let lines: usize = rest.split_once(' ').unwrap().0.parse().unwrap();
                let start = start.parse::<usize>().unwrap() - usize::from(lines > 0);
                after.extend(old.by_ref().take(start - taken));
                taken = start;
            } else if line.starts_with('\\') {
                // That the text ends without a newline is settled below.
                continue;
            } else if let Some(added) = line.strip_prefix('+') {
                after.push_str(added);
            } else {
                let was = old.next().unwrap();
                taken += 1;
                assert_eq!(
                    was.trim_end_matches('\n'),
                    line.get(1..).unwrap().trim_end_matches('\n')
                );
                if line.starts_with(' ') {
                    after.push_str(was);
                }
            }
        }
        let mut ends_bare = false;
        let mut last_side = ' ';
        for line in diff.lines().skip(3) {
            if line.starts_with('\\') {
                ends_bare |= last_side == '+';
            } else {
                last_side = line.chars().next().unwrap_or(' ');
            }
        }
        if ends_bare {
            assert_eq!(after.pop(), Some('\n'));
        }
        after.extend(old);
        after
    }

    fn counts(diff: &Diff<'_>) -> (usize, usize) {
        let lines = diff
            .files
            .iter()
            .flat_map(|f| &f.hunks)
            .flat_map(|h| &h.lines);
        lines.fold((0, 0), |(added, removed), line| match line.side {
            Side::Added => (added + 1, removed),
            Side::Removed => (added, removed + 1),
            Side::Context => (added, removed),
        })
    }

    fn assert_sound(before: &str, after: &str) {
        let text = synthesize("src/x.py", before, after);
        let diff = parse(&text, &wide()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(counts(&diff), (diff.added_lines, diff.removed_lines));
        assert_eq!(diff.files.len(), 1);
        assert_eq!(apply(&text, before), after, "\n{text}");
    }

    #[test]
    fn a_small_edit_is_what_git_writes() {
        let text = synthesize("f.py", "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\nE\nf\n");
        assert_eq!(
            text,
            "diff --git a/f.py b/f.py\n--- a/f.py\n+++ b/f.py\n@@ -2,5 +2,5 @@\n b\n c\n d\n-e\n+E\n f\n"
        );
    }

    #[test]
    fn an_empty_side_is_named_by_the_line_before_it() {
        assert!(synthesize("f", "", "a\n").contains("@@ -0,0 +1,1 @@"));
        assert!(synthesize("f", "a\n", "").contains("@@ -1,1 +0,0 @@"));
    }

    #[test]
    fn equal_texts_give_no_diff() {
        assert_eq!(synthesize("f", "same\n", "same\n"), "");
    }

    #[test]
    fn an_empty_side_and_a_missing_newline_are_sound() {
        for (before, after) in [
            ("", "a\n"),
            ("a\n", ""),
            ("", "a"),
            ("a", ""),
            ("a", "a\n"),
            ("a\n", "a"),
            ("a\nb", "b"),
            ("x\r\ny\r\n", "x\ny\r\n"),
            ("a\rb\n", "a\rc\n"),
            ("\n\n\n", "\n"),
            ("-- \n", "--- a/f\n+++ b/f\n@@ -1 +1 @@\n"),
        ] {
            assert_sound(before, after);
        }
    }

    #[test]
    fn an_odd_path_is_quoted_and_read_back() {
        for path in [
            "a b.txt",
            "q\"uote",
            "back\\slash",
            "tab\there",
            "ä/ö.rs",
            "notes 2010-07-05",
            "d b/d",
        ] {
            let text = synthesize(path, "x\n", "y\n");
            let diff = parse(&text, &wide()).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(diff.files[0].path(), path);
        }
    }

    #[test]
    fn hostile_texts_are_replaced_whole_instead_of_searched() {
        // Two texts with no line in the same place would cost the search 10⁹ steps.
        let lines = |step: usize| -> String {
            (0..40_000)
                .map(|i| format!("{}\n", i * step % 40_009))
                .collect()
        };
        assert_sound(&lines(7), &lines(11));
    }

    proptest! {
        #[test]
        fn the_diff_of_any_two_texts_parses_and_applies(
            before in "(([a-c+ @\\\\-]{0,3}|é|\r)\n?){0,24}",
            after in "(([a-c+ @\\\\-]{0,3}|é|\r)\n?){0,24}",
        ) {
            prop_assume!(before != after);
            assert_sound(&before, &after);
        }

        #[test]
        fn the_diff_of_a_text_and_its_edit_parses_and_applies(
            lines in prop::collection::vec("[a-z]{0,2}", 1..60),
            at in any::<prop::sample::Index>(),
            newline in any::<bool>(),
        ) {
            let before = lines.join("\n") + "\n";
            let mut edited = lines.clone();
            edited[at.index(lines.len())].push('!');
            let after = edited.join("\n") + if newline { "\n" } else { "" };
            assert_sound(&before, &after);
        }
    }
}
