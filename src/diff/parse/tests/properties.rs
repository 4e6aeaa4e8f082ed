//! Properties over generated and mutated diffs.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::diff::{Hunk, Line};

/// Writes a diff as git would; the inverse of `parse` for all that a [`Diff`] holds.
fn render(diff: &Diff<'_>) -> String {
    let mut text = String::new();
    for file in &diff.files {
        let old = file.old_path.as_deref().unwrap_or(file.path());
        let new = file.new_path.as_deref().unwrap_or(old);
        let mode = file.new_mode.unwrap_or(0o100_644);
        let (from, to) = (quoted("", old), quoted("", new));
        let _ = writeln!(
            text,
            "diff --git {} {}",
            quoted("a/", old),
            quoted("b/", new)
        );
        let _ = match file.change {
            Change::Added => writeln!(text, "new file mode {mode:o}"),
            Change::Deleted => writeln!(text, "deleted file mode 100644"),
            Change::Renamed => writeln!(text, "rename from {from}\nrename to {to}"),
            Change::Copied => writeln!(text, "copy from {from}\ncopy to {to}"),
            Change::Binary => writeln!(text, "index 1..2\nBinary files {old} and {new} differ"),
            Change::Modified if file.new_mode.is_some() => {
                writeln!(text, "old mode 100600\nnew mode {mode:o}")
            }
            Change::Modified => writeln!(text, "index 1..2 100644"),
        };
        if !file.hunks.is_empty() {
            let _ = writeln!(text, "--- {}", side_name("a/", file.old_path.as_deref()));
            let _ = writeln!(text, "+++ {}", side_name("b/", file.new_path.as_deref()));
        }
        for hunk in &file.hunks {
            render_hunk(&mut text, hunk);
        }
    }
    text
}

fn render_hunk(text: &mut String, hunk: &Hunk<'_>) {
    let lines_but = |side| hunk.lines.iter().filter(|line| line.side != side).count();
    let (old_lines, new_lines) = (lines_but(Side::Added), lines_but(Side::Removed));
    let (old_start, new_start) = (hunk.old_start, hunk.new_start);
    let _ = writeln!(
        text,
        "@@ -{old_start},{old_lines} +{new_start},{new_lines} @@"
    );
    for line in &hunk.lines {
        text.push(match line.side {
            Side::Context => ' ',
            Side::Removed => '-',
            Side::Added => '+',
        });
        text.push_str(line.text);
        text.push('\n');
    }
}

fn side_name(prefix: &str, path: Option<&str>) -> String {
    path.map_or("/dev/null".to_owned(), |path| quoted(prefix, path))
}

fn quoted(prefix: &str, path: &str) -> String {
    let mut name = format!("\"{prefix}");
    for byte in path.bytes() {
        let _ = write!(name, "\\{byte:03o}");
    }
    name + "\""
}

fn lines(only: Option<Side>) -> impl Strategy<Value = Vec<Line<'static>>> {
    let side = prop_oneof![Just(Side::Context), Just(Side::Removed), Just(Side::Added)];
    let text = prop::sample::select(vec![
        "",
        "x",
        "-- a/f",
        "++ b/f",
        "@@ -1 +1 @@",
        "\\ No newline at end of file",
        "é\t\u{202e}",
        "y\r",
        " ",
    ]);
    let line = (side, text).prop_map(move |(side, text)| Line {
        side: only.unwrap_or(side),
        text,
    });
    prop::collection::vec(line, 1..12).prop_filter("a hunk changes something", |lines| {
        lines.iter().any(|line| line.side != Side::Context)
    })
}

fn hunks(only: Option<Side>, least: usize) -> impl Strategy<Value = Vec<Hunk<'static>>> {
    let hunk =
        (0..100_000_u32, 0..100_000_u32, lines(only)).prop_map(|(old_start, new_start, lines)| {
            Hunk {
                old_start,
                new_start,
                heading: "",
                lines,
            }
        });
    prop::collection::vec(hunk, least..4)
}

