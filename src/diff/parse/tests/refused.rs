//! What the parser refuses, by which code, and where it says the fault is.

use super::*;

const HUNK: &str = "@@ -1 +1 @@\n-x\n+y\n";

/// Asserts that each text is refused with the code at the line.
fn refused(cases: &[(&str, &str, u32)]) {
    for &(text, code, line) in cases {
        let error = parse(text, &DiffLimits::default()).expect_err(text);
        assert_eq!(
            (error.code(), error.line()),
            (code, line),
            "{error}\n{text}"
        );
    }
}

/// Asserts that a change to one file with this header is refused with the code.
fn header_refused(headers: &[(&str, &str)]) {
    for &(header, code) in headers {
        let text = format!("{header}{HUNK}");
        let error = parse(&text, &DiffLimits::default()).expect_err(&text);
        assert_eq!(error.code(), code, "{error}\n{text}");
    }
}

#[test]
fn a_text_without_a_change_is_refused() {
    refused(&[
        ("", "no_files", 0),
        ("just\nprose\n", "no_files", 2),
        ("--- a/f\n+++ b/f\n", "no_files", 2),
        ("diff --git a/f b/f\n", "empty_change", 1),
        ("diff --git a/f b/f\nindex 1..2 100644\n", "empty_change", 1),
        (
            "diff --git a/f b/f\nold mode 100644\nnew mode 100644\n",
            "empty_change",
            1,
        ),
        (
            "diff --git a/f b/f\n@@ -1 +1 @@\n-x\n+y\n",
            "empty_change",
            1,
        ),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n x\n", "hunk_empty", 3),
        ("--- a/f\n+++ b/f\n@@ -0,0 +0,0 @@\n", "hunk_empty", 3),
    ]);
}

#[test]
fn a_hunk_that_lies_about_its_length_is_refused() {
    refused(&[
        (
            "--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-x\n+y\n",
            "hunk_length",
            5,
        ),
        (
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n+z\n",
            "hunk_length",
            6,
        ),
        (
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n z\n",
            "hunk_length",
            6,
        ),
        (
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n-z\n+y\n",
            "hunk_length",
            5,
        ),
        (
            "--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-x\n+y\ndiff --git a/g b/g\n",
            "hunk_length",
            6,
        ),
        (
            "--- a/f\n+++ b/f\n@@ -1 +1,3 @@\n-x\n+y\n\r\n+z\n",
            "hunk_length",
            6,
        ),
    ]);
}

#[test]
fn a_malformed_or_unattached_hunk_header_is_refused() {
    refused(&[
        ("--- a/f\n+++ b/f\n@@ -1 @@\n-x\n", "hunk_header", 3),
        ("--- a/f\n+++ b/f\n@@ -1, +1 @@\n-x\n", "hunk_header", 3),
        (
            "--- a/f\n+++ b/f\n@@ -4294967297 +1 @@\n-x\n+y\n",
            "hunk_header",
            3,
        ),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @\n-x\n+y\n", "hunk_header", 3),
        ("@@ -1 +1 @@\n-x\n+y\n", "hunk_orphan", 1),
        (
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n\n@@ -9 +9 @@\n-x\n+y\n",
            "hunk_orphan",
            7,
        ),
        (
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+y\n@@@ -9 -9 +9 @@@\n",
            "hunk_orphan",
            6,
        ),
    ]);
}

#[test]
fn a_marker_where_the_file_cannot_end_is_refused() {
    let end = "\\ No newline at end of file\n";
    let head = "--- a/f\n+++ b/f\n";
    for (body, line) in [
        // git would glue the two added lines together.
        (format!("@@ -1 +1,2 @@\n-x\n+y\n{end}+z\n"), 6),
        (format!("@@ -1 +1 @@\n{end}-x\n+y\n"), 4),
        (format!("@@ -1 +1 @@\n-x\n+y\n{end}{end}"), 7),
        (
            format!("@@ -1 +1 @@\n-x\n+y\n{end}@@ -9 +9 @@\n-x\n+y\n"),
            7,
        ),
        ("@@ -1 +1 @@\n-x\n+y\n\\ short\n".to_owned(), 6),
    ] {
        refused(&[(&format!("{head}{body}"), "no_newline_marker", line)]);
    }
}

#[test]
fn stray_text_after_a_hunk_is_refused() {
    for stray in ["and then some", "```", "\\", "--- a/g", "No changes"] {
        let text = format!("--- a/f\n+++ b/f\n{HUNK}\n{stray}\n");
        refused(&[(&text, "stray_text", 7)]);
    }
    let after_signature = format!("--- a/f\n+++ b/f\n{HUNK}-- \n2.39\n+more\n");
    refused(&[(&after_signature, "stray_text", 8)]);
}

