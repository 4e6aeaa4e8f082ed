//! What wargames say of judges together: counted in the order of commits, by one writer, so that a count on `control` is
//! never older than one before it and never holds what came to nothing.
//!
//! What counts is a distinct trial, not an event: what is sent, replayed or compared again adds nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use crate::event::control::{ControlKey, ControlValue};
use crate::event::evidence::EvidenceCount;
use crate::event::record::Handled;
use crate::pipeline::Clock;
use crate::table::Tables;

/// How long the settings may take to be read again once a transaction came to nothing.
const CATCH_UP: Duration = Duration::from_secs(5);

/// The counts of one worker.
pub(super) struct Tally {
    tables: Arc<Tables>,
    writer: String,
    clock: Clock,
    /// What `control` says once everything sealed is committed; filled as it is needed.
    counts: BTreeMap<(&'static str, String), EvidenceCount>,
    /// Whether `control` must be read to its end before it is believed.
    is_stale: bool,
    /// How many approvals are taken back by outcomes that are not committed yet.
    pending: usize,
    most: usize,
    window: Duration,
}

impl Tally {
    pub(super) fn new(
        tables: Arc<Tables>,
        writer: &str,
        clock: Clock,
        most: usize,
        window: Duration,
    ) -> Self {
        Self {
            tables,
            writer: writer.to_owned(),
            clock,
            counts: BTreeMap::new(),
            is_stale: true,
            pending: 0,
            most,
            window,
        }
    }

    /// Adds what outcomes say together, in the order in which they are about to be committed.
    pub(super) fn seal(&mut self, handled: &mut [Handled]) {
        // A count is written once, with the last outcome that changes it.
        let mut changed: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
        for (at, outcome) in handled.iter_mut().enumerate() {
            let Some(agreement) = outcome.agreement.clone() else {
                continue;
            };
            for (judge, level) in agreement.evidence {
                if self.count(judge, &level, &agreement.trial, agreement.found_right) {
                    changed.insert((judge, level), at);
                }
            }
            if agreement.recalls && self.is_too_much() {
                error!(
                    contradictions = self.most,
                    "comparisons contradict approvals: auto-approval is switched off on every replica"
                );
                let off = ControlKey::AutoApprove.setting(&ControlValue::Switch(false));
                outcome.outputs.push(off);
            }
        }
        for ((judge, level), at) in changed {
            let (Some(outcome), Some(count)) = (
                handled.get_mut(at),
                self.counts.get(&(judge, level.clone())),
            ) else {
                continue;
            };
            let key = ControlKey::Evidence {
                judge: judge.to_owned(),
                level,
                writer: self.writer.clone(),
            };
            let value = ControlValue::Evidence(count.clone());
            outcome.outputs.push(key.setting(&value));
        }
    }

    /// Counts a trial; returns whether that changes anything. It does not where nobody can say what was counted before.
    fn count(&mut self, judge: &'static str, level: &str, trial: &str, agreed: bool) -> bool {
        if self.is_stale {
            let caught_up = self.tables.catch_up_control(CATCH_UP);
            if let Err(error) = caught_up {
                error!(%error, "evidence is not counted: control cannot be read");
                return false;
            }
            self.is_stale = false;
        }
        let control = self.tables.control_snapshot();
        let own = self
            .counts
            .entry((judge, level.to_owned()))
            .or_insert_with(|| control.counted(judge, level, &self.writer));
        let of_own = own.trials.iter().find(|(name, _)| name == trial);
        let others = control.trials_of_others(judge, level, &self.writer);
        let said = [
            of_own.map(|(_, agreed)| *agreed),
            others.get(trial).copied(),
        ];
        // What went against the judge stays; what agreed is news only if this does not.
        let known = said.into_iter().flatten().min();
        if known == Some(false) || (known == Some(true) && agreed) {
            return false;
        }
        if own.is_unvouched() {
            warn!(
                judge,
                level,
                agreed = own.agreed,
                n = own.n,
                "a count that names neither trials nor a source is begun anew"
            );
        }
        own.add(trial, agreed);
        true
    }

    /// Counts one more approval that is taken back; returns whether that is one too many, with those that any replica
    /// took back of late.
    fn is_too_much(&mut self) -> bool {
        self.pending += 1;
        let window = i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        let since = (self.clock)().saturating_sub(window);
        let others = self.tables.comparisons.recalled_since(since);
        others + self.pending >= self.most
    }

    /// Hears what is committed now.
    pub(super) fn committed(&mut self, handled: &[Handled]) {
        let agreements = handled.iter().filter_map(|one| one.agreement.as_ref());
        self.pending -= agreements
            .filter(|one| one.recalls)
            .count()
            .min(self.pending);
    }

