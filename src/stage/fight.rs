//! Fight: what the wargames of a case found, as one record.

use crate::arena::{Outcome, Report, RunReport};
use crate::event::verdict::WargameVerdict;
use crate::event::wargame::{RunRecord, Unheld, WargameRecord};
use crate::exploit::Strength;

/// The most runs that stand on an event.
const MAX_RUNS: usize = 64;

/// What became of the wargame of a case.
#[derive(Debug, Clone)]
pub enum Fought {
    /// Each exploit's report, in order; never empty.
    Held(Vec<Report>),
    /// There was none.
    Unheld(Unheld),
    /// The process died twice at it.
    Crashed,
}

impl Fought {
    /// Returns what there is to record of it.
    pub fn record(&self) -> WargameRecord {
        match self {
            Self::Held(reports) => of_reports(reports),
            Self::Unheld(why) => WargameRecord {
                unheld: Some(*why),
                ..nothing()
            },
            Self::Crashed => WargameRecord {
                verdict: Some(WargameVerdict::Inconclusive),
                detail: Some("two starts of the worker died at this wargame".to_owned()),
                ..nothing()
            },
        }
    }
}

fn nothing() -> WargameRecord {
    WargameRecord {
        verdict: None,
        unheld: None,
        exploit: None,
        replayed: Vec::new(),
        detail: None,
        evidence: None,
        bounds: None,
        reused: false,
        took_ms: 0,
        runs: Vec::new(),
        second: None,
    }
}

fn of_reports(reports: &[Report]) -> WargameRecord {
    let Some(worst) = reports.iter().max_by_key(|report| weight(report.verdict)) else {
        return WargameRecord {
            unheld: Some(Unheld::Unavailable),
            ..nothing()
        };
    };
    WargameRecord {
        verdict: Some(worst.verdict),
        exploit: Some(worst.exploit.clone()),
        replayed: reports.iter().map(|each| each.exploit.clone()).collect(),
        detail: worst.detail.clone(),
        evidence: evidence(worst).map(|strength| name(&strength)),
        bounds: Some(name(&worst.bounds)),
        reused: worst.reused,
        took_ms: reports.iter().map(|each| each.took_ms).sum(),
        runs: told(&worst.runs).map(run).collect(),
        ..nothing()
    }
}

/// How much a verdict tells against a patch, beside those of other exploits: what shows that it is wrong, then what
/// shows nothing, and last what shows that it is right.
fn weight(verdict: WargameVerdict) -> u8 {
    match verdict {
        WargameVerdict::StillExploitable => 10,
        WargameVerdict::HarnessTampered => 9,
        WargameVerdict::Regression => 8,
        WargameVerdict::PatchedHangs => 7,
        WargameVerdict::ApplyFailed => 6,
        WargameVerdict::BuildFailed => 5,
        WargameVerdict::Inconclusive => 4,
        WargameVerdict::Error => 3,
        WargameVerdict::BaselineBroken => 2,
        WargameVerdict::NotReproduced => 1,
        WargameVerdict::Mitigated => 0,
    }
}

/// What the weakest evidence of the attacks that worked is worth.
fn evidence(report: &Report) -> Option<Strength> {
    report.runs.iter().filter_map(|run| run.strength).min()
}

/// Returns as many runs as a record may have, in order; where there are more, those that tell something before others.
fn told(runs: &[RunReport]) -> impl Iterator<Item = &RunReport> {
    let mut all: Vec<(usize, &RunReport)> = runs.iter().enumerate().collect();
    all.sort_by_key(|(_, run)| !tells(run));
    all.truncate(MAX_RUNS);
    all.sort_by_key(|(nth, _)| *nth);
    all.into_iter().map(|(_, run)| run)
}

/// Whether a run tells against the patch, shows the exploit, or came to no end.
fn tells(report: &RunReport) -> bool {
    matches!(
        report.outcome,
        Outcome::Exploited | Outcome::Failed | Outcome::Inconclusive
    )
}

fn run(report: &RunReport) -> RunRecord {
    let tells = tells(report);
    let said = || [report.stdout.as_str(), report.stderr.as_str()].join("\n");
    RunRecord {
        phase: name(&report.phase),
        name: report.name.clone(),
        outcome: name(&report.outcome),
        took_ms: report.took_ms,
        met: report.met.iter().map(|&bound| bound.to_owned()).collect(),
        output: tells.then(said).map(|said| said.trim().to_owned()),
    }
}

/// The name that a plain value has in JSON.
fn name<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Bounds;

    fn report(exploit: &str, verdict: WargameVerdict) -> Report {
        Report {
            seed: String::new(),
            exploit: exploit.to_owned(),
            verdict,
            detail: None,
            targets: Vec::new(),
            bounds: Bounds::Rlimits,
            build_ms: 0,
            took_ms: 5,
            reused: false,
            runs: Vec::new(),
        }
    }

    #[test]
    fn one_exploit_that_still_works_outweighs_all_that_do_not() {
        let fought = Fought::Held(vec![
            report("a", WargameVerdict::Mitigated),
            report("b", WargameVerdict::StillExploitable),
            report("c", WargameVerdict::Error),
        ]);
        let record = fought.record();
        assert_eq!(record.verdict, Some(WargameVerdict::StillExploitable));
        assert_eq!(record.exploit.as_deref(), Some("b"));
        assert_eq!(record.replayed, ["a", "b", "c"]);
        assert_eq!(record.took_ms, 15);
        assert_eq!(record.bounds.as_deref(), Some("rlimits"));
    }

    #[test]
    fn a_patch_is_mitigated_only_if_every_exploit_says_so() {
        let all = [WargameVerdict::Mitigated, WargameVerdict::NotReproduced];
        let fought = Fought::Held(all.map(|verdict| report("a", verdict)).to_vec());
        assert_eq!(fought.record().verdict, Some(WargameVerdict::NotReproduced));
        assert_eq!(Fought::Held(Vec::new()).record().verdict, None);
    }
}