#[test]
fn an_unsafe_path_is_refused() {
    for path in [
        "/etc/passwd",
        "../x",
        "x/../y",
        "x/..",
        "./x",
        "x//y",
        "x/",
        ".git/hooks/pre-commit",
        "x/.GIT/config",
        ".git",
        ".git./config",
        "git~1/config",
        ".git::$INDEX_ALLOCATION/x",
        "..\\x",
        ".git\\config",
        "x\u{7}y",
    ] {
        let text = format!("--- a/{path}\n+++ b/{path}\n{HUNK}");
        refused(&[(&text, "unsafe_path", 1)]);
    }
    header_refused(&[
        ("--- /abs/f\n+++ /abs/f\n", "unsafe_path"),
        ("--- a\r/f\n+++ a\r/f\n", "unsafe_path"),
        ("--- \"a/x\\000y\"\n+++ \"b/x\\000y\"\n", "unsafe_path"),
        (
            "diff --git a/x b/../y\nrename from x\nrename to ../y\n",
            "unsafe_path",
        ),
        (
            "diff --git a/../x b/../x\nold mode 100644\nnew mode 100755\n",
            "unsafe_path",
        ),
    ]);
}

#[test]
fn a_path_with_two_readings_is_refused() {
    header_refused(&[
        (
            "--- a/f 2010-07-05 19:41:17 +0000\n+++ b/f 2010-07-05 19:41:17 +0000\n",
            "path_unreadable",
        ),
        (
            "--- a/f 2010-07-05\n+++ b/f 2010-07-05\n",
            "path_unreadable",
        ),
        ("--- a/f\tg\t2010-07-05\n+++ b/f\n", "path_unreadable"),
        ("--- a/f\tg 2010-07-05\n+++ b/f\n", "path_unreadable"),
        (
            "--- a/f\t2010-07-05 2011-07-05\n+++ b/f\n",
            "path_unreadable",
        ),
        ("--- \"a/f\n+++ \"b/f\n", "path_unreadable"),
        ("--- \"a/\\377\"\n+++ \"b/\\377\"\n", "path_unreadable"),
        ("--- \"a/\\q\"\n+++ \"b/\\q\"\n", "path_unreadable"),
    ]);
}

#[test]
fn a_path_without_a_prefix_is_refused_as_such() {
    header_refused(&[
        ("--- f\n+++ f\n", "prefix_missing"),
        ("--- d/f\n+++ d/f\n", "prefix_missing"),
        (
            "--- d/f\t2010-07-05 19:41:17 +0000\n+++ d/f\t2010-07-06 19:41:17 +0000\n",
            "prefix_missing",
        ),
        ("diff --git f f\n--- f\n+++ f\n", "prefix_missing"),
        ("diff --git d/f d/f\n--- d/f\n+++ d/f\n", "prefix_missing"),
        (
            "diff --git d e/f d e/f\n--- d e/f\t\n+++ d e/f\t\n",
            "prefix_missing",
        ),
        (
            "diff --git \"d/\\303\\244\" \"d/\\303\\244\"\n--- \"d/\\303\\244\"\n+++ \"d/\\303\\244\"\n",
            "prefix_missing",
        ),
    ]);
    // Control: any two prefixes that differ are taken off.
    for (old, new) in [("a", "b"), ("i", "w"), ("c", "o"), ("old", "new")] {
        let text = format!("diff --git {old}/d/f {new}/d/f\n--- {old}/d/f\n+++ {new}/d/f\n{HUNK}");
        let diff = parse(&text, &DiffLimits::default()).expect(&text);
        assert_eq!(diff.files[0].path(), "d/f", "{text}");
    }
}

#[test]
fn a_combined_diff_is_refused_as_such() {
    let merge =
        "diff --cc f\nindex 1,2..3\n--- a/f\n+++ b/f\n@@@ -1,1 -1,1 +1,1 @@@\n- x\n -y\n++z\n";
    refused(&[(merge, "combined_diff", 1)]);
    let second = format!("--- a/g\n+++ b/g\n{HUNK}{merge}");
    refused(&[(&second, "combined_diff", 6)]);
}

