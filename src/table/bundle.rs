//! The tables together: started, asked and measured as one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use crate::event::control::Control;
use crate::event::limits::EventLimits;
use crate::event::topic::Topic;
use crate::log::client::KafkaConfig;
use crate::log::table::{Table, TableError};
use crate::log::topics::TopicNames;
use crate::table::{
    ApvConfig, ApvTable, Comparisons, ControlTable, OpenItems, OpenItemsConfig, VerdictTable,
    VerdictsConfig,
};

/// Bounds of the tables.
#[derive(Debug, Clone, Default)]
pub struct TableBounds {
    /// Of the APV table.
    pub apv: ApvConfig,
    /// Of the open items.
    pub items: OpenItemsConfig,
    /// Of the verdicts.
    pub verdicts: VerdictsConfig,
}

/// What judging looks things up in. The readers are `None` where facts come from a file.
pub struct Tables {
    /// What is known of each CVE.
    pub apv: Arc<ApvTable>,
    /// The settings in force.
    pub control: Arc<ControlTable>,
    /// What people still have before them.
    pub open_items: Arc<OpenItems>,
    /// Earlier candidates for each CVE.
    pub verdicts: Arc<VerdictTable>,
    /// What samples say of the judges.
    pub comparisons: Arc<Comparisons>,
    tails: Option<Tails>,
}

struct Tails {
    shared: Arc<SharedTails>,
    open_items: Table,
}

struct SharedTails {
    apv: Table,
    control: Table,
    verdicts: Table,
    comparisons: Table,
}

impl Tails {
    fn all(&self) -> [&Table; 5] {
        let SharedTails {
            apv,
            control,
            verdicts,
            comparisons,
        } = &*self.shared;
        [control, apv, &self.open_items, verdicts, comparisons]
    }
}

/// Gauges of the tables, set when they are scraped.
pub struct TableMetrics {
    entries: IntGaugeVec,
    records: IntGaugeVec,
    bad: IntGaugeVec,
    ready: IntGaugeVec,
    kill_switch: IntGauge,
    control_version: IntGauge,
}

impl Tables {
    /// Returns empty tables that nothing feeds but their own `apply`.
    pub fn detached(bounds: &TableBounds, limits: &EventLimits) -> Self {
        Self {
            apv: Arc::new(ApvTable::new(bounds.apv.clone(), limits.clone())),
            control: Arc::new(ControlTable::default()),
            open_items: Arc::new(OpenItems::new(bounds.items.clone(), limits.clone())),
            verdicts: Arc::new(VerdictTable::new(&bounds.verdicts, limits.clone())),
            comparisons: Arc::new(Comparisons::new(limits.clone())),
            tails: None,
        }
    }

    /// Returns tables that tail their topics from now on.
    ///
    /// # Errors
    /// [`TableError`] if a reader cannot start.
    pub fn tail(
        kafka: &KafkaConfig,
        names: &TopicNames,
        bounds: &TableBounds,
        limits: &EventLimits,
    ) -> Result<Self, TableError> {
        let mut tables = Self::detached(bounds, limits);
        let start = |topic: Topic, sink| {
            Table::start(
                kafka,
                names.of(topic).to_owned(),
                names.partitions(topic),
                sink,
            )
        };
        let comparisons = Arc::clone(&tables.comparisons);
        let (apv, control, items, verdicts) = (
            Arc::clone(&tables.apv),
            Arc::clone(&tables.control),
            Arc::clone(&tables.open_items),
            Arc::clone(&tables.verdicts),
        );
        tables.tails = Some(Tails {
            shared: Arc::new(SharedTails {
                apv: start(
                    Topic::Apv,
                    Box::new(move |_, key, value| apv.apply(key, value)),
                )?,
                control: start(
                    Topic::Control,
                    Box::new(move |at, key, value| control.apply(at, key, value)),
                )?,
                verdicts: start(
                    Topic::Verdicts,
                    Box::new(move |_, key, value| verdicts.apply(key, value)),
                )?,
                comparisons: start(
                    Topic::Comparisons,
                    Box::new(move |_, _, value| comparisons.apply(value)),
                )?,
            }),
            open_items: start(
                Topic::HitlOpen,
                Box::new(move |_, key, value| items.apply(key, value)),
            )?,
        });
        Ok(tables)
    }

    /// Returns the same tables for another role of the process, but for the open items: what one role is about to put
    /// there is forgotten by partitions of its own input.
    ///
    /// # Errors
    /// [`TableError`] if their reader cannot start.
    pub fn beside(
        &self,
        kafka: &KafkaConfig,
        names: &TopicNames,
        bounds: &TableBounds,
        limits: &EventLimits,
    ) -> Result<Self, TableError> {
        let open_items = Arc::new(OpenItems::new(bounds.items.clone(), limits.clone()));
        let tails = match &self.tails {
            None => None,
            Some(tails) => {
                let items = Arc::clone(&open_items);
                Some(Tails {
                    shared: Arc::clone(&tails.shared),
                    open_items: Table::start(
                        kafka,
                        names.of(Topic::HitlOpen).to_owned(),
                        names.partitions(Topic::HitlOpen),
                        Box::new(move |_, key, value| items.apply(key, value)),
                    )?,
                })
            }
        };
        Ok(Self {
            apv: Arc::clone(&self.apv),
            control: Arc::clone(&self.control),
            open_items,
            verdicts: Arc::clone(&self.verdicts),
            comparisons: Arc::clone(&self.comparisons),
            tails,
        })
    }

