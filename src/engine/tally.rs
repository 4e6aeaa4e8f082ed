//! What wargames say of judges together: counted in the order of commits, by one writer, so that a count on `control` is
//! never older than one before it and never holds what came to nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::error;

use crate::event::control::{ControlKey, ControlValue};
use crate::event::decision::EvidenceRecord;
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
    counts: BTreeMap<(&'static str, String), EvidenceRecord>,
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
        for outcome in handled {
            let Some(agreement) = outcome.agreement.clone() else {
                continue;
            };
            for (judge, level) in agreement.evidence {
                let Some(count) = self.count(judge, &level, agreement.found_right) else {
                    continue;
                };
                let key = ControlKey::Evidence {
                    judge: judge.to_owned(),
                    level,
                    writer: self.writer.clone(),
                };
                outcome
                    .outputs
                    .push(key.setting(&ControlValue::Evidence(count)));
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
    }

    /// Counts one more; `None` if nobody can say from where.
    fn count(&mut self, judge: &'static str, level: &str, agreed: bool) -> Option<EvidenceRecord> {
        if self.is_stale {
            let caught_up = self.tables.catch_up_control(CATCH_UP);
            if let Err(error) = caught_up {
                error!(%error, "evidence is not counted: control cannot be read");
                return None;
            }
            self.is_stale = false;
        }
        let key = (judge, level.to_owned());
        let before = match self.counts.get(&key) {
            Some(known) => *known,
            None => {
                let control = self.tables.control_snapshot();
                control.counted(judge, level, &self.writer)
            }
        };
        let count = EvidenceRecord {
            agreed: before.agreed + u64::from(agreed),
            n: before.n + 1,
        };
        self.counts.insert(key, count);
        Some(count)
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
