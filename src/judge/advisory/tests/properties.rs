//! Properties over generated bumps, lines and diffs.

use proptest::prelude::*;

use super::*;
use crate::diff::{Change, FileDiff, Hunk, Line, Side};

/// Every file name that the judge knows, one a kind.
const FILES: [&str; 16] = [
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "requirements.txt",
    "pyproject.toml",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
    "uv.lock",
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
    "pom.xml",
    "gradle.lockfile",
];

/// The line of a bump in one file of each ecosystem.
const SHAPES: [(&str, Ecosystem, &str, &str, &str); 6] = [
    (
        "package.json",
        Ecosystem::Npm,
        "p",
        "",
        "    \"p\": \"{v}\",",
    ),
    ("requirements.txt", Ecosystem::PyPi, "p", "", "p=={v}"),
    (
        "Cargo.toml",
        Ecosystem::CratesIo,
        "p",
        " [dependencies]\n",
        "p = \"={v}\"",
    ),
    (
        "go.mod",
        Ecosystem::Go,
        "x.example/p",
        "",
        "require x.example/p v{v}",
    ),
    ("gradle.lockfile", Ecosystem::Maven, "g:p", "", "g:p:{v}=c"),
    (
        "Pipfile",
        Ecosystem::PyPi,
        "p",
        " [packages]\n",
        "p = \"=={v}\"",
    ),
];

fn bump(shape: usize, from: [u8; 3], to: [u8; 3]) -> (&'static str, String) {
    let (path, _, _, context, line) = SHAPES[shape];
    let at = |version: [u8; 3]| {
        line.replace(
            "{v}",
            &format!("{}.{}.{}", version[0], version[1], version[2]),
        )
    };
    (path, format!("{context}-{}\n+{}", at(from), at(to)))
}

fn known(shape: usize, low: [u8; 3], high: [u8; 3]) -> ApvFacts {
    let (_, ecosystem, name, _, _) = SHAPES[shape];
    let text = |version: [u8; 3]| format!("{}.{}.{}", version[0], version[1], version[2]);
    let affected = format!(">={},<{}", text(low), text(high));
    facts(vec![package(ecosystem, name, &affected, &text(high))])
}

/// Returns a version that a module without a major version in its path may have.
fn taken(shape: usize, [major, minor, patch]: [u8; 3]) -> [u8; 3] {
    match SHAPES[shape].1 {
        Ecosystem::Go => [major % 2, minor, patch],
        _ => [major, minor, patch],
    }
}

fn numbers() -> impl Strategy<Value = [u8; 3]> {
    proptest::array::uniform3(0_u8..5)
}

/// A token that manifests are made of.
fn token() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "\"",
        "'",
        ":",
        ",",
        "{",
        "}",
        "[",
        "]",
        " ",
        "  ",
        "\t",
        "=",
        "==",
        ">=",
        "^",
        "@",
        "#",
        ";",
        "\\",
        "/",
        "<",
        ">",
        "-",
        "--hash=",
        "p",
        "version",
        "name",
        "resolved",
        "integrity",
        "dependencies",
        "node_modules/p",
        "1.0.0",
        "v1.0.0",
        "2.0.0",
        "sha512-",
        "package",
        "source",
        "registry",
        "require",
        "=>",
        "replace",
        "<version>",
        "</version>",
        "<dependency>",
        "<!--",
        "-->",
        "files",
        "hash",
        "https://",
        "\u{e9}",
        "\r",
        "(",
        ")",
        "*",
        "x",
    ])
}

fn wild_line() -> impl Strategy<Value = String> {
    proptest::collection::vec(token(), 0..14).prop_map(|tokens| tokens.concat())
}

fn wild_side() -> impl Strategy<Value = Side> {
    proptest::sample::select(vec![Side::Context, Side::Removed, Side::Added])
}

