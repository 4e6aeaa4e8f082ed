//! What a hostile generator may try, whatever the ecosystem.

use super::*;

const BUMP: &str = "-django==3.2.11\n+django==3.2.12";

#[test]
fn one_file_that_is_no_manifest_makes_it_code() {
    let text = diff_of(&[("requirements.txt", BUMP), ("src/app.py", "-a = 1\n+a = 2")]);
    assert_eq!(judged(&text, &django()).code(), "not_a_manifest");
    // Control: without the code it is a bump.
    assert_eq!(
        judged(&diff_of(&[("requirements.txt", BUMP)]), &django()).code(),
        "remedies"
    );
}

#[test]
fn a_manifest_of_somebody_else_does_not_count() {
    for path in [
        "node_modules/x/requirements.txt",
        "tests/requirements.txt",
        "vendor/requirements.txt",
    ] {
        assert_eq!(
            code(path, BUMP, &django()),
            "not_the_projects_manifest",
            "{path}"
        );
    }
}

#[test]
fn a_file_that_does_more_than_change_in_place_is_refused() {
    let heads = [
        "diff --git a/requirements.txt b/requirements.txt\nold mode 100644\nnew mode 100755\n--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-django==3.2.11\n+django==3.2.12\n",
        "diff --git a/requirements.txt b/requirements.txt\nnew file mode 100644\n--- /dev/null\n+++ b/requirements.txt\n@@ -0,0 +1 @@\n+django==3.2.12\n",
        "diff --git a/requirements.txt b/requirements.txt\ndeleted file mode 100644\n--- a/requirements.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-django==3.2.11\n",
        "diff --git a/requirements.txt b/requirements-dev.txt\nsimilarity index 90%\nrename from requirements.txt\nrename to requirements-dev.txt\n--- a/requirements.txt\n+++ b/requirements-dev.txt\n@@ -1 +1 @@\n-django==3.2.11\n+django==3.2.12\n",
    ];
    for text in heads {
        assert_eq!(judged(text, &django()).code(), "file_change", "{text}");
    }
}

#[test]
fn what_cannot_be_seen_in_print_is_refused() {
    for hidden in [
        "\u{200b}",
        "\u{202e}",
        "\u{43e}",
        "\u{7f}",
        "\u{1b}[31m",
        "\u{a0}",
        "\r\r",
    ] {
        let lines = format!("-django==3.2.11\n+django==3.2.12{hidden}");
        assert_eq!(
            code("requirements.txt", &lines, &django()),
            "foreign_character",
            "{hidden:?}"
        );
    }
    // A line end of Windows is none of these.
    assert_eq!(
        code(
            "requirements.txt",
            "-django==3.2.11\r\n+django==3.2.12\r",
            &django()
        ),
        "more_than_the_version"
    );
    let windows = "diff --git a/requirements.txt b/requirements.txt\n--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1 +1 @@\n-django==3.2.11\r\n+django==3.2.12\r\n";
    // Git writes so for a file that ends its lines so; it fits no other, and which it is cannot be told.
    assert_eq!(judged(windows, &django()).code(), "line_ends");
    let throughout = windows.replace("\r\n", "\n").replace('\n', "\r\n");
    assert_eq!(judged(&throughout, &django()).code(), "remedies");
    let mixed = windows.replace("@@ -1 +1 @@\n", "@@ -1,2 +1,2 @@\n flask==1.0\n");
    assert_eq!(judged(&mixed, &django()).code(), "line_ends");
}

#[test]
fn lines_that_change_places_are_not_pairs() {
    let apart = "-django==3.2.11\n flask==1.0\n+django==3.2.12";
    assert_eq!(
        code("requirements.txt", apart, &django()),
        "removed_dependency"
    );
    let known = facts(vec![
        package(Ecosystem::PyPi, "a", "<2", "2"),
        package(Ecosystem::PyPi, "b", "<2", "2"),
    ]);
    assert_eq!(
        code("requirements.txt", "-a==1\n-b==1\n+b==2\n+a==2", &known),
        "more_than_the_version"
    );
}

#[test]
fn a_package_named_twice_must_be_fixed_twice() {
    let twice = "-django==3.2.11\n+django==3.2.12\n+django==3.2.11";
    assert_eq!(code("requirements.txt", twice, &django()), "new_dependency");
    let both = "-django==3.2.11\n-django==3.2.11\n+django==3.2.12\n+django==3.2.10";
    assert_eq!(code("requirements.txt", both, &django()), "inside_affected");
}

#[test]
fn hunks_that_overlap_or_go_back_are_refused() {
    // The parser refuses them too; the judge does not rely on it.
    let text = diff_of(&[("requirements.txt", BUMP)]);
    let mut diff = parse(&text, &DiffLimits::default()).unwrap();
    let hunk = diff.files[0].hunks[0].clone();
    diff.files[0].hunks.push(hunk);
    assert_eq!(assess(&diff, &django()).code(), "hunk_order");
    let file = diff.files[0].clone();
    diff.files[0].hunks.pop();
    diff.files.push(file);
    assert_eq!(assess(&diff, &django()).code(), "file_change");
}

#[test]
fn messages_are_escaped_and_bounded() {
    let path = format!("{}/requirements.txt", "d".repeat(3_000));
    let lines = format!(
        "-django==3.2.11\n+django==3.2.12 # {}",
        "\u{1b}".repeat(500)
    );
    let Assessment::NotABump(refusal) = judged(&diff_of(&[(&path, &lines)]), &django()) else {
        panic!("refused");
    };
    assert!(refusal.detail.chars().count() <= super::super::MAX_TEXT_CHARS);
    assert!(!refusal.detail.contains('\u{1b}'));
    assert!(refusal.detail.contains("u{1b}"));
}

#[test]
fn more_places_than_are_compared_are_refused() {
    let many = |count: usize| {
        let side = |sign: &str, version: &str| format!("{sign}django=={version}\n").repeat(count);
        side("-", "3.2.11") + &side("+", "3.2.12")
    };
    assert_eq!(code("requirements.txt", &many(256), &django()), "remedies");
    assert_eq!(
        code("requirements.txt", &many(257), &django()),
        "too_many_places"
    );
}
