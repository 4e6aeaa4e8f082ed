//! Models change while the service runs: by their file, and by what control names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crisol::event::id::sha256_hex;
use serde_json::Value;

use crate::fixture::Cluster;
use crate::judgement::{CVE, apv, diff, patch, shipped_with};
use crate::stream::{Replica, Stream, figure, get, snapshot};

const LIMIT: Duration = Duration::from_secs(60);

/// Writes a model whose digest is that of its threshold, in one step, and returns its digest.
fn put(file: &Path, accept: f64) -> String {
    let model = shipped_with(accept, -1.0);
    let beside = file.with_extension("new");
    fs::write(&beside, &model).unwrap();
    fs::rename(beside, file).unwrap();
    sha256_hex(&model)
}

#[test]
fn models_change_while_the_service_runs_and_each_event_names_its_own() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "models");
    let dir = tempfile::tempdir().unwrap();
    let (active, shadow) = (
        dir.path().join("active.json"),
        dir.path().join("shadow.json"),
    );
    let (first, beside) = (put(&active, 2.0), put(&shadow, 3.0));
    let feeder = stream.feeder();
    let send = |topic: &str, value: Value| {
        let value = value.to_string();
        let key = Some(CVE.as_bytes());
        feeder.send(&stream.topic(topic), key, Some(value.as_bytes()), &[]);
        feeder.flush();
    };
    send("apv", apv());
    let mut replica = Replica::start(
        &stream,
        "r0",
        &[
            ("CRISOL_MODEL_ENABLED", "true"),
            ("ML_MODEL_PATH", active.to_str().unwrap()),
            ("CRISOL_MODEL_SHADOW", shadow.to_str().unwrap()),
        ],
    );
    let address = replica.http();
    replica.wait_assigned();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < LIMIT,
                "{what}\n{}",
                get(&address, "/metrics").1
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let in_force = |role: &str, digest: &str| {
        let name = format!("crisol_model_in_force{{digest=\"{digest}\",role=\"{role}\"}}");
        figure(&address, &name) == 1.0
    };
    let mut known: BTreeSet<String> = BTreeSet::new();
    // Judges another patch, and returns its event.
    let mut judged = || {
        let id = format!("p{}", known.len());
        send(
            "patches",
            patch(&id, &diff(&format!("if (length > {id})")), None),
        );
        let began = Instant::now();
        loop {
            for told in snapshot(&stream, "read_committed").into_values() {
                let event: Value = serde_json::from_slice(told.value.as_deref().unwrap()).unwrap();
                if event["patch_id"] == id.as_str() {
                    known.insert(id);
                    return event;
                }
            }
            assert!(began.elapsed() < LIMIT, "{id}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let model_of = |event: &Value| event["facts"]["judgement"]["forest"]["model"].clone();

    assert!(in_force("active", &first) && in_force("shadow", &beside));
    assert_eq!(model_of(&judged()), first.as_str());
    let compared = "crisol_model_shadow_total{active=\"unsure\",shadow=\"unsure\"}";
    assert_eq!(figure(&address, compared), 1.0);

    // By its file; what is no model changes nothing, and is counted.
    let second = put(&active, 2.5);
    until("the file's new model is in force", &|| {
        in_force("active", &second)
    });
    assert!(!in_force("active", &first));
    assert_eq!(model_of(&judged()), second.as_str());
    fs::write(&active, b"{").unwrap();
    until("a broken file is counted", &|| {
        figure(&address, "crisol_model_unreadable_total") == 1.0
    });
    assert_eq!(model_of(&judged()), second.as_str());

    // By control: the shadow takes over, on every replica and over restarts.
    stream.crisol(&["control", "set", "model_active", &beside]);
    until("the shadow has taken over", &|| in_force("active", &beside));
    assert!(
        !in_force("shadow", &beside),
        "a model is no shadow of itself"
    );
    assert_eq!(model_of(&judged()), beside.as_str());

    // One that nobody has leaves code to people, and says so.
    stream.crisol(&["control", "set", "model_active", &"0".repeat(64)]);
    until("a model is missing", &|| {
        figure(&address, "crisol_model_missing") == 1.0
    });
    assert_eq!(judged()["reason"], "judge_unavailable");
    let health: Value = serde_json::from_str(&get(&address, "/health/detailed").1).unwrap();
    assert_eq!(health["status"], "degraded");
    stream.crisol(&["control", "unset", "model_active"]);
    until("the settings hold again", &|| in_force("active", &second));
    replica.stop();
}
