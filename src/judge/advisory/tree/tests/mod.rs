//! Claims about whole files, and about where they and hunks disagree.

mod differ;
mod go_and_maven;
mod npm;
mod npm_locks;
mod python;
mod rust;
mod whole;

use super::{Before, assess};
use crate::diff::{DiffLimits, parse, synthesize};
use crate::event::decision::Basis;
use crate::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};
use crate::judge::advisory::{Advisory, Assessment};

/// A file before and after.
type Change<'t> = (&'t str, &'t str, &'t str);

/// Facts of packages that are affected below one version.
fn facts(packages: &[(Ecosystem, &str, &str)]) -> ApvFacts {
    let facts = packages
        .iter()
        .map(|(ecosystem, name, fixed)| PackageFacts {
            withdrawn: false,
            ecosystem: *ecosystem,
            name: (*name).into(),
            affected: [format!("<{fixed}").into()].into(),
            fixed: [(*fixed).into()].into(),
            last_affected: None,
            modified_ms: 0,
            severity: Severity::High,
        });
    ApvFacts {
        withdrawn: false,
        packages: facts.collect(),
        kev: false,
        epss: None,
        cwes: Box::default(),
    }
}

/// The diff that git would make of the changes.
fn diff_of(files: &[Change<'_>]) -> String {
    files
        .iter()
        .map(|(path, before, after)| synthesize(path, before, after))
        .collect()
}

/// Assesses changes on the whole files.
fn whole(files: &[Change<'_>], facts: &ApvFacts) -> Assessment {
    let text = diff_of(files);
    let diff = parse(&text, &DiffLimits::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let befores: Vec<Before<'_>> = files
        .iter()
        .map(|(path, before, _)| Before { path, text: before })
        .collect();
    let (assessment, basis) = assess(&diff, &befores, &Advisory::from(facts.clone()));
    assert_eq!(basis, Basis::Files);
    assessment
}

/// Assesses changes on their hunks alone.
fn hunks(files: &[Change<'_>], facts: &ApvFacts) -> Assessment {
    let text = diff_of(files);
    let diff = parse(&text, &DiffLimits::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let (assessment, basis) = assess(&diff, &[], &Advisory::from(facts.clone()));
    assert_eq!(basis, Basis::Hunks);
    assessment
}

/// Assesses one file, changed by replacing texts; gives the code.
fn code(path: &str, before: &str, replaced: &[(&str, &str)], facts: &ApvFacts) -> &'static str {
    let after = replaced.iter().fold(before.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}\n{text}");
        text.replace(from, to)
    });
    whole(&[(path, before, &after)], facts).code()
}