    /// Returns whether every table has been read to its end once.
    pub fn is_ready(&self) -> bool {
        let tails = self.tails.as_ref();
        tails.is_none_or(|tails| tails.all().into_iter().all(Table::is_ready))
    }

    /// Returns what keeps the tables from being ready, in words for probes; empty if nothing does.
    pub fn not_ready(&self) -> Vec<&'static str> {
        if self.is_ready() {
            Vec::new()
        } else {
            vec!["catching up"]
        }
    }

    /// Waits until every table has been read to its end once.
    ///
    /// # Errors
    /// [`TableError::Stale`] names the table that did not get there within `limit`.
    pub fn wait_ready(&self, limit: Duration) -> Result<(), TableError> {
        let tails = self.tails.iter().flat_map(Tails::all);
        for table in tails {
            table.wait_ready(limit)?;
        }
        Ok(())
    }

    /// Returns the settings as of now.
    pub fn control_snapshot(&self) -> Arc<Control> {
        self.control.snapshot()
    }

    /// Waits until the APV table has read what its topic holds now.
    ///
    /// # Errors
    /// [`TableError`] if it cannot within `limit`.
    pub fn catch_up_apv(&self, limit: Duration) -> Result<(), TableError> {
        self.tails
            .as_ref()
            .map_or(Ok(()), |tails| tails.shared.apv.catch_up(limit))
    }

    /// Waits until the settings have been read to the end of their topic as of now.
    ///
    /// # Errors
    /// [`TableError`] if they cannot be within `limit`.
    pub fn catch_up_control(&self, limit: Duration) -> Result<(), TableError> {
        self.tails
            .as_ref()
            .map_or(Ok(()), |tails| tails.shared.control.catch_up(limit))
    }

    /// Waits until the table of open items has read what its topic holds now.
    ///
    /// # Errors
    /// [`TableError`] if it cannot within `limit`.
    pub fn catch_up_open_items(&self, limit: Duration) -> Result<(), TableError> {
        self.tails
            .as_ref()
            .map_or(Ok(()), |tails| tails.open_items.catch_up(limit))
    }
}

impl TableMetrics {
    /// Registers the gauges: `crisol_table_{entries,records,bad_records,ready}` by `table`.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &["table"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let setting = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            entries: gauge("crisol_table_entries", "Entries a table holds")?,
            records: gauge(
                "crisol_table_records",
                "Records a table has read since the start",
            )?,
            bad: gauge(
                "crisol_table_bad_records",
                "Records a table could not read since the start",
            )?,
            ready: gauge(
                "crisol_table_ready",
                "Whether a table has been read to its end once",
            )?,
            kill_switch: setting(
                "crisol_kill_switch",
                "1 while the kill switch stops every approval, as this replica knows it",
            )?,
            control_version: setting(
                "crisol_control_version",
                "The version of the settings that this replica obeys",
            )?,
        })
    }

    /// Sets the gauges from the tables.
    pub fn observe(&self, tables: &Tables) {
        let control = tables.control_snapshot();
        self.kill_switch.set(i64::from(control.kill_switch));
        self.control_version.set(control.version);
        let counts: usize = control.evidence.values().map(BTreeMap::len).sum();
        let switches = [
            control.kill_switch,
            control.auto_approve.is_some(),
            control.policy_version.is_some(),
            control.ab_enabled.is_some(),
            control.ab_rate.is_some(),
            control.model_active.is_some(),
            control.model_shadow.is_some(),
        ];
        let settings = counts + switches.into_iter().filter(|set| *set).count();
        let rows = [
            (
                "apv",
                tables.apv.len(),
                tables.tails.as_ref().map(|t| &t.shared.apv),
            ),
            (
                "control",
                settings,
                tables.tails.as_ref().map(|t| &t.shared.control),
            ),
            (
                "hitl_open",
                tables.open_items.len(),
                tables.tails.as_ref().map(|t| &t.open_items),
            ),
            (
                "verdicts",
                tables.verdicts.len(),
                tables.tails.as_ref().map(|t| &t.shared.verdicts),
            ),
            (
                "comparisons",
                tables.comparisons.len(),
                tables.tails.as_ref().map(|t| &t.shared.comparisons),
            ),
        ];
        for (name, entries, tail) in rows {
            let set = |gauge: &IntGaugeVec, value: u64| {
                gauge
                    .with_label_values(&[name])
                    .set(i64::try_from(value).unwrap_or(i64::MAX));
            };
            set(&self.entries, entries as u64);
            let (records, bad) = tail.map_or((0, 0), Table::counts);
            set(&self.records, records);
            set(&self.bad, bad);
            set(&self.ready, u64::from(tail.is_none_or(Table::is_ready)));
        }
    }
}
