//! `crisol control get evidence`: what was counted of each judge, trial by trial.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::{Exit, Failure, output};
use crate::event::codec::printable;
use crate::event::control::{Control, check_counted};
use crate::event::evidence::EvidenceCount;
use crate::judge::wilson_lower_bound;

/// What the list is of.
const EVIDENCE: &str = "evidence";

/// Which counts are listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    judge: Option<String>,
    level: Option<String>,
}

impl Counted {
    /// Returns what a key asks to list: `evidence`, with a judge or a judge and a level behind it; `None` for any
    /// other. A judge or a level that nobody counts is refused.
    pub(super) fn asked(key: &str) -> Option<Result<Self, Failure>> {
        let mut parts = key.split('.');
        let (first, judge, level) = (parts.next(), parts.next(), parts.next());
        if first != Some(EVIDENCE) || parts.next().is_some() {
            return None;
        }
        let checked = judge.map_or(Ok(()), |judge| check_counted(judge, level));
        Some(
            checked
                .map(|()| Self {
                    judge: judge.map(ToOwned::to_owned),
                    level: level.map(ToOwned::to_owned),
                })
                .map_err(|error| Failure::new(Exit::Usage, error)),
        )
    }

    fn includes(&self, judge: &str, level: &str) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.judge, judge) && is(&self.level, level)
    }
}

/// Prints what was counted, and what it comes to.
pub(super) fn print(control: &Control, wanted: &Counted, as_json: bool) -> Result<Exit, Failure> {
    let levels: Vec<_> = control
        .evidence
        .iter()
        .flat_map(|(judge, levels)| levels.iter().map(move |(level, of)| (judge, level, of)))
        .filter(|(judge, level, writers)| wanted.includes(judge, level) && !writers.is_empty())
        .collect();
    if as_json {
        let listed: Vec<Value> = levels
            .into_iter()
            .map(|(judge, level, writers)| {
                let sum = control.evidence(judge, level);
                json!({
                    "judge": judge,
                    "level": level,
                    "agreed": sum.agreed,
                    "n": sum.n,
                    "lower_bound": wilson_lower_bound(sum.agreed, sum.n),
                    "writers": writers.iter().map(|(name, count)| (name, json!(**count))).collect::<BTreeMap<_, _>>(),
                })
            })
            .collect();
        output::json(&json!({"version": control.version, "evidence": listed}))?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let mut sums = Vec::new();
    for (judge, level, writers) in levels {
        for (writer, count) in writers {
            rows.extend(rows_of([judge, level, writer], count));
        }
        let sum = control.evidence(judge, level);
        sums.push(vec![
            judge.clone(),
            level.clone(),
            format!("{} of {}", sum.agreed, sum.n),
            format!("{:.3}", wilson_lower_bound(sum.agreed, sum.n)),
        ]);
    }
    output::table(&["judge", "level", "writer", "trial", "agreed"], rows);
    output::table(&["judge", "level", "distinct trials", "p at least"], sums);
    println!("control version {}", control.version);
    Ok(Exit::Done)
}

fn rows_of(place: [&String; 3], count: &EvidenceCount) -> Vec<Vec<String>> {
    let row = |what: String, agreed: String| {
        let mut row: Vec<String> = place.into_iter().cloned().collect();
        row.extend([what, agreed]);
        row
    };
    let mut rows: Vec<Vec<String>> = count
        .trials
        .iter()
        .map(|(trial, agreed)| {
            let agreed = if *agreed { "yes" } else { "no" };
            row(printable(trial), agreed.to_owned())
        })
        .collect();
    if let Some(beyond) = count.beyond().filter(|beyond| beyond.n > 0) {
        let agreed = format!("{} of {}", beyond.agreed, beyond.n);
        rows.push(row(origin(count), agreed));
    }
    rows
}

/// Returns what stands for the trials that are not listed.
fn origin(count: &EvidenceCount) -> String {
    count.source.as_ref().map_or_else(
        || "(neither trials nor a source named)".to_owned(),
        |source| format!("source: {}", printable(source)),
    )
}

/// Returns a count in a few words.
pub(super) fn in_words(count: &EvidenceCount) -> String {
    let mut words = format!("agreed {} of {}", count.agreed, count.n);
    if !count.trials.is_empty() {
        words += &format!(", {} trials listed", count.trials.len());
    }
    if count.source.is_some() || count.is_unvouched() {
        words += &format!(", {}", origin(count));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_by_a_head_and_a_count_by_its_whole_name() {
        let asked =
            |key: &str| Counted::asked(key).map(|asked| asked.map_err(|failure| failure.message));
        assert!(asked("evidence").unwrap().is_ok());
        assert!(asked("evidence.advisory.patch").unwrap().is_ok());
        assert!(asked("evidence.advisory.patch.w0").is_none());
        assert!(asked("kill_switch").is_none());
        for wrong in ["evidence.adviser", "evidence.advisory.pathc"] {
            let error = asked(wrong).unwrap().unwrap_err();
            assert!(error.contains("forest at p90, p85, medium"), "{error}");
        }
    }

    #[test]
    fn every_count_says_what_it_rests_on() {
        let mut count = EvidenceCount::plain(9, 10);
        assert_eq!(
            in_words(&count),
            "agreed 9 of 10, (neither trials nor a source named)"
        );
        count.source = Some("October".to_owned());
        count.add("a", true);
        assert_eq!(
            in_words(&count),
            "agreed 10 of 11, 1 trials listed, source: October"
        );
        let name = "x".to_owned();
        let rows = rows_of([&name, &name, &name], &count);
        assert_eq!(rows.len(), 2, "{rows:?}");
    }
}
