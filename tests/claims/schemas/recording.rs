//! Events written by the real pipeline over the examples of its inputs.

use std::sync::Arc;

use crisol::diff::DiffLimits;
use crisol::event::limits::EventLimits;
use crisol::event::record::{Batch, Record};
use crisol::event::topic::Topic;
use crisol::judge::code::Loaded;
use crisol::judge::models::Models;
use crisol::log::source::Coordinates;
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::policy::RiskConfig;
use crisol::table::{TableBounds, Tables};
use serde_json::Value;

use crate::judgement::shipped_with;

use super::examples;

/// Too few bytes for an item that carries the diff of the long example.
const LITTLE_ROOM: usize = 4_000;

/// An event with the name of the input that caused it.
pub(super) struct Event {
    pub topic: Topic,
    pub name: String,
    pub value: Value,
}

/// Returns what the pipeline writes for every example of `patches`, with room for every diff and
/// again with little, and once more with a forest that refuses all code.
pub(super) fn events() -> Vec<Event> {
    let mut events = run(&PipelineConfig::default(), None);
    let little = PipelineConfig {
        max_output_bytes: LITTLE_ROOM,
        ..PipelineConfig::default()
    };
    let omitted = |event: &Event| event.value["patch"].get("omitted").is_some();
    for mut event in run(&little, None).into_iter().filter(omitted) {
        event.name.push_str("-omitted");
        events.push(event);
    }
    let judged = |event: &Event| {
        event.topic == Topic::Verdicts || event.value["facts"]["judgement"]["judge"] == "forest"
    };
    let refusing = Loaded::read(&shipped_with(2.0, 1.0)).unwrap();
    let forest = run(
        &PipelineConfig::default(),
        Some(Models::of(Some(refusing)).unwrap()),
    );
    for mut event in forest.into_iter().filter(judged) {
        event.name.push_str("-forest");
        events.push(event);
    }
    events
}

fn run(config: &PipelineConfig, models: Option<Models>) -> Vec<Event> {
    let limits = EventLimits::default();
    let pipeline = Pipeline::new(
        Arc::new(tables(&limits)),
        config.clone(),
        limits,
        DiffLimits::default(),
        RiskConfig::default(),
        || 1_767_225_600_000,
    );
    let pipeline = match models {
        Some(models) => pipeline.with_models(Arc::new(models)),
        None => pipeline,
    };
    let inputs = examples(Topic::Patches);
    let mut names: Vec<String> = inputs.iter().map(|(path, _)| stem(path)).collect();
    let mut records: Vec<Record> = (0..)
        .zip(&inputs)
        .map(|(offset, (_, value))| record(offset, value.to_string().into_bytes()))
        .collect();
    names.push("broken".to_owned());
    records.push(record(records.len() as i64, b"{\"patch_id\":".to_vec()));
    let batch = Batch {
        topic: Arc::from("maximus.adaptive-immunity.patches"),
        partition: 0,
        records,
    };
    let handled = pipeline.handle(&batch);
    assert_eq!(handled.len(), batch.records.len());
    let mut events = Vec::new();
    for ((name, record), outcome) in names.iter().zip(&batch.records).zip(handled) {
        for output in outcome.outputs {
            if output.topic == Topic::Dlq {
                // A letter is foreign bytes, so it has no schema: it is what came in.
                assert_eq!(output.value, record.value, "{name}");
                continue;
            }
            events.push(Event {
                topic: output.topic,
                name: name.clone(),
                value: serde_json::from_slice(&output.value.unwrap()).unwrap(),
            });
        }
    }
    events
}

/// Returns tables that hold the examples of `apv` and `control`; a control file is named by its key.
fn tables(limits: &EventLimits) -> Tables {
    let tables = Tables::detached(&TableBounds::default(), limits);
    for (path, value) in examples(Topic::Apv) {
        let value = value.to_string();
        tables
            .apv
            .apply(None, Some(value.as_bytes()))
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    for (offset, (path, value)) in (0..).zip(examples(Topic::Control)) {
        let at = Coordinates {
            partition: 0,
            offset,
        };
        let (key, value) = (stem(&path), value.to_string());
        tables
            .control
            .apply(at, Some(key.as_bytes()), Some(value.as_bytes()))
            .unwrap();
    }
    tables
}

fn record(offset: i64, value: Vec<u8>) -> Record {
    Record {
        offset,
        timestamp_ms: 1_767_225_599_900,
        value: Some(value),
        ..Record::default()
    }
}

fn stem(path: &std::path::Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
