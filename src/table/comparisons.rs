//! The table of comparisons: what samples say of the judges, for results, gauges and the switch that ends approvals.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::RwLock;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};
use serde::Serialize;
use serde_json::{Value, json};

use crate::event::codec::read_json;
use crate::event::comparison::ComparisonEvent;
use crate::event::decision::JudgeName;
use crate::event::limits::EventLimits;
use crate::event::reason::Reason;
use crate::event::verdict::WargameVerdict;
use crate::judge::confusion::Confusion;
use crate::judge::train::measure::{Reliability, calibration_error, reliability};

/// The most comparisons that are held; the oldest go first. About 100 bytes each.
const MAX_HELD: usize = 100_000;

/// One comparison, without what only a reader of its event needs.
#[derive(Debug, Clone)]
struct Compared {
    asked_ms: i64,
    judge: JudgeName,
    model: Option<Arc<str>>,
    outcome: Reason,
    p: Option<f64>,
    judged_right: bool,
    verdict: WargameVerdict,
    found_right: Option<bool>,
    recalled: bool,
}

/// Comparisons by time of reading.
#[derive(Debug)]
pub struct Comparisons {
    held: RwLock<VecDeque<Compared>>,
    limits: EventLimits,
}

/// What comparisons say of one judge.
#[derive(Debug, Clone)]
pub struct JudgeResults {
    /// The judge.
    pub judge: JudgeName,
    /// Its model, by the digest of its file.
    pub model: Option<Arc<str>>,
    /// Judge against wargame.
    pub confusion: Confusion,
    /// Expected calibration error of its p, 0 to 1; null where it states none.
    pub calibration_error: Option<f64>,
    /// Cases by p.
    pub reliability: Vec<Reliability>,
    /// How often they disagreed, by outcome and verdict.
    pub disagreements: Vec<Disagreement>,
    /// Approvals that were taken back.
    pub recalled: u64,
}

/// One way in which judge and wargame disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Why the case was decided as it was.
    pub outcome: Reason,
    /// What the wargame found.
    pub verdict: WargameVerdict,
    /// How often.
    pub n: u64,
}

impl Comparisons {
    /// Returns an empty table.
    pub fn new(limits: EventLimits) -> Self {
        Self {
            held: RwLock::new(VecDeque::new()),
            limits,
        }
    }

    /// Returns how many are held.
    pub fn len(&self) -> usize {
        self.held.read().len()
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies one record of the topic.
    ///
    /// # Errors
    /// What is wrong with the record, for the log.
    pub fn apply(&self, value: Option<&[u8]>) -> Result<(), String> {
        let event: ComparisonEvent<'_> =
            read_json(value, &self.limits).map_err(|error| error.to_string())?;
        let mut held = self.held.write();
        // There are few models and many comparisons.
        let known = held.back().and_then(|last| last.model.clone());
        let model = event.model.as_deref().map(|digest| match known {
            Some(known) if *known == *digest => known,
            _ => Arc::from(digest),
        });
        held.push_back(Compared {
            asked_ms: event.asked_ms,
            judge: event.judge,
            model,
            outcome: event.outcome,
            p: event.p,
            judged_right: event.judged_right,
            verdict: event.verdict,
            found_right: event.found_right,
            recalled: event.recalled,
        });
        if held.len() > MAX_HELD {
            held.pop_front();
        }
        Ok(())
    }

    /// Returns how many approvals were taken back whose comparison was asked for at or after `since_ms`.
    pub fn recalled_since(&self, since_ms: i64) -> usize {
        let held = self.held.read();
        held.iter()
            .filter(|one| one.recalled && one.asked_ms >= since_ms)
            .count()
    }

    /// Returns what comparisons asked for at or after `since_ms` say, by judge and model.
    pub fn results(&self, since_ms: i64) -> Vec<JudgeResults> {
        let held = self.held.read();
        let mut by_judge: BTreeMap<(&'static str, Option<Arc<str>>), Vec<&Compared>> =
            BTreeMap::new();
        for one in held.iter().filter(|one| one.asked_ms >= since_ms) {
            let key = (one.judge.as_str(), one.model.clone());
            by_judge.entry(key).or_default().push(one);
        }
        by_judge
            .into_values()
            .filter_map(|all| results_of(&all))
            .collect()
    }
}

fn results_of(all: &[&Compared]) -> Option<JudgeResults> {
    let first = all.first()?;
    let mut confusion = Confusion::default();
    let mut disagreements: Vec<Disagreement> = Vec::new();
    let mut scored = Vec::new();
    for one in all {
        confusion.add(one.judged_right, one.found_right);
        if let (Some(p), Some(right)) = (one.p, one.found_right) {
            scored.push((p, right));
        }
        if one
            .found_right
            .is_some_and(|found| found != one.judged_right)
        {
            let (outcome, verdict) = (one.outcome, one.verdict);
            let same = |d: &&mut Disagreement| d.outcome == outcome && d.verdict == verdict;
            match disagreements.iter_mut().find(same) {
                Some(known) => known.n += 1,
                None => disagreements.push(Disagreement {
                    outcome,
                    verdict,
                    n: 1,
                }),
            }
        }
    }
    disagreements.sort_by_key(|one| std::cmp::Reverse(one.n));
    Some(JudgeResults {
        judge: first.judge,
        model: first.model.clone(),
        confusion,
        calibration_error: (!scored.is_empty()).then(|| calibration_error(&scored)),
        reliability: if scored.is_empty() {
            Vec::new()
        } else {
            reliability(&scored)
        },
        disagreements,
        recalled: all.iter().filter(|one| one.recalled).count() as u64,
    })
}

/// Returns the time so many days before `now_ms`, in milliseconds since the epoch; `None` if that is no number of days.
pub fn since_ms(now_ms: i64, days: f64) -> Option<i64> {
    (days > 0.0 && days.is_finite()).then(|| now_ms.saturating_sub((days * 86_400_000.0) as i64))
}

/// Returns results with the figures that follow from them, for machines.
pub fn results_json(all: &[JudgeResults]) -> Value {
    let rows = all.iter().map(|results| {
        json!({
            "judge": results.judge,
            "model": results.model.as_deref(),
            "confusion": results.confusion,
            "precision": results.confusion.precision(),
            "recall": results.confusion.recall(),
            "f1": results.confusion.f1(),
            "accuracy": results.confusion.accuracy(),
            "calibration_error": results.calibration_error,
            "reliability": results.reliability,
            "disagreements": results.disagreements,
            "recalled": results.recalled,
        })
    });
    Value::Array(rows.collect())
}

/// How far back the gauges look, in milliseconds: 30 days.
const GAUGED_MS: i64 = 30 * 86_400_000;

/// Gauges of what comparisons say, set when they are scraped.
#[derive(Debug)]
pub struct ComparisonMetrics {
    cases: IntGaugeVec,
    share: GaugeVec,
    calibration: GaugeVec,
}

impl ComparisonMetrics {
    /// Registers the gauges: `crisol_comparisons`, `crisol_comparison_share`, `crisol_comparison_calibration_error`.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let cases = IntGaugeVec::new(
            Opts::new(
                "crisol_comparisons",
                "Comparisons of the last 30 days by what the judge and the wargame held the patch for",
            ),
            &["judge", "model", "judged", "found"],
        )?;
        let share = GaugeVec::new(
            Opts::new(
                "crisol_comparison_share",
                "Precision, recall and accuracy of the last 30 days of comparisons: value, lower and upper end of the 95 % Wilson interval",
            ),
            &["judge", "model", "figure", "bound"],
        )?;
        let calibration = GaugeVec::new(
            Opts::new(
                "crisol_comparison_calibration_error",
                "Expected calibration error of p over the last 30 days of comparisons, 0 to 1",
            ),
            &["judge", "model"],
        )?;
        registry.register(Box::new(cases.clone()))?;
        registry.register(Box::new(share.clone()))?;
        registry.register(Box::new(calibration.clone()))?;
        Ok(Self {
            cases,
            share,
            calibration,
        })
    }