fn one_file<'a>(path: &'a str, lines: Vec<Line<'a>>) -> Diff<'a> {
    Diff {
        files: vec![FileDiff {
            old_path: Some(path.into()),
            new_path: Some(path.into()),
            change: Change::Modified,
            new_mode: None,
            hunks: vec![Hunk {
                old_start: 1,
                new_start: 1,
                heading: "",
                lines,
            }],
        }],
        added_lines: 0,
        removed_lines: 0,
    }
}

fn everything() -> ApvFacts {
    let all = [
        Ecosystem::Npm,
        Ecosystem::PyPi,
        Ecosystem::CratesIo,
        Ecosystem::Go,
        Ecosystem::Maven,
    ];
    facts(
        all.map(|ecosystem| package(ecosystem, "p", "<2.0.0", "2.0.0"))
            .into(),
    )
}

proptest! {
    #[test]
    fn a_bump_into_an_affected_range_is_never_a_remedy(
        shape in 0..SHAPES.len(), from in numbers(), to in numbers(), low in numbers(), high in numbers(),
    ) {
        let [from, to, low, high] = [from, to, low, high].map(|version| taken(shape, version));
        let (path, lines) = bump(shape, from, to);
        let found = code(path, &lines, &known(shape, low, high));
        let affected = low <= to && to < high;
        let was_affected = low <= from && from < high;
        if affected {
            prop_assert_ne!(found, "remedies");
        }
        // The control: this plain rule says when it must be one.
        let remedies = low < high && to >= high && to > from && was_affected;
        prop_assert_eq!(found == "remedies", remedies, "{} {}", lines, found);
    }

    #[test]
    fn a_further_changed_line_never_makes_or_keeps_a_remedy(
        shape in 0..SHAPES.len(), extra in wild_line(), added in any::<bool>(), before in any::<bool>(),
    ) {
        let (path, lines) = bump(shape, [0, 9, 0], [1, 0, 0]);
        let facts = known(shape, [0, 0, 0], [1, 0, 0]);
        prop_assert_eq!(code(path, &lines, &facts), "remedies");
        // Unrelated: digests are understood as the bump's own bookkeeping.
        prop_assume!(!extra.trim().starts_with("--hash=") && !extra.contains('\n'));
        let text = diff_of(&[(path, &lines)]);
        let mut diff = parse(&text, &DiffLimits::default()).unwrap();
        let line = Line { side: if added { Side::Added } else { Side::Removed }, text: &extra };
        let hunk = &mut diff.files[0].hunks[0].lines;
        let place = if before { 0 } else { hunk.len() };
        hunk.insert(place, line);
        prop_assert_ne!(assess(&diff, &facts).code(), "remedies", "{}", extra);
    }

    #[test]
    fn no_lines_panic_in_any_file(
        file in 0..FILES.len(), lines in proptest::collection::vec((wild_side(), wild_line()), 0..24),
    ) {
        let lines = lines.iter().map(|(side, text)| Line { side: *side, text }).collect();
        let found = assess(&one_file(FILES[file], lines), &everything());
        prop_assert_eq!(&found, &found.clone());
        for bump in found.bumps() {
            prop_assert!(bump.to.chars().count() <= super::super::MAX_TEXT_CHARS);
        }
    }

    #[test]
    fn any_text_at_all_is_read_without_panic(file in 0..FILES.len(), text in "\\PC{0,60}") {
        let lines = vec![Line { side: Side::Removed, text: &text }, Line { side: Side::Added, text: &text }];
        prop_assert_ne!(assess(&one_file(FILES[file], lines), &everything()).code(), "remedies");
    }

    #[test]
    fn the_same_question_has_the_same_answer(shape in 0..SHAPES.len(), from in numbers(), to in numbers()) {
        let (path, lines) = bump(shape, from, to);
        let facts = known(shape, [1, 0, 0], [2, 0, 0]);
        let text = diff_of(&[(path, &lines)]);
        prop_assert_eq!(judged(&text, &facts), judged(&text, &facts));
    }
}
