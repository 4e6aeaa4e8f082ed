//! What a wargame found, run by run.

use std::time::Duration;

use serde::Serialize;

use super::cgroup::Bounds;
use super::excerpt::end_of;
use super::relay::shown;
use super::sandbox::{Ended, Ran};
use crate::event::verdict::WargameVerdict;
use crate::exploit::{Means, Strength};

/// How much of an output stands in a report, in bytes.
const EXCERPT_BYTES: usize = 400;

/// What a run showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The attack worked.
    Exploited,
    /// It was delivered, came to its end and left no evidence.
    Blocked,
    /// A benign check passed.
    Passed,
    /// A benign check failed.
    Failed,
    /// It came to no end that can be judged.
    Inconclusive,
}

/// When a run took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The attack on the vulnerable tree.
    Phase1,
    /// Benign checks on it.
    BenignBefore,
    /// The attack on the patched tree.
    Phase2,
    /// Benign checks on it.
    BenignAfter,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// When.
    pub phase: Phase,
    /// The variant of the attack, or the benign check.
    pub name: String,
    /// What it showed.
    pub outcome: Outcome,
    /// What the evidence is worth, if there is any.
    pub strength: Option<Strength>,
    /// How it ended.
    pub ended: Ended,
    /// Milliseconds, walls included.
    pub took_ms: u64,
    /// Bounds that it met.
    pub met: Vec<&'static str>,
    /// The end of what it printed, escaped.
    pub stdout: String,
    /// The end of what it printed as errors, escaped.
    pub stderr: String,
}

/// What a wargame found, with its evidence.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The exploit.
    pub exploit: String,
    /// The verdict.
    pub verdict: WargameVerdict,
    /// The variant that still works, the check that broke, or why it came to no end.
    pub detail: Option<String>,
    /// What was built, before and after.
    pub targets: Vec<String>,
    /// What bounded the runs.
    pub bounds: Bounds,
    /// Milliseconds that building took.
    pub build_ms: u64,
    /// Milliseconds in all.
    pub took_ms: u64,
    /// Whether phase 1 and the checks before it are those of an earlier wargame of the same exploit and target.
    pub reused: bool,
    /// What names, words, ports and the order of runs were drawn from.
    pub seed: String,
    /// The runs, in order.
    pub runs: Vec<RunReport>,
}

impl RunReport {
    /// Returns what there is to tell of a run.
    pub(super) fn of(
        phase: Phase,
        name: &str,
        means: &Means,
        outcome: Outcome,
        strength: Option<Strength>,
        ran: &Ran,
    ) -> Self {
        // What the relay prints is for nobody's eyes.
        let stdout = match means {
            Means::Run(_) => end_of(&ran.stdout, EXCERPT_BYTES),
            Means::Http(_) => end_of(&shown(&ran.stdout), EXCERPT_BYTES),
        };
        Self {
            phase,
            name: name.to_owned(),
            outcome,
            strength,
            ended: ran.ended,
            took_ms: millis(ran.took),
            met: ran.met.clone(),
            stdout,
            stderr: end_of(&ran.stderr, EXCERPT_BYTES),
        }
    }
}

/// Returns a time in milliseconds.
pub(super) fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
