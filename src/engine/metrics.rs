//! What the engine counts. Everything about records counts committed ones only.

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use rdkafka::statistics::Statistics;

use crate::event::reason::Reason;
use crate::event::record::Handled;
use crate::ledger::Counts;
use crate::log::statistics::Latest;

/// Seconds from a record's timestamp to its commit.
const LATENCY_BUCKETS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];
/// Seconds a transaction takes.
const COMMIT_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0,
];

/// The engine's metrics.
#[derive(Clone)]
pub struct EngineMetrics {
    outcomes: IntCounterVec,
    ledger: IntCounterVec,
    latency: Histogram,
    transactions: IntCounterVec,
    commit_seconds: Histogram,
    ab_sampled: IntCounter,
    in_flight_records: IntGaugeVec,
    in_flight_bytes: IntGaugeVec,
    lag: IntGaugeVec,
    committed: IntGaugeVec,
    rebalances: IntCounterVec,
    refused_completions: IntCounter,
    quarantined: IntGauge,
    paused: IntGauge,
    halted: IntGaugeVec,
    client: IntGaugeVec,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Committed.
    Committed,
    /// Aborted; the partitions were rewound.
    Aborted,
    /// Its producer was replaced; the partitions were rewound.
    Replaced,
}

impl EngineMetrics {
    /// Registers the engine's metrics, with the role that it runs as a label.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(registry: &Registry, role: &str) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("role", role);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(opts(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauge = IntGaugeVec::new(opts(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help)
                .buckets(buckets.to_vec())
                .const_label("role", role);
            let histogram = Histogram::with_opts(options)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let refused_completions = IntCounter::with_opts(opts(
            "crisol_refused_completions_total",
            "Finished batches refused because their assignment had ended",
        ))?;
        registry.register(Box::new(refused_completions.clone()))?;
        let ab_sampled = IntCounter::with_opts(opts(
            "crisol_ab_sampled_total",
            "Committed outcomes in the sample for A/B comparisons",
        ))?;
        registry.register(Box::new(ab_sampled.clone()))?;
        let quarantined = IntGauge::with_opts(opts(
            "crisol_quarantined_partitions",
            "Partitions stepped through record by record because earlier starts died there",
        ))?;
        registry.register(Box::new(quarantined.clone()))?;
        let paused = IntGauge::with_opts(opts(
            "crisol_paused_partitions",
            "Partitions that stayed full and are not fetched until they have room",
        ))?;
        registry.register(Box::new(paused.clone()))?;
        let outcomes = counters(
            "crisol_outcomes_total",
            "Committed records by disposition and reason",
            &["disposition", "reason"],
        )?;
        // A counter that first shows itself as 1 has not increased for Prometheus, and no alert goes off.
        for reason in Reason::ALL {
            outcomes.with_label_values(&outcome_labels(*reason));
        }
        Ok(Self {
            outcomes,
            ledger: counters(
                "crisol_ledger_records_total",
                "Committed records by partition: entry is taken, decided, queued, wargame, compared or dead; taken is the sum of the others",
                &["partition", "entry"],
            )?,
            latency: histogram(
                "crisol_latency_seconds",
                "Time from a record's timestamp to the commit of its outcome",
                LATENCY_BUCKETS,
            )?,
            transactions: counters(
                "crisol_transactions_total",
                "Transactions by how they ended: committed, aborted, replaced",
                &["ended"],
            )?,
            commit_seconds: histogram(
                "crisol_transaction_seconds",
                "Time from begin to the end of a committed transaction",
                COMMIT_BUCKETS,
            )?,
            in_flight_records: gauges(
                "crisol_in_flight_records",
                "Records polled and not yet committed",
                &["partition"],
            )?,
            in_flight_bytes: gauges(
                "crisol_in_flight_bytes",
                "Bytes polled and not yet committed",
                &["partition"],
            )?,
            lag: gauges(
                "crisol_lag_records",
                "Records between the committed offset and the last stable offset",
                &["partition"],
            )?,
            committed: gauges(
                "crisol_committed_offset",
                "The committed offset",
                &["partition"],
            )?,
            rebalances: counters(
                "crisol_rebalances_total",
                "Changes of assignment: assigned, revoked, lost",
                &["kind"],
            )?,
            refused_completions,
            ab_sampled,
            quarantined,
            paused,
            halted: gauges(
                "crisol_partition_halted",
                "1 while a partition is halted by a flood of bad records, until crisol dlq resume",
                &["partition"],
            )?,
            client: gauges(
                "crisol_librdkafka",
                "The client library's own figures, of the newest second: client is consumer or producer",
                &["client", "figure"],
            )?,
        })
    }

    /// Counts the outcomes of a partition whose transaction is committed.
    pub fn committed(&self, partition: i32, handled: &[Handled], counts: &Counts, next: i64) {
        // A run has few reasons; looking a counter up takes longer than counting.
        let mut reasons: Vec<(Reason, u64)> = Vec::new();
        for outcome in handled {
            match reasons
                .iter_mut()
                .find(|(known, _)| *known == outcome.reason)
            {
                Some((_, count)) => *count += 1,
                None => reasons.push((outcome.reason, 1)),
            }
        }
        let sampled = handled.iter().filter(|outcome| outcome.ab_sampled).count();
        self.ab_sampled.inc_by(sampled as u64);
        for (reason, count) in reasons {
            self.outcomes
                .with_label_values(&outcome_labels(reason))
                .inc_by(count);
        }
        let label = partition.to_string();
        for (entry, value) in [
            ("taken", counts.taken),
            ("decided", counts.decided),
            ("queued", counts.queued),
            ("wargame", counts.wargame),
            ("compared", counts.compared),
            ("dead", counts.dead),
        ] {
            self.ledger
                .with_label_values(&[label.as_str(), entry])
                .inc_by(value);
        }
        self.committed
            .with_label_values(&[label.as_str()])
            .set(next);
    }

    /// Records how long a record took from its timestamp to its commit.
    pub fn latency_ms(&self, milliseconds: i64) {
        self.latency.observe(milliseconds.max(0) as f64 / 1_000.0);
    }

    /// Counts the end of a transaction and, if it was committed, its duration.
    pub fn transaction(&self, ended: Ended, seconds: f64) {
        let label = match ended {
            Ended::Committed => "committed",
            Ended::Aborted => "aborted",
            Ended::Replaced => "replaced",
        };
        self.transactions.with_label_values(&[label]).inc();
        if ended == Ended::Committed {
            self.commit_seconds.observe(seconds);
        }
    }

    /// Counts a change of assignment.
    pub fn rebalance(&self, kind: &str) {
        self.rebalances.with_label_values(&[kind]).inc();
    }

    /// Counts a finished batch of an assignment that has ended.
    pub fn refused_completion(&self) {
        self.refused_completions.inc();
    }

    /// Sets how many partitions are stepped through.
    pub fn quarantined(&self, partitions: usize) {
        self.quarantined
            .set(i64::try_from(partitions).unwrap_or(i64::MAX));
    }

    /// Sets how many partitions are paused.
    pub fn paused(&self, partitions: usize) {
        self.paused
            .set(i64::try_from(partitions).unwrap_or(i64::MAX));
    }

    /// Sets whether a partition is halted.
    pub fn halted(&self, partition: i32, halted: bool) {
        self.halted
            .with_label_values(&[partition.to_string()])
            .set(i64::from(halted));
    }

    /// Sets what a partition has in flight.
    pub fn in_flight(&self, partition: i32, records: usize, bytes: usize) {
        let label = partition.to_string();
        for (gauge, value) in [
            (&self.in_flight_records, records),
            (&self.in_flight_bytes, bytes),
        ] {
            gauge
                .with_label_values(&[label.as_str()])
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Forgets the gauges of a partition that belongs to another replica now.
    pub fn gone(&self, partition: i32) {
        let label = partition.to_string();
        for gauge in [
            &self.in_flight_records,
            &self.in_flight_bytes,
            &self.lag,
            &self.committed,
            &self.halted,
        ] {
            // An absent row is as good as a removed one.
            let _ = gauge.remove_label_values(&[label.as_str()]);
        }
    }

    /// Sets the lag of each owned partition and the client's own figures, once for every set of
    /// statistics. `owned` tells each partition's committed offset.
    pub fn observe_clients(
        &self,
        topic: &str,
        consumer: &Latest,
        producer: &Latest,
        owned: impl Iterator<Item = (i32, i64)>,
    ) {
        if let Some(statistics) = consumer.lock().take() {
            self.client_figures("consumer", &statistics);
            for (partition, committed) in owned {
                let figures = statistics
                    .topics
                    .get(topic)
                    .and_then(|topic| topic.partitions.get(&partition));
                if let Some(figures) = figures.filter(|figures| figures.ls_offset >= 0) {
                    self.lag
                        .with_label_values(&[partition.to_string()])
                        .set((figures.ls_offset - committed).max(0));
                }
            }
        }
        if let Some(statistics) = producer.lock().take() {
            self.client_figures("producer", &statistics);
        }
    }

    fn client_figures(&self, client: &str, statistics: &Statistics) {
        let (errors, timeouts, up) = statistics.brokers.values().fold((0, 0, 0), |sum, broker| {
            (
                sum.0 + broker.txerrs + broker.rxerrs,
                sum.1 + broker.req_timeouts,
                sum.2 + u64::from(broker.state == "UP"),
            )
        });
        for (figure, value) in [
            ("messages_in_queue", statistics.msg_cnt),
            ("bytes_in_queue", statistics.msg_size),
            (
                "ops_in_queue",
                u64::try_from(statistics.replyq).unwrap_or(0),
            ),
            (
                "bytes_sent",
                u64::try_from(statistics.tx_bytes).unwrap_or(0),
            ),
            (
                "bytes_received",
                u64::try_from(statistics.rx_bytes).unwrap_or(0),
            ),
            ("request_errors", errors),
            ("request_timeouts", timeouts),
            ("brokers_up", up),
        ] {
            self.client
                .with_label_values(&[client, figure])
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }
}

fn outcome_labels(reason: Reason) -> [&'static str; 2] {
    [reason.disposition().as_str(), reason.as_str()]
}
