//! What is judged on whole files, and what is not.

use super::{Before, Change, assess, diff_of, facts, hunks, whole};
use crate::diff::{DiffLimits, parse};
use crate::event::decision::Basis;
use crate::event::facts::Ecosystem;
use crate::judge::advisory::{Advisory, Assessment};

const BEFORE: &str = "{\n  \"name\": \"x\",\n  \"dependencies\": {\n    \"a\": \"1.0.0\",\n    \"b\": \"1.0.0\",\n    \"c\": \"1.0.0\",\n    \"lodash\": \"4.17.20\"\n  }\n}\n";

fn judged(diff: &str, files: &[(&str, &str)]) -> (Assessment, Basis) {
    let diff = parse(diff, &DiffLimits::default()).unwrap();
    let files: Vec<Before<'_>> = files
        .iter()
        .map(|(path, text)| Before { path, text })
        .collect();
    let facts = facts(&[(Ecosystem::Npm, "lodash", "4.17.21")]);
    assess(&diff, &files, &Advisory::from(facts))
}

#[test]
fn a_text_that_the_diff_does_not_fit_is_for_a_person() {
    let after = BEFORE.replace("4.17.20", "4.17.21");
    let diff = diff_of(&[("package.json", BEFORE, &after)]);
    let (fits, basis) = judged(&diff, &[("package.json", BEFORE)]);
    assert_eq!((fits.code(), basis), ("remedies", Basis::Files));
    for other in [
        BEFORE.replace("4.17.20", "4.17.19"),
        BEFORE.replace("\"c\": \"1.0.0\"", "\"c\": \"1.0.1\""),
        BEFORE.replace("{\n  \"name\"", "{\n\n  \"name\""),
        String::new(),
    ] {
        let (assessment, _) = judged(&diff, &[("package.json", &other)]);
        assert!(matches!(assessment, Assessment::Unverifiable(_)));
        assert_eq!(assessment.code(), "files_disagree", "{other}");
    }
    // Two sources that tell different texts.
    let odd = BEFORE.replace("\"x\"", "\"y\"");
    let (assessment, _) = judged(&diff, &[("package.json", BEFORE), ("package.json", &odd)]);
    assert_eq!(assessment.code(), "files_disagree");
    let (assessment, _) = judged(&diff, &[("package.json", BEFORE), ("package.json", BEFORE)]);
    assert_eq!(assessment.code(), "remedies");
}

#[test]
fn a_text_is_checked_of_every_file_even_if_that_is_no_manifest() {
    let source = "one\ntwo\n";
    let files: [Change<'_>; 1] = [("src/a.js", source, "one\nzwei\n")];
    let diff = diff_of(&files);
    let (assessment, basis) = judged(&diff, &[("src/a.js", source)]);
    assert_eq!((assessment.code(), basis), ("not_a_manifest", Basis::Hunks));
    let (assessment, _) = judged(&diff, &[("src/a.js", "one\ndeux\n")]);
    assert_eq!(assessment.code(), "files_disagree");
}

#[test]
fn without_the_text_of_every_file_the_hunks_count_as_well() {
    let after = BEFORE.replace("4.17.20", "4.17.21");
    let both = [
        ("package.json", BEFORE, &*after),
        ("web/package.json", BEFORE, &after),
    ];
    let diff = diff_of(&both);
    let (assessment, basis) = judged(&diff, &[("package.json", BEFORE)]);
    assert_eq!((assessment.code(), basis), ("remedies", Basis::Hunks));
    let (assessment, basis) = judged(
        &diff,
        &[("web/package.json", BEFORE), ("package.json", BEFORE)],
    );
    assert_eq!((assessment.code(), basis), ("remedies", Basis::Files));
    // What is at hand of one may refute the whole.
    let pinned = BEFORE.replace(
        "\"name\": \"x\"",
        "\"overrides\": {\"x\": {\"lodash\": \"4.17.19\"}}",
    );
    let after = pinned.replace("4.17.20", "4.17.21");
    let both = [
        ("package.json", &*pinned, &*after),
        ("web/package.json", BEFORE, &after),
    ];
    let (assessment, _) = judged(&diff_of(&both), &[("package.json", &pinned)]);
    assert_eq!(assessment.code(), "place_left_behind");
}

#[test]
fn a_file_beside_counts_as_it_stands() {
    let after = BEFORE.replace("4.17.20", "4.17.21");
    let diff = diff_of(&[("package.json", BEFORE, &after)]);
    let lock = |version: &str| {
        format!(
            "{{\"lockfileVersion\": 3, \"packages\": {{\"node_modules/lodash\": {{\"version\": \"{version}\"}}}}}}"
        )
    };
    for (version, code) in [("4.17.21", "remedies"), ("4.17.20", "place_left_behind")] {
        let (assessment, _) = judged(
            &diff,
            &[
                ("package.json", BEFORE),
                ("package-lock.json", &lock(version)),
            ],
        );
        assert_eq!(assessment.code(), code);
    }
    let broken = [("package.json", BEFORE), ("package-lock.json", "{")];
    assert_eq!(judged(&diff, &broken).0.code(), "file_not_understood");
    // What is no manifest of the project does not matter.
    let other = [("package.json", BEFORE), ("tests/package-lock.json", "{")];
    assert_eq!(judged(&diff, &other).0.code(), "remedies");
}

#[test]
fn a_section_above_the_hunk_is_seen_in_the_whole_file() {
    let facts = facts(&[(Ecosystem::Npm, "node", "20.0.1")]);
    let before = "{\n  \"dependencies\": {\n    \"a\": \"1\",\n    \"b\": \"1\",\n    \"c\": \"1\",\n    \"node\": \"20.0.0\",\n    \"p\": \"1\",\n    \"q\": \"1\",\n    \"r\": \"1\"\n  }\n}\n";
    let after = before.replace("20.0.0", "20.0.1");
    let files = [("package.json", before, &*after)];
    assert_eq!(hunks(&files, &facts).code(), "section");
    assert_eq!(whole(&files, &facts).code(), "remedies");
    // The same lines below another key are no dependency.
    let before = before.replace("dependencies", "engines");
    let after = before.replace("20.0.0", "20.0.1");
    let files = [("package.json", &*before, &*after)];
    assert_eq!(whole(&files, &facts).code(), "other_change");
}
