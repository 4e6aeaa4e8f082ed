//! The model in force, and the breaker before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tracing::error;

use crate::guard::breaker::{Breaker, BreakerPolicy};
use crate::judge::code::{Asked, Loaded, Scorer, Seen};
use crate::judge::precedent::Casebook;

/// When the model is left alone, and for how long.
const BREAKER: BreakerPolicy = BreakerPolicy {
    failures: 5,
    recovery: Duration::from_secs(30),
};

/// The model in force. Shared by all workers, and changed while they work.
#[derive(Debug)]
pub struct Models {
    active: ArcSwapOption<Loaded>,
    breaker: Breaker,
}

impl Default for Models {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Models {
    /// Returns models of which this one is in force; without one, code is judged by people.
    pub fn new(active: Option<Loaded>) -> Self {
        Self {
            active: ArcSwapOption::from(active.map(Arc::new)),
            breaker: Breaker::new("ml_model", BREAKER),
        }
    }

    /// Returns the model in force, for as long as one batch needs it.
    pub fn active(&self) -> Option<Arc<Loaded>> {
        self.active.load_full()
    }

    /// Puts another model in force, from the next batch on.
    pub fn activate(&self, model: Option<Arc<Loaded>>) {
        self.active.store(model);
    }

    /// Returns the breaker before the model.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Takes the first look at a patch; `None` while the breaker is open, and if the model fails on it.
    pub fn first_look(
        &self,
        scorer: &mut Scorer,
        loaded: &Loaded,
        asked: &Asked<'_>,
        book: &Casebook,
    ) -> Option<Seen> {
        let permit = self.breaker.ask(Instant::now()).ok()?;
        match scorer.first_look(loaded, asked, book) {
            Ok(seen) => {
                permit.succeeded();
                Some(seen)
            }
            Err(error) => {
                permit.failed(Instant::now());
                error!(cve_id = asked.cve_id, model = loaded.digest(), %error, "judge: a person decides");
                None
            }
        }
    }
}
