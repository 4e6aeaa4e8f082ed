//! The judge of code in the stream: what it says, what that rests on, and what it learns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crisol::diff::{DiffLimits, parse};
use crisol::event::decision::{ForestRecord, Source};
use crisol::event::id::sha256_hex;
use crisol::event::limits::EventLimits;
use crisol::event::record::{Batch, Handled, Output, Record};
use crisol::event::topic::Topic;
use crisol::event::verdict::{VerdictEvent, WargameVerdict, verdict_key};
use crisol::judge::code::Loaded;
use crisol::judge::features::Extractor;
use crisol::judge::models::Models;
use crisol::judge::row::Row;
use crisol::judge::shipped::ModelConfig;
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::policy::RiskConfig;
use crisol::table::{TableBounds, Tables};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use serde_json::{Value, json};

use crate::fixture::Cluster;
use crate::stream::{PARTITIONS, Replica, Stream, snapshot};

pub const CVE: &str = "CVE-2031-7";
const LIMIT: Duration = Duration::from_secs(60);

/// A patch of code; `guard` is the line that it adds.
pub fn diff(guard: &str) -> String {
    format!(
        "--- a/src/copy.c\n+++ b/src/copy.c\n@@ -10,4 +10,6 @@ int take(char *input, size_t length)\n {{\n     char buffer[64];\n+    {guard}\n+        return -1;\n     memcpy(buffer, input, length);\n     return use(buffer);\n"
    )
}

pub fn apv() -> Value {
    json!({
        "cve_id": CVE, "modified": "2026-01-01T00:00:00Z", "priority": "low",
        "affected_packages": [{
            "ecosystem": "npm", "name": "copier", "affected_versions": ["<2"], "fixed_versions": ["2"],
        }],
    })
}

pub fn patch(id: &str, diff: &str, generator: Option<&str>) -> Value {
    json!({"patch_id": id, "cve_id": CVE, "diff_content": diff, "generator": generator})
}

fn shipped() -> Loaded {
    ModelConfig::default().load().unwrap().unwrap()
}

/// The shipped model with other thresholds.
pub fn shipped_with(accept: f64, refuse: f64) -> Vec<u8> {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/models/crisol.json")).unwrap();
    let mut model: Value = serde_json::from_slice(&file).unwrap();
    model["first"]["accept"] = json!(accept);
    model["first"]["refuse"] = json!(refuse);
    serde_json::to_vec(&model).unwrap()
}

struct Judge {
    tables: Arc<Tables>,
    models: Arc<Models>,
    pipeline: Pipeline,
}

impl Judge {
    fn with(model: Loaded) -> Self {
        let limits = EventLimits::default();
        let tables = Arc::new(Tables::detached(&TableBounds::default(), &limits));
        let apv = apv().to_string();
        tables
            .apv
            .apply(Some(CVE.as_bytes()), Some(apv.as_bytes()))
            .unwrap();
        let models = Arc::new(Models::of(Some(model)).unwrap());
        let config = PipelineConfig {
            auto_approve: true,
            ..PipelineConfig::default()
        };
        let pipeline = Pipeline::new(
            Arc::clone(&tables),
            config,
            limits,
            DiffLimits::default(),
            RiskConfig::default(),
            || 0,
        )
        .with_models(Arc::clone(&models));
        Self {
            tables,
            models,
            pipeline,
        }
    }

    fn handle(&self, patch: &Value) -> Handled {
        let record = Record {
            value: Some(patch.to_string().into_bytes()),
            ..Record::default()
        };
        let batch = Batch {
            topic: Arc::from("patches"),
            partition: 0,
            records: vec![record],
        };
        self.pipeline.handle(&batch).pop().unwrap()
    }

    /// Judges a patch and returns its event.
    fn event(&self, patch: &Value) -> Value {
        event_of(&self.handle(patch))
    }

    fn p(&self, patch: &Value) -> f64 {
        self.event(patch)["facts"]["judgement"]["p"]
            .as_f64()
            .unwrap()
    }

    fn learn(&self, diff: &str, generator: Option<&str>, verdict: Option<WargameVerdict>) {
        self.learn_of(CVE, diff, generator, verdict);
    }

    fn learn_of(
        &self,
        cve: &str,
        diff: &str,
        generator: Option<&str>,
        verdict: Option<WargameVerdict>,
    ) {
        let (key, value) = candidate(cve, diff, generator, verdict);
        self.tables
            .verdicts
            .apply(Some(key.as_bytes()), Some(&value))
            .unwrap();
    }
}