    /// Forgets what was counted and not committed: `control` is read again.
    pub(super) fn begin_again(&mut self) {
        self.counts.clear();
        self.is_stale = true;
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::control::Control;
    use crate::event::decision::EvidenceRecord;
    use crate::event::limits::EventLimits;
    use crate::event::reason::Reason;
    use crate::event::record::Agreement;
    use crate::log::source::Coordinates;
    use crate::table::TableBounds;

    /// `control` as every worker of a test reads it.
    struct World {
        tables: Arc<Tables>,
        written: i64,
    }

    impl World {
        fn new() -> Self {
            let bounds = TableBounds::default();
            Self {
                tables: Arc::new(Tables::detached(&bounds, &EventLimits::default())),
                written: 0,
            }
        }

        fn worker(&self, name: &str) -> Tally {
            let tables = Arc::clone(&self.tables);
            Tally::new(tables, name, || 0, 3, Duration::from_secs(1))
        }

        fn apply(&mut self, key: &[u8], value: &[u8]) {
            let at = Coordinates {
                partition: 0,
                offset: self.written,
            };
            self.written += 1;
            let table = &self.tables.control;
            table.apply(at, Some(key), Some(value)).unwrap();
        }

        /// Seals outcomes and commits them: what they write is on `control` then.
        fn commit(&mut self, worker: &mut Tally, outcomes: &[(&str, bool)]) {
            let mut handled: Vec<Handled> = outcomes.iter().map(|one| outcome(*one)).collect();
            worker.seal(&mut handled);
            worker.committed(&handled);
            for output in handled.into_iter().flat_map(|one| one.outputs) {
                self.apply(&output.key.unwrap(), &output.value.unwrap());
            }
        }

        fn control(&self) -> Arc<Control> {
            self.tables.control_snapshot()
        }

        fn evidence(&self) -> (u64, u64) {
            let EvidenceRecord { agreed, n } = self.control().evidence("advisory", "patch");
            (agreed, n)
        }
    }

    fn outcome((trial, found_right): (&str, bool)) -> Handled {
        Handled {
            offset: 0,
            timestamp_ms: 0,
            disposition: Reason::WargameMitigated.disposition(),
            reason: Reason::WargameMitigated,
            outputs: Vec::new(),
            ab_sampled: false,
            memo: None,
            agreement: Some(Agreement {
                evidence: vec![("advisory", "patch".to_owned())],
                trial: trial.to_owned(),
                found_right,
                recalls: false,
            }),
        }
    }

    #[test]
    fn a_thousand_events_of_three_trials_are_three_and_write_three_records() {
        let mut world = World::new();
        let mut workers = [world.worker("w0"), world.worker("w1")];
        for n in 0..1_000 {
            let trial = [
                "CVE-1 npm/a 1 -> 2",
                "CVE-1 npm/b 1 -> 2",
                "CVE-2 npm/a 1 -> 3",
            ][n % 3];
            // Sent again, replayed after a crash, compared, and taken by another worker.
            let worker = &mut workers[n / 100 % 2];
            if n % 7 == 0 {
                worker.begin_again();
            }
            world.commit(worker, &[(trial, true), (trial, true)]);
        }
        assert_eq!(world.evidence(), (3, 3));
        assert_eq!(world.written, 3);
        // The control of this: a thousand distinct trials are as many as a writer lists, and more with two.
        let mut worker = world.worker("w2");
        for n in 0..200 {
            let trial = format!("CVE-3 npm/c 1.{n} -> 2");
            world.commit(&mut worker, &[(&trial, true)]);
        }
        assert_eq!(world.evidence(), (203, 203));
    }

    #[test]
    fn what_is_not_committed_is_not_counted() {
        let mut world = World::new();
        let mut worker = world.worker("w0");
        world.commit(&mut worker, &[("a", true)]);
        worker.seal(&mut [outcome(("b", true)), outcome(("c", false))]);
        worker.begin_again();
        world.commit(&mut worker, &[("c", true)]);
        assert_eq!(world.evidence(), (2, 2));
    }

    #[test]
    fn a_later_contradiction_replaces_what_another_worker_counted() {
        let mut world = World::new();
        let mut first = world.worker("w0");
        let mut second = world.worker("w1");
        world.commit(&mut first, &[("a", true), ("b", true)]);
        world.commit(&mut second, &[("a", false)]);
        assert_eq!(world.evidence(), (1, 2));
        // Nothing becomes right by another try.
        for worker in [&mut first, &mut second] {
            world.commit(worker, &[("a", true)]);
        }
        assert_eq!(world.evidence(), (1, 2));
    }

    #[test]
    fn an_old_count_is_read_and_ends_with_the_first_trial_and_an_operators_stays() {
        let mut world = World::new();
        world.apply(b"evidence.advisory.patch.w0", br#"{"agreed": 77, "n": 77}"#);
        assert_eq!(world.evidence(), (77, 77));
        world.apply(
            b"evidence.advisory.patch.ops",
            br#"{"agreed": 9, "n": 10, "source": "trials of October"}"#,
        );
        let mut worker = world.worker("w0");
        world.commit(&mut worker, &[("a", true)]);
        assert_eq!(world.evidence(), (10, 11));
    }
}
