//! Any text as a whole file of any format, and the same with a version in it replaced: an assessment, and no remedy
//! where the affected version still stands in the file as it was.

#![no_main]

use crisol::diff::{DiffLimits, parse, synthesize};
use crisol::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};
use crisol::judge::advisory::tree::{Before, assess};
use crisol::judge::advisory::{Advisory, Assessment};
use libfuzzer_sys::fuzz_target;

const PATHS: [&str; 17] = [
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
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
    "npm-shrinkwrap.json",
];

fn facts() -> ApvFacts {
    let of = |ecosystem, name: &str, v: &str| PackageFacts {
        ecosystem,
        name: name.into(),
        affected: Box::new([format!("<{v}4.17.21").into()]),
        fixed: Box::new([format!("{v}4.17.21").into()]),
        last_affected: None,
        modified_ms: 0,
        severity: Severity::Medium,
        withdrawn: false,
    };
    ApvFacts {
        packages: Box::new([
            of(Ecosystem::Npm, "lodash", ""),
            of(Ecosystem::PyPi, "lodash", ""),
            of(Ecosystem::CratesIo, "lodash", ""),
            of(Ecosystem::Go, "e.org/lodash", "v"),
            of(Ecosystem::Maven, "e.org:lodash", ""),
        ]),
        kev: false,
        epss: None,
        cwes: Box::default(),
        withdrawn: false,
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((choice, before)) = text.split_once('\n') else {
        return;
    };
    let path = PATHS[choice.len() % PATHS.len()];
    // A first letter that is a digit keeps so many of the versions as they are.
    let kept = choice.bytes().next().map_or(0, |byte| usize::from(byte.wrapping_sub(b'0')));
    let mut after = String::new();
    for (nth, part) in before.split("4.17.20").enumerate() {
        if nth > 0 {
            after += if nth <= kept && kept < 10 { "4.17.20" } else { "4.17.21" };
        }
        after += part;
    }
    let diff = synthesize(path, before, &after);
    let Ok(diff) = parse(&diff, &DiffLimits::default()) else {
        return;
    };
    let files = [Before { path, text: before }];
    if let (Assessment::Remedies(remedies), _) = assess(&diff, &files, &Advisory::from(facts())) {
        assert!(!remedies.bumps.is_empty());
        assert_ne!(before, after);
    }
});