fn event_of(handled: &Handled) -> Value {
    let told = handled
        .outputs
        .iter()
        .find(|output| matches!(output.topic, Topic::Hitl | Topic::Decisions))
        .unwrap();
    serde_json::from_slice(told.value.as_deref().unwrap()).unwrap()
}

/// A record of `verdicts`, as the wargame writes it.
fn candidate(
    cve: &str,
    diff: &str,
    generator: Option<&str>,
    verdict: Option<WargameVerdict>,
) -> (String, Vec<u8>) {
    let digest = sha256_hex(diff.as_bytes());
    let read = Extractor::default().read(&parse(diff, &DiffLimits::default()).unwrap());
    let event = VerdictEvent {
        cve_id: cve.into(),
        patch_id: "earlier".into(),
        patch_digest: digest.as_str().into(),
        verdict,
        language: read.language.as_str().into(),
        generator: generator.map(Into::into),
        sketch: read.sketch.to_text().into(),
        source: Source {
            topic: "patches".into(),
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
        },
    };
    (
        verdict_key(cve, &digest),
        serde_json::to_vec(&event).unwrap(),
    )
}

fn forest_of(event: &Value) -> ForestRecord {
    serde_json::from_value(event["facts"]["judgement"]["forest"].clone()).unwrap()
}

#[test]
fn what_is_recorded_on_an_event_gives_the_same_p_to_the_bit_whatever_was_learnt_since() {
    let judge = Judge::with(shipped());
    for n in 0..5 {
        judge.learn(
            &diff(&format!("if (length > {n})")),
            Some("a"),
            Some(WargameVerdict::Regression),
        );
    }
    let asked = diff("if (length > sizeof(buffer))");
    let event = judge.event(&patch("p", &asked, Some("a")));
    let judgement = &event["facts"]["judgement"];
    assert_eq!(judgement["judge"], "forest");
    let p = judgement["p"].as_f64().unwrap();
    let record = forest_of(&event);
    let model = shipped();
    assert_eq!(record.model, model.digest());
    let again = || {
        let parsed = parse(&asked, &DiffLimits::default()).unwrap();
        let row = Row::recorded(model.priors(), &parsed, &record, Some("a")).unwrap();
        model.model().first.probability(row.values())
    };
    assert_eq!(again().to_bits(), p.to_bits());
    // What was learnt since changes what is said, but not what was said.
    for n in 0..5 {
        judge.learn(
            &diff(&format!("if (length >= {n})")),
            Some("a"),
            Some(WargameVerdict::Mitigated),
        );
    }
    assert_ne!(
        judge.p(&patch("p", &asked, Some("a"))).to_bits(),
        p.to_bits()
    );
    assert_eq!(again().to_bits(), p.to_bits());
}

#[test]
fn verdicts_on_earlier_candidates_move_p_their_way() {
    let after = |verdict| {
        let judge = Judge::with(shipped());
        for n in 0..6 {
            judge.learn(
                &diff(&format!("if (length > sizeof(buffer) - {n})")),
                None,
                verdict,
            );
        }
        judge.p(&patch("p", &diff("if (length > sizeof(buffer))"), None))
    };
    let (refused, unknown, mitigated) = (
        after(Some(WargameVerdict::StillExploitable)),
        after(None),
        after(Some(WargameVerdict::Mitigated)),
    );
    assert!(
        refused < unknown && unknown < mitigated,
        "{refused} {unknown} {mitigated}"
    );
    // What failed for reasons of its own says as little as no verdict.
    assert_eq!(after(Some(WargameVerdict::Inconclusive)), unknown);
}

#[test]
fn a_patch_that_its_own_wargame_refuted_is_refused_whatever_the_model_says() {
    let judge = Judge::with(Loaded::read(&shipped_with(0.0, -1.0)).unwrap());
    let asked = diff("if (length > sizeof(buffer))");
    let before = judge.event(&patch("p", &asked, None));
    assert_ne!(before["reason"], "judge_refuses");
    judge.learn(&asked, None, Some(WargameVerdict::Regression));
    let after = judge.event(&patch("p", &asked, None));
    assert_eq!(after["reason"], "judge_refuses");
    assert_eq!(after["facts"]["judgement"]["finding"], "refuted_by_wargame");
    // Silence about it later does not take the verdict back.
    judge.learn(&asked, None, None);
    assert_eq!(
        judge.event(&patch("p", &asked, None))["reason"],
        "judge_refuses"
    );
}