fn file(number: usize) -> impl Strategy<Value = FileDiff<'static>> {
    let kind = prop::sample::select(vec![
        Change::Modified,
        Change::Added,
        Change::Deleted,
        Change::Renamed,
        Change::Copied,
        Change::Binary,
    ]);
    let mode = prop::option::of(prop::sample::select(vec![0o100_755_u32, 0o120_000]));
    (kind, "[a-zé \"\t]{1,8}", mode).prop_flat_map(move |(change, name, mode)| {
        let only = match change {
            Change::Added => Some(Side::Added),
            Change::Deleted => Some(Side::Removed),
            _ => None,
        };
        let least = usize::from(change == Change::Modified && mode.is_none());
        hunks(only, least).prop_map(move |hunks| {
            let path = format!("{number}/{name}!");
            let new_path = match change {
                Change::Renamed | Change::Copied => format!("{path}.moved"),
                _ => path.clone(),
            };
            FileDiff {
                old_path: (change != Change::Added).then_some(path.into()),
                new_path: (change != Change::Deleted).then_some(new_path.into()),
                change,
                new_mode: match change {
                    Change::Added => Some(mode.unwrap_or(0o100_644)),
                    Change::Modified => mode,
                    _ => None,
                },
                hunks: if change == Change::Binary {
                    Vec::new()
                } else {
                    hunks
                },
            }
        })
    })
}

fn any_diff() -> impl Strategy<Value = Diff<'static>> {
    let files = (
        file(0),
        prop::option::of(file(1)),
        prop::option::of(file(2)),
    );
    files.prop_map(|(first, second, third)| {
        let mut diff = Diff {
            files: [Some(first), second, third].into_iter().flatten().collect(),
            added_lines: 0,
            removed_lines: 0,
        };
        (diff.added_lines, diff.removed_lines) = counted(&diff);
        diff
    })
}

/// Returns the added and the removed lines, counted one by one.
fn counted(diff: &Diff<'_>) -> (usize, usize) {
    let count = |side| {
        let hunks = diff.files.iter().flat_map(|file| &file.hunks);
        hunks
            .flat_map(|hunk| &hunk.lines)
            .filter(|line| line.side == side)
            .count()
    };
    (count(Side::Added), count(Side::Removed))
}

/// What every parsed diff keeps, whatever the text was.
fn assert_sound(diff: &Diff<'_>) {
    assert!(!diff.files.is_empty());
    assert_eq!(counted(diff), (diff.added_lines, diff.removed_lines));
    for file in &diff.files {
        for path in [&file.old_path, &file.new_path].into_iter().flatten() {
            assert!(!path.is_empty() && !path.starts_with('/'));
            assert!(
                !path
                    .split('/')
                    .any(|part| matches!(part, "" | ".." | ".git"))
            );
        }
        for hunk in &file.hunks {
            assert!(hunk.lines.iter().any(|line| line.side != Side::Context));
            assert!(hunk.lines.iter().all(|line| !line.text.contains('\n')));
        }
    }
}

proptest! {
    #[test]
    fn a_rendered_diff_is_read_back_as_it_was(diff in any_diff()) {
        let text = render(&diff);
        let again = parse(&text, &DiffLimits::default());
        prop_assert_eq!(again, Ok(diff), "{}", text);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        if let Ok(diff) = parse(&text, &DiffLimits::default()) {
            assert_sound(&diff);
        }
    }

    #[test]
    fn any_sequence_of_diff_like_lines_never_panics_and_what_parses_is_sound(
        lines in prop::collection::vec(prop::sample::select(vec![
            "diff --git a/x b/x", "--- a/x", "+++ b/x", "--- /dev/null", "+++ /dev/null", "@@ -1 +1 @@", "-a", "+b",
            " c", "", "\r", "\\ No newline at end of file", "new file mode 100644", "deleted file mode 100644",
            "rename from x", "rename to y", "index 1..2 120000", "GIT binary patch", "literal 1", "Hc${MZ00000",
            "Binary files x and y differ", "-- ", "From a", "--- \"a/\\303\\244\"", "+++ \"b/\\303", "@@ -0,0 +1,3 @@",
        ]), 0..14),
    ) {
        if let Ok(diff) = parse(&lines.join("\n"), &DiffLimits::default()) {
            assert_sound(&diff);
        }
    }

    #[test]
    fn a_mutated_diff_never_panics_and_what_parses_is_sound(
        diff in any_diff(),
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), "[\n\r\t\"\\\\ +@/0-9é-]{0,2}", any::<bool>()),
            1..4,
        ),
    ) {
        let mut text: Vec<char> = render(&diff).chars().collect();
        for (at, patch, replace) in cuts {
            let at = at.index(text.len());
            text.splice(at..at + usize::from(replace), patch.chars());
        }
        let text: String = text.into_iter().collect();
        match parse(&text, &DiffLimits::default()) {
            Ok(diff) => assert_sound(&diff),
            Err(error) => {
                let lines = u32::try_from(text.lines().count()).unwrap();
                prop_assert!(error.line() <= lines, "{}", error);
            }
        }
    }
}