    /// Sets the gauges to how things stand at `now_ms`.
    pub fn observe(&self, table: &Comparisons, now_ms: i64) {
        self.cases.reset();
        self.share.reset();
        self.calibration.reset();
        for results in table.results(now_ms.saturating_sub(GAUGED_MS)) {
            let judge = results.judge.as_str();
            let model = results.model.as_deref().unwrap_or_default();
            let matrix = &results.confusion;
            for (judged, found, n) in [
                ("right", "right", matrix.right_right),
                ("right", "wrong", matrix.right_wrong),
                ("wrong", "right", matrix.wrong_right),
                ("wrong", "wrong", matrix.wrong_wrong),
                ("either", "nothing", matrix.silent),
            ] {
                self.cases
                    .with_label_values(&[judge, model, judged, found])
                    .set(i64::try_from(n).unwrap_or(i64::MAX));
            }
            for (figure, share) in [
                ("precision", matrix.precision()),
                ("recall", matrix.recall()),
                ("accuracy", matrix.accuracy()),
            ] {
                let Some(share) = share else { continue };
                for (bound, value) in [
                    ("value", share.value),
                    ("lower", share.lower),
                    ("upper", share.upper),
                ] {
                    self.share
                        .with_label_values(&[judge, model, figure, bound])
                        .set(value);
                }
            }
            if let Some(error) = results.calibration_error {
                self.calibration
                    .with_label_values(&[judge, model])
                    .set(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(asked_ms: i64, judged: bool, verdict: &str, found: Option<bool>) -> Vec<u8> {
        json!({
            "decision_id": "00000000-0000-0000-0000-000000000000",
            "patch_id": "p", "patch_digest": "d", "cve_id": "CVE-1",
            "outcome": "judge_confident", "judge": "forest", "model": "m", "level": null,
            "p": 0.97, "judged_right": judged, "risk": "low", "severity": "low",
            "exploit": "x", "verdict": verdict, "found_right": found,
            "recalled": judged && found == Some(false), "asked_ms": asked_ms,
            "source": {"topic": "t", "partition": 0, "offset": 0, "timestamp_ms": 0},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn results_are_of_a_stretch_of_time() {
        let table = Comparisons::new(EventLimits::default());
        for (at, judged, verdict, found) in [
            (10, true, "mitigated", Some(true)),
            (20, true, "still_exploitable", Some(false)),
            (30, true, "still_exploitable", Some(false)),
            (40, true, "inconclusive", None),
        ] {
            table
                .apply(Some(&record(at, judged, verdict, found)))
                .unwrap();
        }
        assert!(table.apply(Some(b"{")).is_err());
        let all = table.results(0).remove(0);
        assert_eq!(all.confusion.precision().unwrap().n, 3);
        assert_eq!((all.recalled, all.confusion.silent), (2, 1));
        assert_eq!(all.disagreements[0].n, 2);
        assert!((all.calibration_error.unwrap() - (0.97 - 1.0 / 3.0)).abs() < 1e-9);
        assert_eq!(table.recalled_since(25), 1);
        assert_eq!(table.results(35).remove(0).confusion.silent, 1);
        assert!(table.results(50).is_empty());
    }
}
