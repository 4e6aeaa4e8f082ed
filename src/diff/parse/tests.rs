//! Claims about the parser: what it reads, what it refuses, and that hostile text cannot hurt it.

mod properties;
mod refused;

use super::*;
use crate::diff::Side;

fn read(text: &str) -> Diff<'_> {
    parse(text, &DiffLimits::default()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Returns `(change, old path, new path, hunks)` of each file.
fn files<'d>(diff: &'d Diff<'_>) -> Vec<(Change, Option<&'d str>, Option<&'d str>, usize)> {
    let file = |f: &'d FileDiff<'_>| {
        (
            f.change,
            f.old_path.as_deref(),
            f.new_path.as_deref(),
            f.hunks.len(),
        )
    };
    diff.files.iter().map(file).collect()
}

#[test]
fn a_git_diff_is_read_in_full() {
    let diff = read(
        "diff --git a/src/m.c b/src/m.c\nindex 1a2b..3c4d 100644\n--- a/src/m.c\n+++ b/src/m.c\n\
         @@ -10,3 +10,4 @@ int main(void)\n keep\n-old\n+new\n+more\n keep\n@@ -30 +31,0 @@\n-gone\n",
    );
    assert_eq!(
        files(&diff),
        [(Change::Modified, Some("src/m.c"), Some("src/m.c"), 2)]
    );
    assert_eq!((diff.added_lines, diff.removed_lines), (2, 2));
    let hunk = &diff.files[0].hunks[0];
    assert_eq!((hunk.old_start, hunk.new_start), (10, 10));
    let lines: Vec<_> = hunk
        .lines
        .iter()
        .map(|line| (line.side, line.text))
        .collect();
    assert_eq!(
        lines,
        [
            (Side::Context, "keep"),
            (Side::Removed, "old"),
            (Side::Added, "new"),
            (Side::Added, "more"),
            (Side::Context, "keep"),
        ]
    );
    assert_eq!(diff.files[0].new_mode, None);
}

#[test]
fn text_is_borrowed_from_the_input() {
    let text = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n";
    let diff = read(text);
    let range = text.as_bytes().as_ptr_range();
    let borrowed = |part: &str| range.contains(&part.as_ptr());
    assert!(
        matches!(diff.files[0].new_path, Some(std::borrow::Cow::Borrowed(path)) if borrowed(path))
    );
    assert!(
        diff.files[0].hunks[0]
            .lines
            .iter()
            .all(|line| borrowed(line.text))
    );
}

#[test]
fn new_and_deleted_files_have_one_side() {
    let diff = read(
        "diff --git a/n b/n\nnew file mode 100755\nindex 0..1\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n\
         diff --git a/d b/d\ndeleted file mode 100644\nindex 1..0\n--- a/d\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
         diff --git a/empty b/empty\nnew file mode 120000\nindex 0..e\n",
    );
    assert_eq!(
        files(&diff),
        [
            (Change::Added, None, Some("n"), 1),
            (Change::Deleted, Some("d"), None, 1),
            (Change::Added, None, Some("empty"), 0),
        ]
    );
    let modes: Vec<_> = diff.files.iter().map(|file| file.new_mode).collect();
    assert_eq!(modes, [Some(0o100_755), None, Some(0o120_000)]);
}

#[test]
fn renames_copies_and_modes_need_no_hunk() {
    let diff = read(
        "diff --git a/r b/s\nsimilarity index 100%\nrename from r\nrename to s\n\
         diff --git a/c b/d e\nsimilarity index 90%\ncopy from c\ncopy to d e\nindex 1..2\n--- a/c\n+++ b/d e\t\n\
         @@ -1 +1 @@\n-x\n+y\ndiff --git a/m n b/m n\nold mode 100644\nnew mode 100755\n",
    );
    assert_eq!(
        files(&diff),
        [
            (Change::Renamed, Some("r"), Some("s"), 0),
            (Change::Copied, Some("c"), Some("d e"), 1),
            (Change::Modified, Some("m n"), Some("m n"), 0),
        ]
    );
}

#[test]
fn an_index_line_states_the_mode_of_a_link() {
    let diff = read(
        "diff --git a/l b/l\nindex 1..2 120000\n--- a/l\n+++ b/l\n@@ -1 +1 @@\n-x\n+/etc/passwd\n",
    );
    assert_eq!(diff.files[0].new_mode, Some(0o120_000));
}

#[test]
fn binary_changes_are_seen_and_their_payload_is_stepped_over() {
    let diff = read(
        "diff --git a/b b/b\nindex 1..2 100644\nBinary files a/b and b/b differ\n\
         diff --git a/p b/p\nnew file mode 100644\nindex 0..1\nGIT binary patch\nliteral 3\nKcmZQzWB>pF00000\n\n\
         literal 0\nHcmV?d00001\n\ndiff --git a/t b/t\n--- a/t\n+++ b/t\n@@ -1 +1 @@\n-x\n+y\n",
    );
    assert_eq!(
        files(&diff),
        [
            (Change::Binary, Some("b"), Some("b"), 0),
            (Change::Binary, None, Some("p"), 0),
            (Change::Modified, Some("t"), Some("t"), 1),
        ]
    );
}

