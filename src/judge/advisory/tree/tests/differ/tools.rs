//! The third column: what the ecosystems' own tools install of made bumps.
//!
//! `CRISOL_TOOLS=npm,go,cargo,pip,mvn cargo test --lib tree::tests::differ::tools -- --nocapture` takes 200 cases a tool
//! (`CRISOL_TOOL_CASES`), gives the files after each bump to the tool and prints counts. It needs the tools and no network: all
//! that they may fetch comes from a registry on loopback, or from a directory of stubs. Maven's own plugin `dependency` must be
//! in `~/.m2/repository`.

mod registry;
mod run;

use std::collections::BTreeMap;

use proptest::strategy::{Strategy as _, ValueTree as _};

use super::project::{self, Bump, Format, Version, is_affected};
use super::{judged, runner, told};
use registry::Registry;

/// A tool that installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Npm,
    Go,
    Cargo,
    Pip,
    Maven,
}

impl Tool {
    fn of_name(name: &str) -> Self {
        match name {
            "npm" => Self::Npm,
            "go" => Self::Go,
            "cargo" => Self::Cargo,
            "pip" => Self::Pip,
            "mvn" => Self::Maven,
            _ => panic!("CRISOL_TOOLS: {name} is none of npm, go, cargo, pip, mvn"),
        }
    }

    /// Whether it can be asked what these files install.
    fn reads(self, bump: &Bump) -> bool {
        match self {
            Self::Npm => matches!(
                bump.format,
                Format::PackageJson | Format::NpmPair | Format::NpmTree
            ),
            Self::Cargo => matches!(bump.format, Format::CargoToml | Format::CargoLock),
            Self::Pip => matches!(bump.format, Format::Requirements | Format::Pep621),
            Self::Maven => bump.format == Format::Pom,
            // Go wants the second line of releases under another path.
            Self::Go => bump.format == Format::Go && bump.before.main.0 == 1,
        }
    }
}

/// What both say of the cases of a format.
#[derive(Default)]
struct Count {
    cases: usize,
    /// Both: nothing affected is installed.
    both: usize,
    /// Neither: the judge refuses, the tool installs something affected.
    neither: usize,
    /// The judge refuses what installs nothing affected: something else changes along.
    stricter: usize,
    /// The judge takes for a remedy what installs something affected.
    apart: usize,
    /// The tool refuses what the judge takes for a remedy.
    refused_good: usize,
    /// Both refuse.
    refused_bad: usize,
}

#[test]
fn what_remedies_by_files_installs_nothing_affected_by_the_tools() {
    let Ok(tools) = std::env::var("CRISOL_TOOLS") else {
        return;
    };
    let cases = std::env::var("CRISOL_TOOL_CASES");
    let cases: usize = cases.map_or(200, |text| text.parse().unwrap());
    let registry = Registry::start();
    let mut apart = Vec::new();
    for tool in tools.split(',').map(Tool::of_name) {
        let mut runner = runner();
        let mut counts: BTreeMap<Format, Count> = BTreeMap::new();
        let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
        let mut left = cases;
        while left > 0 {
            let bump = project::any().new_tree(&mut runner).unwrap().current();
            let Some(said) = judged(&bump).filter(|_| tool.reads(&bump)) else {
                continue;
            };
            left -= 1;
            let remedies = said.by_files == "remedies";
            let count = counts.entry(bump.format).or_default();
            count.cases += 1;
            match (run::installed(tool, &bump, &registry), remedies) {
                (Ok(versions), _) => {
                    let safe = !versions.into_iter().any(is_affected);
                    match (remedies, safe) {
                        (true, true) => count.both += 1,
                        (true, false) => {
                            count.apart += 1;
                            apart.push(told(&bump));
                        }
                        (false, true) => count.stricter += 1,
                        (false, false) => count.neither += 1,
                    }
                }
                (Err(why), true) => {
                    count.refused_good += 1;
                    let key = format!("{:?} {:?}: {why}", bump.format, bump.kind);
                    *refusals.entry(key).or_default() += 1;
                }
                (Err(_), false) => count.refused_bad += 1,
            }
        }
        println!(
            "{tool:?}: format, cases | both safe, neither, judge stricter, APART | tool refuses: remedies, others"
        );
        for (format, count) in &counts {
            println!(
                "  {:14} {:5} | {:5} {:5} {:5} {:5} | {:5} {:5}",
                format!("{format:?}"),
                count.cases,
                count.both,
                count.neither,
                count.stricter,
                count.apart,
                count.refused_good,
                count.refused_bad
            );
        }
        for (why, times) in refusals {
            println!("  refused {times} times: {why}");
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

/// Returns the version that a text is, without `v`.
fn version_of(text: &str) -> Option<Version> {
    let mut parts = text.trim_start_matches('v').split('.');
    let mut next = || parts.next()?.parse().ok();
    Some((next()?, next()?, next()?))
}
