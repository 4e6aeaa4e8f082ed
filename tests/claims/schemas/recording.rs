//! Events written by the real pipeline over the examples of its inputs.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use crisol::arena::{
    Bounds, Ended, Outcome, Phase, Report, Ring, RunReport, SandboxConfig, TargetsConfig,
};
use crisol::config::SecretKey;
use crisol::diff::DiffLimits;
use crisol::event::limits::EventLimits;
use crisol::event::record::{Batch, Record};
use crisol::event::topic::Topic;
use crisol::event::verdict::WargameVerdict;
use crisol::exploit::{Catalogue, Strength};
use crisol::judge::code::Loaded;
use crisol::judge::models::Models;
use crisol::log::source::Coordinates;
use crisol::pipeline::wargame::{WargameParts, WargamePipeline};
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::policy::{AbConfig, RiskConfig, Sampler};
use crisol::stage::fight::Fought;
use crisol::table::{TableBounds, Tables};
use serde_json::Value;

use crate::judgement::shipped_with;

use super::examples;

/// Too few bytes for an item that carries the diff of the long example.
const LITTLE_ROOM: usize = 4_000;

/// An exploit that is never run here.
const EXPLOIT: &str = "
schema: crisol.exploit/v1
id: CVE-0
info: {title: an example, cve: CVE-0, license: MIT}
target: {kind: library, source: app, runtime: python}
exploit:
  run: 'true'
  variants: [literal]
  matchers: [{type: word, words: [x]}]
  complete: {delivered: d, done: d, status: [0]}
benign:
- {id: works, run: 'true', matchers: [{type: status, status: [0]}]}
";

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
    events.extend(tried());
    events
}

/// Returns the requests for wargames that the pipeline writes where there is an exploit, and what is written once they
/// are over: as it is found that the patch works, and that it does not.
fn tried() -> Vec<Event> {
    let directory = tempfile::tempdir().unwrap();
    let cves: BTreeSet<String> = examples(Topic::Patches)
        .iter()
        .map(|(_, value)| value["cve_id"].as_str().unwrap().to_owned())
        .collect();
    for cve_id in &cves {
        let exploit = directory.path().join(cve_id);
        fs::create_dir(&exploit).unwrap();
        fs::write(
            exploit.join("exploit.yaml"),
            EXPLOIT.replace("CVE-0", cve_id),
        )
        .unwrap();
    }
    let (catalogue, flawed) = Catalogue::open(directory.path()).unwrap();
    assert!(flawed.is_empty(), "{flawed:?}");
    let catalogue = Arc::new(catalogue);
    let all = AbConfig {
        enabled: true,
        rate: 1.0,
    };
    let sampler = Sampler::new(&SecretKey::of_this_process());
    let asked = run_with(&PipelineConfig::default(), |pipeline| {
        pipeline
            .with_exploits(Arc::clone(&catalogue))
            .with_sampling(sampler, all)
    });
    let asked: Vec<Event> = asked
        .into_iter()
        .filter(|event| event.topic == Topic::Wargames)
        .collect();
    let mut events = Vec::new();
    for verdict in [WargameVerdict::Mitigated, WargameVerdict::StillExploitable] {
        events.extend(concluded(&asked, &catalogue, verdict));
    }
    events.extend(asked);
    events
}

fn concluded(asked: &[Event], catalogue: &Arc<Catalogue>, verdict: WargameVerdict) -> Vec<Event> {
    let limits = EventLimits::default();
    let pipeline = WargamePipeline::new(WargameParts {
        sources: Default::default(),
        tables: Arc::new(tables(&limits)),
        config: PipelineConfig::default(),
        limits,
        diffs: DiffLimits::default(),
        risk: RiskConfig::default(),
        clock: || 1_767_225_600_000,
        models: Arc::new(Models::of(None).unwrap()),
        catalogue: Arc::clone(catalogue),
        ring: Arc::new(Ring::new(
            SandboxConfig::default(),
            TargetsConfig::default(),
        )),
    });
    let mut events = Vec::new();
    for (offset, request) in (0..).zip(asked) {
        let record = record(offset, request.value.to_string().into_bytes());
        let batch = Batch {
            topic: Arc::from("maximus.adaptive-immunity.wargames"),
            partition: 0,
            records: vec![record.clone()],
        };
        let exploit = request.value["exploits"][0].as_str().unwrap();
        let fought = Fought::Held(vec![report(exploit, verdict)]);
        let handled = pipeline.conclude(&batch, &record, &fought);
        let found = serde_json::to_value(verdict).unwrap();
        for output in handled.outputs {
            // A tombstone of an open item has none.
            let Some(value) = output.value else { continue };
            events.push(Event {
                topic: output.topic,
                name: format!("{}-{}", request.name, found.as_str().unwrap()),
                value: serde_json::from_slice(&value).unwrap(),
            });
        }
    }
    events
}

fn report(exploit: &str, verdict: WargameVerdict) -> Report {
    let run = |phase, outcome| RunReport {
        phase,
        name: "literal".to_owned(),
        outcome,
        strength: (outcome == Outcome::Exploited).then_some(Strength::Outside),
        ended: Ended::Exited(0),
        took_ms: 40,
        met: Vec::new(),
        stdout: "@delivered\\n@done".to_owned(),
        stderr: String::new(),
    };
    let after = match verdict {
        WargameVerdict::Mitigated => Outcome::Blocked,
        _ => Outcome::Exploited,
    };
    Report {
        seed: "00112233445566778899aabbccddeeff".to_owned(),
        exploit: exploit.to_owned(),
        verdict,
        detail: (verdict != WargameVerdict::Mitigated).then(|| "literal".to_owned()),
        targets: Vec::new(),
        bounds: Bounds::CgroupV2,
        build_ms: 900,
        took_ms: 1_200,
        reused: false,
        runs: vec![
            run(Phase::Phase1, Outcome::Exploited),
            run(Phase::Phase2, after),
        ],
    }
}

fn run(config: &PipelineConfig, models: Option<Models>) -> Vec<Event> {
    run_with(config, |pipeline| match models {
        Some(models) => pipeline.with_models(Arc::new(models)),
        None => pipeline,
    })
}

fn run_with(config: &PipelineConfig, with: impl FnOnce(Pipeline) -> Pipeline) -> Vec<Event> {
    let limits = EventLimits::default();
    let pipeline = Pipeline::new(
        Arc::new(tables(&limits)),
        config.clone(),
        limits,
        DiffLimits::default(),
        RiskConfig::default(),
        || 1_767_225_600_000,
    );
    let pipeline = with(pipeline);
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
        if key.starts_with("ab_") {
            // The sample is what a recording says it is.
            continue;
        }
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