#[test]
fn names_that_disagree_are_refused() {
    header_refused(&[
        ("--- a/f\n+++ b/g\n", "path_mismatch"),
        ("diff --git a/f b/f\n--- a/g\n+++ b/g\n", "path_mismatch"),
        ("diff --git a/f b/g\n--- a/f\n+++ b/g\n", "path_mismatch"),
        (
            "diff --git a/f b/g\nrename from f\nrename to h\n",
            "path_mismatch",
        ),
        (
            "diff --git a/f b/f\nrename from f\nrename to f\n",
            "path_mismatch",
        ),
        (
            "diff --git a/f b/g\nrename from f\nrename to g\n--- a/h\n+++ b/g\n",
            "path_mismatch",
        ),
        (
            "diff --git a/f b/g\nold mode 100644\nnew mode 100755\n",
            "path_missing",
        ),
        // git takes the carriage return for part of the second name only.
        (
            "diff --git a/f b/f\r\nold mode 100644\r\nnew mode 100755\r\n",
            "path_missing",
        ),
        ("diff --git a/f b/g\nrename from f\n", "path_missing"),
        ("diff --git a/f b/f\n--- a/f\n", "path_missing"),
        ("--- /dev/null\n+++ /dev/null\n", "path_missing"),
    ]);
}

#[test]
fn a_header_that_contradicts_itself_is_refused() {
    header_refused(&[
        (
            "diff --git a/f b/f\n--- /dev/null\n+++ b/f\n",
            "file_header",
        ),
        (
            "diff --git a/f b/f\nnew file mode 100644\n--- a/f\n+++ b/f\n",
            "file_header",
        ),
        (
            "diff --git a/f b/f\nnew file mode 100644\ndeleted file mode 100644\n",
            "file_header",
        ),
        ("diff --git a/f b/f\nnew file mode 10o644\n", "file_header"),
        ("diff --git a/f b/f\n+++ b/f\n--- a/f\n", "file_header"),
        (
            "diff --git a/f b/f\n--- a/f\n+++ b/f\nnew mode 100755\n",
            "file_header",
        ),
        (
            "diff --git a/f b/f\nnew file mode 100644\n--- /dev/null\n+++ b/f\n",
            "content_conflict",
        ),
        ("--- a/f\n+++ /dev/null\n", "content_conflict"),
    ]);
}

#[test]
fn a_second_change_to_a_path_is_refused() {
    let change = format!("diff --git a/f b/f\n--- a/f\n+++ b/f\n{HUNK}");
    refused(&[(&change.repeat(2), "duplicate_path", 7)]);
    let moved =
        format!("diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n{change}");
    refused(&[(&moved, "duplicate_path", 5)]);
}

#[test]
fn a_corrupt_binary_patch_is_refused() {
    for payload in [
        "",
        "literal 3\n",
        "literal 3\nKcmZQzWB>pF00000\n",
        "literal 3\nKcmZ\n\n",
        "literal 3\n+more of it\n\n",
    ] {
        let text = format!("diff --git a/b b/b\nindex 1..2\nGIT binary patch\n{payload}");
        let error = parse(&text, &DiffLimits::default()).expect_err(&text);
        assert_eq!(error.code(), "binary_payload", "{text}");
    }
}

#[test]
fn a_limit_is_named_with_its_value() {
    let limits = DiffLimits {
        max_files: 1,
        max_hunks: 2,
        max_changed_lines: 5,
        max_line_bytes: 30,
    };
    let file =
        |name: &str, hunks: usize| format!("--- a/{name}\n+++ b/{name}\n{}", HUNK.repeat(hunks));
    for (text, code, message) in [
        (
            file("f", 1) + &file("g", 1),
            "too_many_files",
            "line 6: more files than max_files = 1",
        ),
        (
            file("f", 3),
            "too_many_hunks",
            "line 9: more hunks than max_hunks = 2",
        ),
        (
            format!("--- a/f\n+++ b/f\n@@ -1,6 +0,0 @@\n{}", "-x\n".repeat(6)),
            "too_many_changed_lines",
            "line 3: more changed lines than max_changed_lines = 5",
        ),
        (
            file(&"f".repeat(40), 1),
            "line_too_long",
            "line 1: longer than max_line_bytes = 30",
        ),
    ] {
        let error = parse(&text, &limits).expect_err(&text);
        assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    }
}

#[test]
fn a_message_repeats_foreign_text_only_escaped_and_cut() {
    let text = format!(
        "--- a/f\n+++ b/f\n{HUNK}\u{1b}[31m\u{202e}{}\n",
        "x".repeat(500)
    );
    let message = parse(&text, &DiffLimits::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{message}"
    );
    assert!(message.len() < 120, "{message}");
}