#[test]
fn a_generators_name_may_cost_an_approval_but_never_wins_one() {
    let asked = diff("if (length > sizeof(buffer))");
    let learn = |judge: &Judge, verdict| {
        for n in 0..40 {
            let other = diff(&format!("if (index >= limit_{n})"));
            judge.learn_of(
                &format!("CVE-2030-{n}"),
                &other,
                Some("praised"),
                Some(verdict),
            );
            judge.learn_of(
                &format!("CVE-2030-{n}"),
                &diff("check();"),
                Some("other"),
                Some(WargameVerdict::Regression),
            );
        }
    };
    let plain = Judge::with(shipped());
    learn(&plain, WargameVerdict::Mitigated);
    let named = plain.p(&patch("p", &asked, Some("praised")));
    let unnamed = plain.p(&patch("p", &asked, None));
    assert!(
        named > unnamed + 0.01,
        "{named} {unnamed}: the name says nothing, so this shows nothing"
    );
    // A model that would approve by the name alone.
    let between = f64::midpoint(named, unnamed);
    let judge = Judge::with(Loaded::read(&shipped_with(between, -1.0)).unwrap());
    learn(&judge, WargameVerdict::Mitigated);
    let event = judge.event(&patch("p", &asked, Some("praised")));
    let record = forest_of(&event);
    assert_eq!(record.unnamed, Some(unnamed));
    assert_eq!(event["facts"]["judgement"]["finding"], "unsure");
    // Without the name in between, it would have.
    let lower = Judge::with(Loaded::read(&shipped_with(unnamed - 0.001, -1.0)).unwrap());
    learn(&lower, WargameVerdict::Mitigated);
    let event = lower.event(&patch("p", &asked, Some("praised")));
    assert_eq!(event["facts"]["judgement"]["finding"], "approves");
}

#[test]
fn what_a_model_was_made_with_of_a_name_approves_nothing_by_itself() {
    let made_with = |accept: f64| {
        let mut model: Value = serde_json::from_slice(&shipped_with(accept, -1.0)).unwrap();
        // Few beside the 2,563 that the model was made from, so that anybody's share stays low.
        model["priors"]["generators"]["praised"] = json!({"c": {"right": 200, "n": 200}});
        Judge::with(Loaded::read(model.to_string().as_bytes()).unwrap())
    };
    let asked = diff("if (length > sizeof(buffer))");
    let plain = made_with(2.0);
    let named = plain.p(&patch("p", &asked, Some("praised")));
    let unnamed = plain.p(&patch("p", &asked, None));
    let unknown = plain.p(&patch("p", &asked, Some("never seen")));
    assert!(
        named > unnamed + 0.01,
        "{named} {unnamed}: the name says nothing, so this shows nothing"
    );
    assert_eq!(unknown.to_bits(), unnamed.to_bits());
    let event =
        made_with(f64::midpoint(named, unnamed)).event(&patch("p", &asked, Some("praised")));
    assert_eq!(forest_of(&event).unnamed, Some(unnamed));
    assert_eq!(event["facts"]["judgement"]["finding"], "unsure");
}

#[test]
fn what_is_decided_alone_is_remembered_without_a_verdict_and_what_is_not_is_not() {
    let written = |refuse| {
        let judge = Judge::with(Loaded::read(&shipped_with(2.0, refuse)).unwrap());
        let handled = judge.handle(&patch(
            "p",
            &diff("if (length > sizeof(buffer))"),
            Some("a"),
        ));
        let verdicts: Vec<Output> = handled
            .outputs
            .into_iter()
            .filter(|output| output.topic == Topic::Verdicts)
            .collect();
        for output in &verdicts {
            let (key, value) = (output.key.as_deref(), output.value.as_deref());
            judge.tables.verdicts.apply(key, value).unwrap();
        }
        // Known by then, it is not written once more.
        let again = judge.handle(&patch(
            "p",
            &diff("if (length > sizeof(buffer))"),
            Some("a"),
        ));
        assert!(
            again
                .outputs
                .iter()
                .all(|output| output.topic != Topic::Verdicts)
        );
        (verdicts.len(), judge.tables.verdicts.len())
    };
    assert_eq!(written(1.0), (1, 1));
    assert_eq!(written(-1.0), (0, 0));
}

