//! Memory changes no outcome: with it and without it every event has the same one, whatever has changed
//! since it learned.

use std::sync::Arc;

use crisol::diff::DiffLimits;
use crisol::event::limits::EventLimits;
use crisol::event::record::{Batch, Record};
use crisol::log::source::Coordinates;
use crisol::memory::{ExactMemory, MemoryConfig, MemoryMetrics};
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::policy::RiskConfig;
use crisol::table::{TableBounds, Tables};
use prometheus::Registry;
use serde_json::{Value, json};

use crate::oracle::{Generator, World};

struct Side {
    tables: Arc<Tables>,
    pipeline: Pipeline,
    registry: Registry,
}

fn side(world: &World, remembers: bool, risk: RiskConfig) -> Side {
    let limits = EventLimits::default();
    let tables = Arc::new(Tables::detached(&TableBounds::default(), &limits));
    let registry = Registry::new();
    let pipeline = Pipeline::new(
        Arc::clone(&tables),
        PipelineConfig::default(),
        limits,
        DiffLimits::default(),
        risk,
        || 0,
    );
    let metrics = MemoryMetrics::register(&registry).unwrap();
    let memory = Arc::new(ExactMemory::in_process(&MemoryConfig::default(), metrics));
    let side = Side {
        tables,
        pipeline: if remembers {
            pipeline.with_memory(memory)
        } else {
            pipeline
        },
        registry,
    };
    for record in &world.apv {
        side.know(record.key.as_bytes(), record.value.as_deref());
    }
    for (offset, record) in (0..).zip(&world.control) {
        side.control(offset, &record.key, record.value.as_deref());
    }
    side
}

impl Side {
    fn know(&self, key: &[u8], value: Option<&[u8]>) {
        // Some of the world's records are bad on purpose.
        let _ = self.tables.apv.apply(Some(key), value);
    }

    fn control(&self, offset: i64, key: &str, value: Option<&[u8]>) {
        let at = Coordinates {
            partition: 0,
            offset,
        };
        self.tables
            .control
            .apply(at, Some(key.as_bytes()), value)
            .unwrap();
    }

    /// Judges a batch, remembers it, and returns what came out without the marks of repeats; and how
    /// many of those there were.
    fn judge(&self, batch: &Batch) -> (Vec<Option<Value>>, usize) {
        let mut handled = self.pipeline.handle(batch);
        let memos = handled.iter_mut().filter_map(|h| h.memo.take()).collect();
        self.pipeline.remember(memos);
        let mut marks = 0;
        let events = handled
            .iter()
            .flat_map(|handled| &handled.outputs)
            .map(|output| {
                let mut event: Value = serde_json::from_slice(output.value.as_deref()?).ok()?;
                if let Some(object) = event.as_object_mut() {
                    let mark = object.remove("repeat").unwrap_or_default();
                    marks += usize::from(!mark.is_null());
                }
                Some(event)
            })
            .collect();
        (events, marks)
    }

    fn recalls(&self, result: &str) -> u64 {
        let families = self.registry.gather();
        let family = families
            .iter()
            .find(|f| f.name() == "crisol_memory_recalls_total");
        family
            .into_iter()
            .flat_map(|f| f.get_metric())
            .filter(|m| m.get_label().iter().any(|l| l.value() == result))
            .map(|m| m.get_counter().get_value() as u64)
            .sum()
    }
}

/// The same events at later and later offsets, as producers repeat them.
fn batch(world: &World, turn: i64) -> Batch {
    let events = Generator::new(world, "truth", 11).take(1_500);
    Batch {
        topic: Arc::from("patches"),
        partition: 0,
        records: (turn * 1_500..)
            .zip(events)
            .map(|(offset, event)| Record {
                offset,
                key: event.key,
                value: event.value,
                ..Record::default()
            })
            .collect(),
    }
}

#[test]
fn no_outcome_depends_on_what_memory_holds_whatever_changes() {
    let world = World::generate(11, 60);
    let (with, without) = (
        side(&world, true, RiskConfig::default()),
        side(&world, false, RiskConfig::default()),
    );
    let mut turn = 0;
    let mut same = |what: &str| {
        let batch = batch(&world, turn);
        turn += 1;
        let hits = with.recalls("hit");
        let (ours, marks) = with.judge(&batch);
        let (plain, _) = without.judge(&batch);
        assert_eq!(ours, plain, "after {what}");
        (with.recalls("hit") - hits, marks)
    };
    assert_eq!(same("nothing"), (0, 0));
    let (all, marks) = same("a repeat");
    assert!(all > 500, "{all} hits");
    assert_eq!(marks as u64, all, "what is found is a repeat");

    // Evidence is of now, whatever is remembered.
    let both = |offset: i64, key: &str, value: Option<&Value>| {
        let bytes = value.map(|v| v.to_string().into_bytes());
        for side in [&with, &without] {
            side.control(offset, key, bytes.as_deref());
        }
    };
    both(
        1_000,
        "evidence.advisory.patch.t",
        Some(&json!({"agreed": 0, "n": 100_000})),
    );
    assert_eq!(same("evidence against").0, all);
    both(1_001, "evidence.advisory.patch.t", None);
    both(1_002, "kill_switch", Some(&json!(true)));
    assert_eq!(same("the kill switch").0, all);
    both(1_003, "kill_switch", Some(&json!(false)));

    // Other facts: what was learned under the old ones is never found again.
    let mut changed = 0;
    for record in &world.apv {
        let Some(mut apv) = record
            .value
            .as_deref()
            .and_then(|value| serde_json::from_slice::<Value>(value).ok())
        else {
            continue;
        };
        if apv["affected_packages"]
            .as_array()
            .is_none_or(Vec::is_empty)
        {
            continue;
        }
        // Nothing is fixed any more.
        for package in apv["affected_packages"].as_array_mut().unwrap() {
            package["fixed_versions"] = json!([]);
        }
        apv["modified"] = json!("2031-01-01T00:00:00Z");
        let bytes = apv.to_string().into_bytes();
        for side in [&with, &without] {
            side.know(record.key.as_bytes(), Some(&bytes));
        }
        changed += 1;
    }
    assert!(changed > 30);
    assert_eq!(same("a change of every APV").0, 0);
    assert!(same("a repeat under new facts").0 > 500);
    for record in &world.apv {
        for side in [&with, &without] {
            side.know(record.key.as_bytes(), None);
        }
    }
    assert_eq!(same("the withdrawal of every APV").0, 0);
}

#[test]
fn other_settings_of_patch_risk_do_not_meet_old_judgements() {
    let world = World::generate(11, 60);
    let strict = RiskConfig {
        medium_changed_lines: 1,
        high_changed_lines: 1,
        ..RiskConfig::default()
    };
    let (lax, strict) = (
        side(&world, true, RiskConfig::default()),
        side(&world, true, strict),
    );
    let keys = |side: &Side| -> Vec<String> {
        let handled = side.pipeline.handle(&batch(&world, 0));
        let memos = handled.into_iter().filter_map(|handled| handled.memo);
        memos.map(|memo| memo.key).collect()
    };
    let (old, new) = (keys(&lax), keys(&strict));
    assert!(old.len() > 500);
    assert_eq!(old.len(), new.len());
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
}
