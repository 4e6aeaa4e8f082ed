use proptest::prelude::*;

use super::{BOUND, COLUMNS, Extractor, Language, columns};
use crate::diff::{DiffLimits, parse};

fn value(text: &str, name: &str) -> f32 {
    let diff = parse(text, &DiffLimits::default()).unwrap();
    let read = Extractor::default().read(&diff);
    let at = columns().iter().position(|column| column.name == name);
    read.features[at.unwrap_or_else(|| panic!("no column {name}"))]
}

const GUARD: &str = "\
--- a/src/read.c
+++ b/src/read.c
@@ -10,6 +10,8 @@ static int read_all(struct s *s, size_t len)
 {
     char buf[64];
-    memcpy(buf, s->data, len);
+    if (len > sizeof(buf))
+        return -1;
+    memcpy(buf, s->data, len);
     return 0;
 }
 
";

#[test]
fn a_guard_is_seen_for_what_it_is() {
    assert_eq!(value(GUARD, "lines_added"), 3.0);
    assert_eq!(value(GUARD, "lines_net"), 2.0);
    assert_eq!(value(GUARD, "guards"), 1.0);
    assert_eq!(value(GUARD, "word_if_added"), 1.0);
    assert_eq!(value(GUARD, "word_return_net"), 1.0);
    assert_eq!(value(GUARD, "word_sink_added"), 1.0);
    assert_eq!(value(GUARD, "word_sink_net"), 0.0);
    assert_eq!(value(GUARD, "operator_less_added"), 1.0);
    assert_eq!(value(GUARD, "moved_lines"), 1.0);
    assert_eq!(value(GUARD, "lost_names"), 0.0);
    assert_eq!(value(GUARD, "unsafe_language_share"), 1.0);
    assert_eq!(value(GUARD, "braces_net"), 0.0);
}

#[test]
fn words_in_comments_and_strings_are_no_code() {
    let commented = GUARD.replace(
        "+    if (len > sizeof(buf))",
        "+    // if (len > sizeof(buf))",
    );
    assert_eq!(value(&commented, "word_if_added"), 0.0);
    assert_eq!(value(&commented, "guards"), 0.0);
    assert!(value(&commented, "comment_share") > 0.3);
}

#[test]
fn the_language_is_that_of_most_changed_lines() {
    let diff = format!("{GUARD}--- a/x.py\n+++ b/x.py\n@@ -1 +1,5 @@\n-a\n+b\n+c\n+d\n+e\n+f\n");
    let diff = parse(&diff, &DiffLimits::default()).unwrap();
    assert_eq!(Extractor::default().read(&diff).language, Language::Python);
}

#[test]
fn every_column_has_a_name_of_its_own() {
    let names: std::collections::HashSet<&str> = columns()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names.len(), COLUMNS);
    assert_eq!(columns().len(), COLUMNS);
}

/// Lines as diffs have them: signs, code, noise.
fn line() -> impl Strategy<Value = String> {
    let words = prop::sample::select(
        &[
            "if (x == NULL) return;",
            "for i in 0..len {",
            "}",
            "",
            "  // note",
            "s = \"a",
            "/*",
            "*/",
            "'''",
            "check(buf[i], 0x1f)",
            "goto fail;",
            "\u{202e}",
            "日本語",
            "\t\t\t",
            "a+++b",
        ][..],
    );
    prop_oneof![
        3 => words.prop_map(str::to_owned),
        1 => "[^\n\r]{0,60}",
    ]
}

fn file(name: usize, changes: &[(u8, String)]) -> String {
    let lines: Vec<String> = changes
        .iter()
        .map(|(sign, text)| format!("{}{text}", [' ', '-', '+'][usize::from(*sign)]))
        .collect();
    let count = |skip: char| lines.iter().filter(|line| !line.starts_with(skip)).count();
    let extension = ["c", "py", "js", "rs", "txt"][name % 5];
    format!(
        "--- a/f{name}.{extension}\n+++ b/f{name}.{extension}\n@@ -1,{} +1,{} @@\n{}\n",
        count('+'),
        count('-'),
        lines.join("\n")
    )
}

fn files() -> impl Strategy<Value = Vec<String>> {
    let changes = prop::collection::vec((0_u8..3, line()), 1..20)
        .prop_filter("nothing changes", |c| c.iter().any(|(sign, _)| *sign > 0));
    prop::collection::vec(changes, 1..6).prop_map(|files| {
        let numbered = files.iter().enumerate();
        numbered
            .map(|(name, changes)| file(name, changes))
            .collect()
    })
}

proptest! {
    #[test]
    fn features_of_any_diff_are_finite_and_bounded(files in files()) {
        let text = files.concat();
        let Ok(diff) = parse(&text, &DiffLimits::default()) else { return Ok(()) };
        let read = Extractor::default().read(&diff);
        prop_assert_eq!(read.features.len(), COLUMNS);
        for (value, column) in read.features.iter().zip(columns()) {
            prop_assert!(value.is_finite() && value.abs() <= BOUND, "{}: {}", column.name, value);
        }
    }

    #[test]
    fn the_order_of_files_changes_nothing(files in files(), seed in any::<prop::sample::Index>()) {
        let mut turned = files.clone();
        turned.rotate_left(seed.index(files.len()));
        let (text, turned) = (files.concat(), turned.concat());
        let limits = DiffLimits::default();
        let (Ok(one), Ok(other)) = (parse(&text, &limits), parse(&turned, &limits)) else {
            return Ok(());
        };
        prop_assert_eq!(Extractor::default().read(&one), Extractor::default().read(&other));
    }

    #[test]
    fn what_was_read_before_changes_nothing(before in files(), files in files()) {
        let (before, text) = (before.concat(), files.concat());
        let limits = DiffLimits::default();
        let (Ok(before), Ok(diff)) = (parse(&before, &limits), parse(&text, &limits)) else {
            return Ok(());
        };
        let mut extractor = Extractor::default();
        extractor.read(&before);
        prop_assert_eq!(extractor.read(&diff), Extractor::default().read(&diff));
    }
}