#[test]
fn what_changes_no_source_beside_tests_is_like_nothing_that_the_model_learnt_from() {
    let judge = Judge::with(shipped());
    let reason = |path: &str| {
        let diff = diff("if (length > sizeof(buffer))").replace("src/copy.c", path);
        judge.event(&patch("p", &diff, None))["reason"].clone()
    };
    assert_ne!(reason("src/copy.c"), "judge_unavailable");
    assert_eq!(reason("tests/copy.c"), "judge_unavailable");
    assert_eq!(reason("README.md"), "judge_unavailable");
}

#[test]
fn while_the_breaker_of_the_model_is_open_people_judge_code() {
    let judge = Judge::with(shipped());
    let asked = patch("p", &diff("if (length > sizeof(buffer))"), None);
    assert_eq!(judge.event(&asked)["facts"]["judgement"]["judge"], "forest");
    for _ in 0..5 {
        let permit = judge.models.breaker().ask(Instant::now()).unwrap();
        permit.failed(Instant::now());
    }
    assert_eq!(judge.event(&asked)["reason"], "judge_unavailable");
    judge.models.breaker().reset();
    assert_eq!(judge.event(&asked)["facts"]["judgement"]["judge"], "forest");
}

#[test]
fn on_kafka_a_test_producers_verdicts_change_what_is_said_and_what_is_decided_alone_is_written_back()
 {
    let cluster = Cluster::shared();
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("refuses-all.json");
    std::fs::write(&model, shipped_with(2.0, 1.0)).unwrap();
    let stream = Stream::create(cluster.bootstrap(), "judgement");
    let feeder = stream.feeder();
    let send = |topic: &str, key: &str, value: &[u8]| {
        feeder.send(&stream.topic(topic), Some(key.as_bytes()), Some(value), &[]);
    };
    send("apv", CVE, apv().to_string().as_bytes());
    for n in 0..6 {
        let earlier = diff(&format!("if (length > sizeof(buffer) - {n})"));
        let (key, value) = candidate(CVE, &earlier, None, Some(WargameVerdict::Regression));
        send("verdicts", &key, &value);
    }
    feeder.flush();
    let model = model.to_str().unwrap();
    let mut replica = Replica::start(
        &stream,
        "r0",
        &[("CRISOL_MODEL_ENABLED", "true"), ("ML_MODEL_PATH", model)],
    );
    replica.wait_assigned();
    let asked = diff("if (length > sizeof(buffer))");
    send(
        "patches",
        CVE,
        patch("p", &asked, None).to_string().as_bytes(),
    );
    feeder.flush();
    let began = Instant::now();
    let told = loop {
        let mut told = snapshot(&stream, "read_committed");
        if let Some((_, told)) = told.pop_first() {
            break told;
        }
        assert!(began.elapsed() < LIMIT, "{}", replica.process.log_tail());
        std::thread::sleep(Duration::from_millis(200));
    };
    let event: Value = serde_json::from_slice(told.value.as_deref().unwrap()).unwrap();
    assert_eq!(event["reason"], "judge_refuses");
    // The same as a judge says that has learnt the same without Kafka, and not what one says that has not.
    let beside = Judge::with(Loaded::read(&shipped_with(2.0, 1.0)).unwrap());
    let unlearnt = beside.p(&patch("p", &asked, None));
    for n in 0..6 {
        let earlier = diff(&format!("if (length > sizeof(buffer) - {n})"));
        beside.learn(&earlier, None, Some(WargameVerdict::Regression));
    }
    let p = event["facts"]["judgement"]["p"].as_f64().unwrap();
    assert_eq!(p, beside.p(&patch("p", &asked, None)));
    assert_ne!(p, unlearnt);
    let key = verdict_key(CVE, &sha256_hex(asked.as_bytes()));
    let written = verdict_of(&stream, &key);
    assert_eq!(written["verdict"], Value::Null);
    assert_eq!(written["patch_id"], "p");
    replica.stop();
}

/// Reads the value that stands under a key of `verdicts`.
fn verdict_of(stream: &Stream, key: &str) -> Value {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", stream.bootstrap())
        .set("group.id", format!("{}verdicts", stream.group()))
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut all = rdkafka::TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(
            &stream.topic("verdicts"),
            partition,
            rdkafka::Offset::Beginning,
        )
        .unwrap();
    }
    consumer.assign(&all).unwrap();
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200))
            && message.key() == Some(key.as_bytes())
        {
            return serde_json::from_slice(message.payload().unwrap()).unwrap();
        }
    }
    panic!("nothing stands under {key}");
}
