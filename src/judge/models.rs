//! The models in force: one that judges, perhaps one beside it that is only compared, and the breaker before them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use prometheus::Registry;
use tracing::{error, info};

use crate::diff::Diff;
use crate::event::decision::ForestRecord;
use crate::event::wargame::SecondLookRecord;
use crate::guard::breaker::{Breaker, BreakerPolicy};
use crate::judge::code::{self, Asked, Loaded, Scorer, Seen};
use crate::judge::drift::Drift;
use crate::judge::metrics::ModelMetrics;
use crate::judge::precedent::Casebook;

/// When the model is left alone, and for how long.
const BREAKER: BreakerPolicy = BreakerPolicy {
    failures: 5,
    recovery: Duration::from_secs(30),
};
/// Of so many patches one is counted for drift.
const COUNTED: u32 = 8;

/// Which models are in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picked {
    /// The one that judges; without one, people judge code.
    pub active: Option<Arc<Loaded>>,
    /// One that is only compared with it.
    pub shadow: Option<Arc<Loaded>>,
    /// Whether one was asked for that is not here.
    pub is_missing: bool,
}

/// The models in force. Shared by all workers, and changed while they work.
#[derive(Debug)]
pub struct Models {
    picked: ArcSwapOption<Picked>,
    breaker: Breaker,
    metrics: ModelMetrics,
    drift: Mutex<Drift>,
}

impl Models {
    /// Returns models of which these are in force.
    ///
    /// # Errors
    /// If a metric has no valid name: a defect.
    pub fn new(picked: Picked) -> Result<Self, prometheus::Error> {
        let models = Self {
            picked: ArcSwapOption::empty(),
            breaker: Breaker::new("ml_model", BREAKER),
            metrics: ModelMetrics::new()?,
            drift: Mutex::new(Drift::default()),
        };
        models.set(picked);
        Ok(models)
    }

    /// Returns models of which this one judges; without one, people judge code.
    ///
    /// # Errors
    /// If a metric has no valid name: a defect.
    pub fn of(active: Option<Loaded>) -> Result<Self, prometheus::Error> {
        Self::new(Picked {
            active: active.map(Arc::new),
            ..Picked::default()
        })
    }

    /// Lets a registry scrape what is counted.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        self.metrics.register(registry)
    }

    /// Returns what is in force, for as long as one batch needs it.
    pub fn in_force(&self) -> Arc<Picked> {
        self.picked.load_full().unwrap_or_default()
    }

    /// Puts other models in force, from the next batch on.
    pub fn put(&self, picked: Picked) {
        let before = self.in_force();
        if *before == picked {
            return;
        }
        for (role, model) in [("active", &picked.active), ("shadow", &picked.shadow)] {
            let digest = model.as_ref().map_or("none", |model| model.digest());
            info!(role, model = digest, "model in force");
        }
        if before.active != picked.active {
            *self.drift.lock() = Drift::default();
        }
        self.set(picked);
    }

    fn set(&self, picked: Picked) {
        self.metrics.missing.set(i64::from(picked.is_missing));
        self.metrics.in_force.reset();
        for (role, model) in [("active", &picked.active), ("shadow", &picked.shadow)] {
            if let Some(model) = model {
                self.metrics
                    .in_force
                    .with_label_values(&[role, model.digest()])
                    .set(1);
            }
        }
        self.picked.store(Some(Arc::new(picked)));
    }

    /// Returns the breaker before the models.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Counts a file that changed into something that is no model.
    pub fn unreadable(&self) {
        self.metrics.unreadable.inc();
    }

    /// Takes the first look at a patch; `None` without a model, while the breaker is open, and if the model fails
    /// on it. The shadow looks too, and only metrics know what it says.
    pub fn first_look(
        &self,
        scorer: &mut Scorer,
        picked: &Picked,
        asked: &Asked<'_>,
        book: &Casebook,
    ) -> Option<Seen> {
        let loaded = picked.active.as_deref()?;
        let permit = self.breaker.ask(Instant::now()).ok()?;
        let seen = match scorer.first_look(loaded, asked, book) {
            Ok(seen) => seen,
            Err(error) => {
                permit.failed(Instant::now());
                error!(cve_id = asked.cve_id, model = loaded.digest(), %error, "judge: a person decides");
                return None;
            }
        };
        permit.succeeded();
        if let Seen::Judged(judgement, _) = &seen {
            self.count(scorer, picked, loaded, judgement);
        }
        Some(seen)
    }

    /// Takes the second look at a patch that passed its wargame; `None` if the model has none, while the breaker is
    /// open, and if the model fails on it.
    pub fn second_look(
        &self,
        loaded: &Loaded,
        diff: &Diff<'_>,
        first: &ForestRecord,
        generator: Option<&str>,
    ) -> Option<SecondLookRecord> {
        let permit = self.breaker.ask(Instant::now()).ok()?;
        let looked = catch_unwind(AssertUnwindSafe(|| {
            code::second_look(loaded, diff, first, generator)
        }));
        let Ok(looked) = looked else {
            permit.failed(Instant::now());
            error!(
                model = loaded.digest(),
                "second look failed: a person decides"
            );
            return None;
        };
        permit.succeeded();
        let (p, accept) = looked?;
        Some(SecondLookRecord {
            by: loaded.digest().to_owned(),
            p: Some(p),
            accept: Some(accept),
        })
    }

    fn count(
        &self,
        scorer: &mut Scorer,
        picked: &Picked,
        loaded: &Loaded,
        judgement: &crate::judge::Judgement,
    ) {
        let finding = judgement.record.finding.as_deref().unwrap_or_default();
        self.metrics.looked(finding);
        if scorer.looks().is_multiple_of(COUNTED) {
            self.drift
                .lock()
                .count(&loaded.model().reference, scorer.row());
        }
        let Some(shadow) = picked.shadow.as_deref() else {
            return;
        };
        // A shadow that fails says nothing, and harms nobody.
        if let Ok((p, would_find)) = scorer.look_again(shadow) {
            let compared = &self.metrics.compared;
            compared.with_label_values(&[finding, would_find]).inc();
            let distance = judgement.record.p.map_or(0.0, |active| (active - p).abs());
            self.metrics.distance.observe(distance);
        }
    }

    /// Sets the gauges of drift to how things stand now.
    pub fn observe(&self) {
        let picked = self.in_force();
        let Some(loaded) = picked.active.as_deref() else {
            return;
        };
        let drift = self.drift.lock();
        if let Some((groups, cases)) = drift.by_group(&loaded.model().reference) {
            for (group, index) in groups {
                self.metrics.psi.with_label_values(&[group]).set(index);
            }
            self.metrics.psi_cases.set(i64::from(cases));
        }
    }
}