#[test]
fn a_plain_diff_is_read_with_its_timestamps() {
    let diff = read(
        "diff -ru old/a.c new/a.c\n--- old/a.c\t2010-07-05 19:41:17.62 -0500\n+++ new/a.c\t2010-07-06 08:00:00 +0200\n\
         @@ -1 +1 @@\n-x\n+y\nIndex: b.c\n=======\n--- old/b.c\t(revision 4)\n+++ new/b.c\t(working copy)\n\
         @@ -1 +1 @@\n-x\n+y\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1 @@\n+z\n",
    );
    assert_eq!(
        files(&diff),
        [
            (Change::Modified, Some("a.c"), Some("a.c"), 1),
            (Change::Modified, Some("b.c"), Some("b.c"), 1),
            (Change::Added, None, Some("n.c"), 1),
        ]
    );
}

#[test]
fn the_epoch_marks_a_missing_file() {
    for (stamp, added) in [
        ("1970-01-01 00:00:00.000000000 +0000", true),
        ("1970-01-01 01:00:00 +0100", true),
        ("1969-12-31 19:00:00 -05:00", true),
        ("1970-01-01 00:00:01 +0000", false),
        ("1970-01-01 01:00:00 +0000", false),
        ("1970-01-01 00:00:00", false),
    ] {
        let text =
            format!("--- a/f\t{stamp}\n+++ b/f\t2020-01-01 10:00:00 +0000\n@@ -0,0 +1 @@\n+x\n");
        assert_eq!(
            read(&text).files[0].change == Change::Added,
            added,
            "{stamp}"
        );
    }
}

#[test]
fn quoted_names_are_decoded() {
    let diff = read(
        "diff --git \"a/\\303\\244 \\\"\\t\\\\.txt\" \"b/\\303\\244 \\\"\\t\\\\.txt\"\n--- \"a/\\303\\244 \\\"\\t\\\\.txt\"\n\
         +++ \"b/\\303\\244 \\\"\\t\\\\.txt\"\n@@ -1 +1 @@\n-x\n+y\n\
         diff --git a/x \"b/\\303\\266\"\nsimilarity index 100%\nrename from x\nrename to \"\\303\\266\"\n",
    );
    assert_eq!(diff.files[0].path(), "ä \"\t\\.txt");
    assert_eq!(diff.files[1].path(), "ö");
}

#[test]
fn crlf_is_kept_in_lines_and_tolerated_in_headers() {
    let diff = read(
        "diff --git a/f b/f\r\nindex 1..2 100644\r\n--- a/f\r\n+++ b/f\r\n@@ -1,2 +1,2 @@\r\n-x\r\n+y\r\n z\r\n\r\n",
    );
    assert_eq!(diff.files[0].path(), "f");
    assert!(
        diff.files[0].hunks[0]
            .lines
            .iter()
            .all(|line| line.text.ends_with('\r'))
    );
}

#[test]
fn an_empty_line_in_a_hunk_is_context_that_lost_its_blank() {
    let diff = read("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n-x\n+y\n\n z\n\n\n");
    let line = diff.files[0].hunks[0].lines[2];
    assert_eq!((line.side, line.text), (Side::Context, ""));
    assert_eq!(diff.files[0].hunks[0].lines.len(), 4);
}

#[test]
fn both_sides_may_end_without_a_newline() {
    let marker = "\\ No newline at end of file\n";
    let diff = read(&format!(
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-x\n{marker}+y\n{marker}"
    ))
    .added_lines;
    assert_eq!(diff, 1);
    assert_eq!(
        read(&format!(
            "--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-x\n a\n{marker}"
        ))
        .removed_lines,
        1
    );
}

#[test]
fn a_series_of_mails_is_read_without_its_prose() {
    let mail = |name: &str| {
        format!(
            "From 0123456789abcdef Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] x\n\n- a list\n+ another\n\
             ---\n {name} | 2 +-\n 1 file changed\n\ndiff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n\
             @@ -1 +1 @@\n-x\n+y\n-- \n2.39.5\n\n"
        )
    };
    let text = mail("one") + &mail("two");
    assert_eq!(read(&text).files.len(), 2);
}

#[test]
fn log_entries_may_stand_between_files() {
    let file = |name: &str| {
        format!(
            "commit 0123456789\n\n    text\n\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-x\n+y\n\n"
        )
    };
    assert_eq!(read(&(file("one") + &file("two"))).files.len(), 2);
}

#[test]
fn a_removed_line_that_looks_like_a_header_stays_a_line() {
    let diff = read("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n--- a/g\n+++ b/g\n @@ -1 +1 @@\n");
    assert_eq!(files(&diff).len(), 1);
    assert_eq!(diff.files[0].hunks[0].lines[0].text, "-- a/g");
}

#[test]
fn a_missing_last_newline_is_read_as_if_it_were_there() {
    let text = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y";
    assert_eq!(read(text), read(&format!("{text}\n")));
}

#[test]
fn two_copies_may_share_a_source() {
    let copy = |to: &str| {
        format!("diff --git a/x b/{to}\nsimilarity index 100%\ncopy from x\ncopy to {to}\n")
    };
    assert_eq!(read(&(copy("y") + &copy("z"))).files.len(), 2);
}
