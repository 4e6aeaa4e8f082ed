//! What the judge of code counts.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// Distances between two p.
const DISTANCES: &[f64] = &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// The metrics of models.
#[derive(Debug, Clone)]
pub struct ModelMetrics {
    looks: IntCounterVec,
    /// The same by finding, found once: each patch is counted.
    by_finding: Vec<(&'static str, IntCounter)>,
    pub(super) compared: IntCounterVec,
    pub(super) distance: Histogram,
    pub(super) in_force: IntGaugeVec,
    pub(super) psi: GaugeVec,
    pub(super) psi_cases: IntGauge,
    pub(super) unreadable: IntCounter,
    pub(super) missing: IntGauge,
}

impl ModelMetrics {
    /// Returns metrics that nobody scrapes yet.
    ///
    /// # Errors
    /// If a name is none.
    pub fn new() -> Result<Self, prometheus::Error> {
        let looks = IntCounterVec::new(
            Opts::new(
                "crisol_model_looks_total",
                "Patches that the model looked at, by finding",
            ),
            &["finding"],
        )?;
        let metrics = Self {
            by_finding: super::code::FINDINGS
                .into_iter()
                .map(|finding| (finding, looks.with_label_values(&[finding])))
                .collect(),
            looks,
            compared: IntCounterVec::new(
                Opts::new(
                    "crisol_model_shadow_total",
                    "Patches that active and shadow model looked at, by the finding of each",
                ),
                &["active", "shadow"],
            )?,
            distance: Histogram::with_opts(
                HistogramOpts::new(
                    "crisol_model_shadow_distance",
                    "Difference between p of active and shadow model",
                )
                .buckets(DISTANCES.to_vec()),
            )?,
            in_force: IntGaugeVec::new(
                Opts::new(
                    "crisol_model_in_force",
                    "1 for the digest of the model in each role",
                ),
                &["role", "digest"],
            )?,
            psi: GaugeVec::new(
                Opts::new(
                    "crisol_model_psi",
                    "Population stability index of a group of features, against the training rows; 0.25 and more is another population",
                ),
                &["group"],
            )?,
            psi_cases: IntGauge::new(
                "crisol_model_psi_cases",
                "Cases that crisol_model_psi is of",
            )?,
            unreadable: IntCounter::new(
                "crisol_model_unreadable_total",
                "Times a model's file changed into something that is no model; the one before stays in force",
            )?,
            missing: IntGauge::new(
                "crisol_model_missing",
                "1 while control asks for a model that this replica does not have; people judge code then",
            )?,
        };
        // An alert on a gauge that is not there yet is one on a name that may be wrong: it is there, and no number.
        for column in super::model::columns() {
            metrics.psi.with_label_values(&[column.group]).set(f64::NAN);
        }
        Ok(metrics)
    }

    /// Counts a look that found this.
    pub(super) fn looked(&self, finding: &str) {
        if let Some((_, count)) = self.by_finding.iter().find(|(known, _)| *known == finding) {
            count.inc();
        }
    }

    /// Lets a registry scrape them.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.looks.clone()))?;
        registry.register(Box::new(self.compared.clone()))?;
        registry.register(Box::new(self.distance.clone()))?;
        registry.register(Box::new(self.in_force.clone()))?;
        registry.register(Box::new(self.psi.clone()))?;
        registry.register(Box::new(self.psi_cases.clone()))?;
        registry.register(Box::new(self.unreadable.clone()))?;
        registry.register(Box::new(self.missing.clone()))
    }
}
