//! Evidence as it stands on `control`: how often wargames agreed with a judge, and in which trials.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::decision::EvidenceRecord;
use crate::event::trial::MAX_TRIAL_BYTES;

/// The most trials that one writer lists, the last ones: a value must fit into a record of `control`.
pub const MAX_TRIALS: usize = 256;
/// The longest source that an operator names, in bytes.
const MAX_SOURCE_BYTES: usize = 200;

/// What can be counted: each judge with its levels.
pub const COUNTED: [(&str, &[&str]); 3] = [
    ("advisory", &["patch", "minor", "major", "unknown"]),
    ("advisory-files", &["patch", "minor", "major", "unknown"]),
    ("forest", &["p90", "p85", "medium"]),
];

/// What one writer counted of a judge at a level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EvidenceCount {
    /// How often they agreed.
    pub agreed: u64,
    /// How often they were asked.
    pub n: u64,
    /// The trials that are counted, each once, those counted last at the end, and whether it agreed. What `agreed`
    /// and `n` hold beyond them was counted elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<(String, bool)>,
    /// Where that comes from, in an operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl EvidenceCount {
    /// Returns a count that names neither trials nor a source, as they were before both were asked for.
    pub fn plain(agreed: u64, n: u64) -> Self {
        Self {
            agreed,
            n,
            ..Self::default()
        }
    }

    /// Returns what is wrong with it; `None` if nothing is.
    pub fn flaw(&self) -> Option<&'static str> {
        let Some(beyond) = self.beyond() else {
            return Some("agreed above n, or fewer than the trials it lists");
        };
        if beyond.agreed > beyond.n {
            return Some("agreed above n");
        }
        if self.trials.len() > MAX_TRIALS {
            return Some("more than 256 trials");
        }
        let mut names: Vec<&str> = self.trials.iter().map(|(name, _)| name.as_str()).collect();
        if names.iter().any(|name| !is_plain(name, MAX_TRIAL_BYTES)) {
            return Some("a trial whose name is empty, longer than 120 bytes or not printable");
        }
        names.sort_unstable();
        names.dedup();
        if names.len() < self.trials.len() {
            return Some("a trial that is listed twice");
        }
        let source = self.source.as_deref();
        if source.is_some_and(|source| !is_plain(source, MAX_SOURCE_BYTES)) {
            return Some("a source that is empty, longer than 200 bytes or not printable");
        }
        None
    }

    /// Returns what was counted beyond the trials that it lists; `None` if it says less than they do.
    pub fn beyond(&self) -> Option<EvidenceRecord> {
        let agreed = self.trials.iter().filter(|(_, agreed)| *agreed).count();
        Some(EvidenceRecord {
            agreed: self.agreed.checked_sub(u64::try_from(agreed).ok()?)?,
            n: self.n.checked_sub(u64::try_from(self.trials.len()).ok()?)?,
        })
    }

    /// Returns whether something is counted that is vouched for by nobody: neither by trials nor by a source.
    pub fn is_unvouched(&self) -> bool {
        self.source.is_none() && self.beyond().is_none_or(|beyond| beyond.n > 0)
    }

    /// Adds a trial, or replaces what is counted of the same one. One that went against the judge stays so: nothing
    /// becomes right by another try. What nobody vouches for is dropped; past the bound the oldest trial goes.
    pub fn add(&mut self, trial: &str, agreed: bool) {
        let beyond = match self.source {
            Some(_) => self.beyond().unwrap_or_default(),
            None => EvidenceRecord::default(),
        };
        let known = self.trials.iter().position(|(name, _)| name == trial);
        let before = known.map(|at| self.trials.remove(at));
        let stands = agreed && before.is_none_or(|(_, agreed)| agreed);
        self.trials.push((trial.to_owned(), stands));
        let over = self.trials.len().saturating_sub(MAX_TRIALS);
        self.trials.drain(..over);
        let listed = self.trials.iter().filter(|(_, agreed)| *agreed).count();
        self.agreed = beyond.agreed + u64::try_from(listed).unwrap_or(u64::MAX);
        self.n = beyond.n + u64::try_from(self.trials.len()).unwrap_or(u64::MAX);
    }
}

/// Returns the distinct trials of several writers. Where they differ about one, it went against the judge.
pub fn distinct<'c>(counts: impl Iterator<Item = &'c EvidenceCount>) -> BTreeMap<&'c str, bool> {
    let mut trials = BTreeMap::new();
    for (name, agreed) in counts.flat_map(|count| &count.trials) {
        let stands = trials.entry(name.as_str()).or_insert(true);
        *stands &= *agreed;
    }
    trials
}

