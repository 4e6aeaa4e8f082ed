//! How many lines had which outcome.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::{Exit, Failure, output};
use crate::event::reason::{Disposition, Reason};

/// Counts by disposition and reason.
#[derive(Debug, Default)]
pub(super) struct Summary {
    counts: BTreeMap<(Disposition, Reason), u64>,
}

impl Summary {
    /// Counts one outcome.
    pub(super) fn count(&mut self, disposition: Disposition, reason: Reason) {
        *self.counts.entry((disposition, reason)).or_default() += 1;
    }

    /// Prints the counts to standard error.
    pub(super) fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            let text = serde_json::to_string(&self.to_json())
                .map_err(|e| Failure::new(Exit::Internal, e))?;
            eprintln!("{text}");
            return Ok(());
        }
        let rows = self.counts.iter().map(|((disposition, reason), count)| {
            vec![
                disposition.as_str().to_owned(),
                reason.to_string(),
                count.to_string(),
            ]
        });
        eprintln!(
            "{}",
            output::rendered(&["disposition", "reason", "lines"], rows)
        );
        eprintln!("{}", self.sentence());
        Ok(())
    }

    fn sentence(&self) -> String {
        let total: u64 = self.counts.values().sum();
        let dead = self.of(Disposition::Dead);
        let ending = if dead == 0 {
            String::new()
        } else {
            format!("; {dead} of them could not be taken as patches and would go to dlq")
        };
        format!("{total} lines, each with its outcome{ending}")
    }

    fn of(&self, wanted: Disposition) -> u64 {
        self.counts
            .iter()
            .filter(|((disposition, _), _)| *disposition == wanted)
            .map(|(_, count)| count)
            .sum()
    }

    fn to_json(&self) -> Value {
        let dispositions: serde_json::Map<String, Value> = Disposition::ALL
            .into_iter()
            .map(|disposition| (disposition.as_str().to_owned(), json!(self.of(disposition))))
            .collect();
        let reasons: serde_json::Map<String, Value> = self
            .counts
            .iter()
            .map(|((_, reason), count)| (reason.to_string(), json!(count)))
            .collect();
        json!({
            "lines": self.counts.values().sum::<u64>(),
            "dispositions": dispositions,
            "reasons": reasons,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_and_dead_ones_are_said() {
        let mut summary = Summary::default();
        assert_eq!(summary.sentence(), "0 lines, each with its outcome");
        for reason in [
            Reason::JudgeConfident,
            Reason::InvalidJson,
            Reason::InvalidJson,
            Reason::NoExploit,
        ] {
            summary.count(reason.disposition(), reason);
        }
        assert_eq!(
            summary.sentence(),
            "4 lines, each with its outcome; 2 of them could not be taken as patches and would go to dlq"
        );
        assert_eq!(
            summary.to_json(),
            json!({
                "lines": 4,
                "dispositions": {"decided": 1, "queued": 1, "wargame": 0, "compared": 0, "dead": 2},
                "reasons": {"judge_confident": 1, "no_exploit": 1, "invalid_json": 2},
            })
        );
    }
}
