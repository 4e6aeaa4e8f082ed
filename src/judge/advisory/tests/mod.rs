//! Claims about whole diffs, through the real parser.

mod bookkeeping;
mod context;
mod evasion;
mod facts;
mod go_and_maven;
mod moved;
mod npm;
mod order;
mod properties;
mod python;
mod ranges;
mod rust;
mod sections;

use std::fmt::Write as _;

use super::{Advisory, Assessment, Level};
use crate::diff::{Diff, DiffLimits, parse};
use crate::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};

/// Facts of one package: `affected` and `fixed` are lists joined by `;`.
fn package(ecosystem: Ecosystem, name: &str, affected: &str, fixed: &str) -> PackageFacts {
    let list = |text: &str| {
        text.split(';')
            .filter(|part| !part.is_empty())
            .map(Box::from)
            .collect()
    };
    PackageFacts {
        ecosystem,
        name: name.into(),
        affected: list(affected),
        fixed: list(fixed),
        last_affected: None,
        modified_ms: 0,
        severity: Severity::High,
        withdrawn: false,
    }
}

fn facts(packages: Vec<PackageFacts>) -> ApvFacts {
    ApvFacts {
        packages: packages.into(),
        kev: false,
        epss: None,
        cwes: Box::default(),
        withdrawn: false,
    }
}

fn lodash() -> ApvFacts {
    facts(vec![package(
        Ecosystem::Npm,
        "lodash",
        "<4.17.21",
        "4.17.21",
    )])
}

fn time() -> ApvFacts {
    facts(vec![package(
        Ecosystem::CratesIo,
        "time",
        "<0.2.23;>=0.3.0,<0.3.5",
        "0.2.23;0.3.5",
    )])
}

fn net() -> ApvFacts {
    let name = "golang.org/x/net";
    facts(vec![package(Ecosystem::Go, name, "<0.17.0", "0.17.0")])
}

fn log4j() -> ApvFacts {
    facts(vec![package(
        Ecosystem::Maven,
        "org.apache.logging.log4j:log4j-core",
        ">=2.0-beta9,<2.3.1;>=2.4,<2.12.2;>=2.13.0,<2.15.0",
        "2.3.1;2.12.2;2.15.0",
    )])
}

fn django() -> ApvFacts {
    facts(vec![package(
        Ecosystem::PyPi,
        "django",
        ">=2.2,<2.2.27;>=3.2,<3.2.12;>=4.0,<4.0.2",
        "2.2.27;3.2.12;4.0.2",
    )])
}

/// Writes a diff of one hunk a file: `lines` carry their markers, the counts are worked out.
fn diff_of(files: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (path, lines) in files {
        let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
        let old = lines.iter().filter(|line| !line.starts_with('+')).count();
        let new = lines.iter().filter(|line| !line.starts_with('-')).count();
        let start = |count: usize| if count == 0 { 0 } else { 10 };
        write!(
            text,
            "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -{},{old} +{},{new} @@\n{}\n",
            start(old),
            start(new),
            lines.join("\n")
        )
        .unwrap();
    }
    text
}

/// Writes a diff of one file whose hunk has a heading.
fn diff_below(heading: &str, path: &str, lines: &str) -> String {
    diff_of(&[(path, lines)]).replacen(" @@\n", &format!(" @@ {heading}\n"), 1)
}

/// Asserts that each bump remedies, and that it does not with the same lines but for one.
///
/// Each case: the file, the lines with `{}` in them, what stands there, its good twin, and the code of the
/// former.
fn twins(facts: &ApvFacts, cases: &[(&str, &str, &str, &str, &str)]) {
    for (path, lines, bad, good, expected) in cases {
        let with = |part: &str| code(path, &lines.replace("{}", part), facts);
        assert_eq!(with(bad), *expected, "{path}: {bad}");
        assert_eq!(with(good), "remedies", "{path}: {good}");
    }
}

/// Assesses a diff by facts that are read for the first time.
fn assess(diff: &Diff<'_>, facts: &ApvFacts) -> Assessment {
    super::assess(diff, &Advisory::from(facts.clone()))
}

/// Assesses a diff text.
fn judged(text: &str, facts: &ApvFacts) -> Assessment {
    let diff =
        parse(text, &DiffLimits::default()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assess(&diff, facts)
}

/// Assesses a diff of one file with one hunk; gives the code.
fn code(path: &str, lines: &str, facts: &ApvFacts) -> &'static str {
    judged(&diff_of(&[(path, lines)]), facts).code()
}

fn level(path: &str, lines: &str, facts: &ApvFacts) -> Level {
    match judged(&diff_of(&[(path, lines)]), facts) {
        Assessment::Remedies(remedies) => remedies.level,
        other => panic!("{other:?}"),
    }
}