/// Returns the evidence of several writers: each distinct trial once, and what they counted beyond.
pub fn sum<'c>(counts: impl Iterator<Item = &'c EvidenceCount> + Clone) -> EvidenceRecord {
    let mut sum = EvidenceRecord::default();
    for agreed in distinct(counts.clone()).into_values() {
        sum.agreed += u64::from(agreed);
        sum.n += 1;
    }
    for beyond in counts.filter_map(EvidenceCount::beyond) {
        sum.agreed = sum.agreed.saturating_add(beyond.agreed);
        sum.n = sum.n.saturating_add(beyond.n);
    }
    sum
}

fn is_plain(text: &str, limit: usize) -> bool {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    !text.is_empty() && text.len() <= limit && text.bytes().all(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(trials: &[(&str, bool)]) -> EvidenceCount {
        let mut count = EvidenceCount::default();
        for (name, agreed) in trials {
            count.add(name, *agreed);
        }
        count
    }

    fn of(agreed: u64, n: u64) -> EvidenceRecord {
        EvidenceRecord { agreed, n }
    }

    #[test]
    fn a_trial_counts_once_however_often_it_is_tried() {
        let mut count = EvidenceCount::default();
        for _ in 0..1_000 {
            for name in ["a", "b", "c"] {
                count.add(name, true);
            }
        }
        assert_eq!((count.agreed, count.n), (3, 3));
        assert_eq!(count.flaw(), None);
    }

    #[test]
    fn what_went_against_the_judge_once_replaces_what_agreed_and_stays() {
        let count = counted(&[("a", true), ("b", true), ("a", false), ("a", true)]);
        assert_eq!((count.agreed, count.n), (1, 2));
    }

    #[test]
    fn what_two_writers_counted_counts_once_and_against_the_judge_where_they_differ() {
        let writers = [
            counted(&[("a", true), ("b", true), ("c", true)]),
            counted(&[("b", true), ("c", false), ("d", true)]),
            EvidenceCount::plain(70, 71),
        ];
        assert_eq!(sum(writers.iter()), of(73, 75));
        assert_eq!(sum(writers.iter().take(2)), of(3, 4));
    }

    #[test]
    fn the_bound_keeps_the_last_trials_and_the_value_small() {
        let mut count = EvidenceCount::default();
        for n in 0..1_000 {
            count.add(&format!("{n:0>120}"), n != 999);
        }
        assert_eq!((count.agreed, count.n), (255, 256));
        assert!(count.trials.first().unwrap().0.ends_with("744"));
        let bytes = serde_json::to_vec(&count).unwrap();
        // Within `max.message.bytes` of control, uncompressed.
        assert!(bytes.len() < 40_000, "{}", bytes.len());
    }

    #[test]
    fn what_nobody_vouches_for_goes_with_the_first_trial_and_a_source_keeps_it() {
        let mut old = EvidenceCount::plain(77, 77);
        assert!(old.is_unvouched());
        assert_eq!(sum([&old].into_iter()), of(77, 77));
        old.add("a", true);
        assert_eq!((old.agreed, old.n), (1, 1));
        let mut named = EvidenceCount {
            source: Some("trials of October".to_owned()),
            ..EvidenceCount::plain(77, 77)
        };
        assert!(!named.is_unvouched());
        named.add("a", false);
        assert_eq!((named.agreed, named.n), (77, 78));
    }

    #[test]
    fn old_values_are_read_and_new_ones_hold_what_old_readers_need() {
        let old: EvidenceCount = serde_json::from_str(r#"{"agreed": 80, "n": 81}"#).unwrap();
        assert_eq!(old, EvidenceCount::plain(80, 81));
        let new = serde_json::to_value(counted(&[("a", true), ("b", false)])).unwrap();
        let read: EvidenceRecord = serde_json::from_value(new).unwrap();
        assert_eq!(read, of(1, 2));
    }

    #[test]
    fn a_count_that_does_not_add_up_has_a_flaw() {
        let good = counted(&[("a", true), ("b", false)]);
        let with = |change: fn(&mut EvidenceCount)| {
            let mut count = good.clone();
            change(&mut count);
            count.flaw()
        };
        assert_eq!(with(|_| {}), None);
        for change in [
            (|c| c.n = 1) as fn(&mut EvidenceCount),
            |c| c.agreed = 0,
            |c| c.agreed = 2,
            |c| c.trials.push(("a".to_owned(), true)),
            |c| c.source = Some("\u{1b}[2J".to_owned()),
            |c| c.source = Some(String::new()),
        ] {
            assert!(with(change).is_some());
        }
    }
}
