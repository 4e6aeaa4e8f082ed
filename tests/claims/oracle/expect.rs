//! What must become of a patch: judge, policy and open items, as plainly as the design says them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::{Ecosystem, Facts, Known, Package, Severity, Table, Version};
use super::manifest::Bump;
use super::open::{ANY_PACKAGE, OpenItems};

/// The least p that approves; one minus it refuses.
const THRESHOLD: f64 = 0.95;

/// How often a wargame agreed with the advisory judge, by level, over all writers.
#[derive(Debug, Clone, Default)]
pub struct Evidence(BTreeMap<&'static str, (u64, u64)>);

/// What a patch changes.
#[derive(Debug, Clone)]
pub enum Change {
    /// Versions in manifests, and nothing else.
    Bumps(Vec<Bump>),
    /// Code.
    Code,
}

/// The package that a patch says it is for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The ecosystem, where the producer says it.
    pub ecosystem: Option<Ecosystem>,
    /// The name.
    pub name: String,
    /// The version that it says it is applied to; an affected one.
    pub version: Version,
}

/// A patch, and what it says of itself.
#[derive(Debug, Clone)]
pub struct Case {
    /// The patch.
    pub patch_id: String,
    /// The CVE.
    pub cve_id: String,
    /// What it changes.
    pub change: Change,
    /// The package that it says it is for.
    pub claim: Option<Claim>,
    /// Whether facts come along with it.
    pub embedded: bool,
}

/// What must become of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why.
    pub reason: &'static str,
    /// The package; `None` without facts of the table.
    pub package: Option<String>,
}

/// What the judge says.
enum Opinion {
    /// P(patch is right).
    P(f64),
    /// It is no pure bump of packages that the APV names.
    Unavailable,
    /// The facts cannot settle it.
    Inconclusive,
}

/// The oracle: takes patches in the order of their partitions and says what must become of each.
#[derive(Debug)]
pub struct Oracle {
    table: Arc<Table>,
    evidence: Evidence,
    open: OpenItems,
}

// === impl Evidence ===

impl Evidence {
    /// Adds one writer's count.
    pub fn add(&mut self, level: &'static str, agreed: u64, n: u64) {
        let sum = self.0.entry(level).or_default();
        sum.0 += agreed;
        sum.1 += n;
    }

    /// Returns the lower end of the 95 % Wilson score interval of a level.
    pub fn bound(&self, level: &str) -> f64 {
        match self.0.get(level) {
            Some((agreed, n)) => wilson(*agreed as f64, *n as f64),
            None => 0.0,
        }
    }
}

/// Wilson (1927): (p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n).
fn wilson(agreed: f64, n: f64) -> f64 {
    let z = 1.959_963_984_540_054_f64;
    let p = agreed / n;
    let root = (p * (1.0 - p) / n + (z / (2.0 * n)).powi(2)).sqrt();
    (p + z * z / (2.0 * n) - z * root) / (1.0 + z * z / n)
}

// === impl Oracle ===

impl Oracle {
    /// Returns an oracle with these facts and nothing open.
    pub fn new(table: Arc<Table>, evidence: Evidence) -> Self {
        Self {
            table,
            evidence,
            open: OpenItems::default(),
        }
    }

    /// Says what must become of the next patch.
    pub fn outcome(&mut self, case: &Case) -> Outcome {
        let table = Arc::clone(&self.table);
        let (reason, package) = match table.get(&case.cve_id) {
            Some(Known::Facts(facts)) => {
                let package = package_of(case, facts);
                (self.decide(case, facts, &package), Some(package))
            }
            Some(Known::Invalid) => ("apv_invalid", None),
            None if case.embedded => ("apv_embedded_only", None),
            None => ("apv_unknown", None),
        };
        let is_refusal = reason == "judge_refuses";
        if reason != "judge_confident" && !is_refusal {
            let blocked = package.as_deref().unwrap_or(ANY_PACKAGE);
            self.open.open(&case.cve_id, blocked, &case.patch_id);
        }
        Outcome { reason, package }
    }

    fn decide(&self, case: &Case, facts: &Facts, package: &str) -> &'static str {
        let p = match judge(&case.change, facts, &self.evidence) {
            Opinion::Unavailable => return "judge_unavailable",
            Opinion::Inconclusive => return "advisory_inconclusive",
            Opinion::P(p) => p,
        };
        if p <= 1.0 - THRESHOLD {
            return "judge_refuses";
        }
        if p < THRESHOLD {
            return "no_exploit";
        }
        // Approvals are on, nothing is killed, and a pure bump is of low risk.
        if facts.severity() == Severity::Unknown {
            "severity_unknown"
        } else if facts.severity() == Severity::Critical {
            "severity_critical"
        } else if facts.kev {
            "kev_listed"
        } else if self.open.blocks(&case.cve_id, package, &case.patch_id) {
            "open_item"
        } else {
            "judge_confident"
        }
    }
}

/// Returns the package that the case is about: the claimed one if the APV names it, else the one that is bumped, else
/// the only one that the APV names, else any.
fn package_of(case: &Case, facts: &Facts) -> String {
    if let Some(claim) = &case.claim
        && let Some(package) = facts.package(claim.ecosystem, &claim.name)
    {
        return package.name.clone();
    }
    if let Change::Bumps(bumps) = &case.change
        && let [bump] = bumps.as_slice()
        && let Some(package) = facts.package(Some(bump.ecosystem), &bump.name)
    {
        return package.name.clone();
    }
    let named: Vec<&Package> = facts.packages().collect();
    match named.as_slice() {
        [only] => only.name.clone(),
        _ => ANY_PACKAGE.to_owned(),
    }
}

fn judge(change: &Change, facts: &Facts, evidence: &Evidence) -> Opinion {
    let Change::Bumps(bumps) = change else {
        return Opinion::Unavailable;
    };
    let mut moves = Vec::new();
    for bump in bumps {
        match facts.package(Some(bump.ecosystem), &bump.name) {
            Some(package) => moves.push((bump, package)),
            None => return Opinion::Unavailable,
        }
    }
    if moves.iter().any(|(_, package)| package.fixes().is_empty()) {
        return Opinion::Inconclusive;
    }
    let is_refuted = |(bump, package): &(&Bump, &Package)| {
        let reaches = package.fixes().iter().any(|fix| *fix <= bump.to);
        package.is_affected(bump.to) || !reaches || bump.to < bump.from
    };
    if moves.iter().any(is_refuted) {
        return Opinion::P(0.0);
    }
    if !moves
        .iter()
        .any(|(bump, package)| package.is_affected(bump.from))
    {
        return Opinion::Inconclusive;
    }
    let widest = bumps
        .iter()
        .map(|bump| level(bump.from, bump.to))
        .max()
        .expect("a bump");
    Opinion::P(evidence.bound(["patch", "minor", "major"][widest]))
}

/// Returns how far a version moves: 0 patch, 1 minor, 2 major.
fn level(from: Version, to: Version) -> usize {
    if from.0 != to.0 {
        2
    } else if from.1 != to.1 {
        1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn the_bound_is_the_published_one() {
        // 80 of 100: 0.7112 (Agresti and Coull, 1998).
        assert!((wilson(80.0, 100.0) - 0.711_17).abs() < 5e-5);
        assert!(wilson(60.0, 60.0) < 0.95 && wilson(71.0, 71.0) < 0.95);
        assert!(wilson(120.0, 120.0) > 0.95);
    }
}
