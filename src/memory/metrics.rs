//! What memory counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

/// Seconds that a batch waits for memory.
const RECALL_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05,
];

/// What became of a question to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// Something was known.
    Hit,
    /// Nothing was.
    Miss,
    /// What stood there was written by somebody without the key.
    Forged,
    /// Memory did not answer.
    Failed,
    /// The breaker was open.
    Skipped,
}

impl Recall {
    /// Everything that may become of one.
    pub const ALL: [Self; 5] = [
        Self::Hit,
        Self::Miss,
        Self::Forged,
        Self::Failed,
        Self::Skipped,
    ];

    /// Returns the word used in metrics and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Forged => "forged",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The metrics of exact memory.
#[derive(Clone)]
pub struct MemoryMetrics {
    recalls: IntCounterVec,
    written: IntCounter,
    dropped: IntCounter,
    seconds: Histogram,
}

impl MemoryMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            recalls: IntCounterVec::new(
                Opts::new(
                    "crisol_memory_recalls_total",
                    "Questions to exact memory by result: hit, miss, forged, failed, skipped",
                ),
                &["result"],
            )?,
            written: IntCounter::new(
                "crisol_memory_writes_total",
                "Judgements handed to memory after their commit",
            )?,
            dropped: IntCounter::new(
                "crisol_memory_writes_dropped_total",
                "Judgements that memory did not take on",
            )?,
            seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "crisol_memory_recall_seconds",
                    "Time a batch waits for exact memory",
                )
                .buckets(RECALL_BUCKETS.to_vec()),
            )?,
        };
        registry.register(Box::new(metrics.recalls.clone()))?;
        registry.register(Box::new(metrics.written.clone()))?;
        registry.register(Box::new(metrics.dropped.clone()))?;
        registry.register(Box::new(metrics.seconds.clone()))?;
        Ok(metrics)
    }

    pub(super) fn recalled(&self, result: Recall, count: usize) {
        self.recalls
            .with_label_values(&[result.as_str()])
            .inc_by(count as u64);
    }

    /// Returns the questions so far that ended so.
    pub(super) fn count(&self, result: Recall) -> u64 {
        self.recalls.with_label_values(&[result.as_str()]).get()
    }

    pub(super) fn waited(&self, seconds: f64) {
        self.seconds.observe(seconds);
    }

    pub(super) fn remembered(&self, taken: usize, of: usize) {
        self.written.inc_by(taken as u64);
        self.dropped.inc_by(of.saturating_sub(taken) as u64);
    }
}
