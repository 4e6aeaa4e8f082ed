//! What breakers tell.

use prometheus::{IntGaugeVec, Opts, Registry};

use crate::guard::breaker::{Breaker, Standing};

/// Gauges of all breakers of a process, set when they are scraped.
#[derive(Debug, Clone)]
pub struct BreakerMetrics {
    standing: IntGaugeVec,
    opened: IntGaugeVec,
}

impl BreakerMetrics {
    /// Registers the gauges: `crisol_breaker_standing` by `breaker` and `standing`, and
    /// `crisol_breaker_opened` by `breaker`.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            standing: IntGaugeVec::new(
                Opts::new(
                    "crisol_breaker_standing",
                    "1 for where a breaker stands: closed, half_open or open",
                ),
                &["breaker", "standing"],
            )?,
            opened: IntGaugeVec::new(
                Opts::new("crisol_breaker_opened", "How often a breaker has opened"),
                &["breaker"],
            )?,
        };
        registry.register(Box::new(metrics.standing.clone()))?;
        registry.register(Box::new(metrics.opened.clone()))?;
        Ok(metrics)
    }

    /// Sets the gauges of a breaker to where it stands now.
    pub fn observe(&self, breaker: &Breaker) {
        let now = breaker.standing();
        for standing in Standing::ALL {
            self.standing
                .with_label_values(&[breaker.name(), standing.as_str()])
                .set(i64::from(standing == now));
        }
        self.opened
            .with_label_values(&[breaker.name()])
            .set(i64::try_from(breaker.opened()).unwrap_or(i64::MAX));
    }
}
