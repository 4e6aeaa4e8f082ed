//! What was judged, asked again: why the forest said so, and what another model or policy would have said.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Cluster, run};
use crate::judgement::{CVE, apv, diff, patch, shipped_with};
use crate::stream::{Replica, Stream, crisol, snapshot};

const LIMIT: Duration = Duration::from_secs(60);
const GUARD: &str = "if (length > sizeof(buffer))";

fn tool(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = crisol();
    command.args(arguments).envs(environment.iter().copied());
    run(command, b"", LIMIT)
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Judges a patch of code with a model, and returns its event.
fn judged(dir: &Path, model: &Path) -> Value {
    let at = |name: &str| dir.join(name);
    fs::write(at("apv.json"), apv().to_string()).unwrap();
    fs::write(
        at("patches.jsonl"),
        patch("p", &diff(GUARD), Some("a")).to_string(),
    )
    .unwrap();
    let output = tool(
        &[
            "validate",
            path(&at("patches.jsonl")),
            "--apv",
            path(&at("apv.json")),
        ],
        &[("ML_MODEL_PATH", path(model))],
    );
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    outcome["event"].clone()
}

#[test]
fn an_event_is_explained_to_the_bit_by_the_model_that_judged_and_by_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (model, other) = (at("model.json"), at("other.json"));
    fs::write(&model, shipped_with(0.97, 0.01)).unwrap();
    fs::write(&other, shipped_with(0.98, 0.01)).unwrap();
    let event = judged(dir.path(), &model);
    fs::write(at("event.json"), event.to_string()).unwrap();
    let explain = |more: &[&str]| {
        let event = at("event.json");
        let mut arguments = vec!["explain", "--event", path(&event)];
        arguments.extend(more);
        tool(&arguments, &[])
    };
    let why = explain(&[
        "--model",
        path(&model),
        "--svg",
        path(&at("why.svg")),
        "--json",
    ]);
    let why: Value = serde_json::from_slice(&why.stdout).unwrap();
    assert_eq!(why["as_recorded"], true);
    assert_eq!(why["p"], event["facts"]["judgement"]["p"]);
    let number = |value: &Value| value.as_f64().unwrap();
    let added: f64 = why["contributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| number(&one["adds"]))
        .sum();
    assert!(
        (number(&why["base"]) + added - number(&why["score"])).abs() < 1e-9,
        "{why}"
    );
    let svg = fs::read_to_string(at("why.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("memory_"), "{svg}");
    let words = said(&explain(&["--model", path(&model)]).stdout);
    assert!(
        words.contains("to the bit") && words.contains("together"),
        "{words}"
    );

    let wrong = explain(&["--model", path(&other)]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(said(&wrong.stderr).contains("--model"), "{wrong:?}");

    // Another diff is told from the one that was judged, and another p from the one that was said.
    fs::write(at("other.diff"), diff("if (length > 3)")).unwrap();
    let forged = explain(&["--model", path(&model), "--diff", path(&at("other.diff"))]);
    assert_eq!(forged.status.code(), Some(64));
    assert!(
        said(&forged.stderr).contains("not the one that was judged"),
        "{forged:?}"
    );
    let mut changed = event;
    changed["facts"]["judgement"]["p"] = json!(0.999);
    fs::write(at("event.json"), changed.to_string()).unwrap();
    let words = said(&explain(&["--model", path(&model)]).stdout);
    assert!(words.contains("NOT the p"), "{words}");
}

#[test]
fn a_diff_alone_is_explained_as_one_of_which_nothing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.diff");
    fs::write(&file, diff(GUARD)).unwrap();
    let why = tool(&["explain", "--diff", path(&file), "--json"], &[]);
    let why: Value = serde_json::from_slice(&why.stdout).unwrap();
    assert!(why.get("as_recorded").is_none());
    let p = why["p"].as_f64().unwrap();
    assert!(p > 0.0 && p < 1.0);
}

#[test]
fn a_backtest_tells_what_another_model_would_change_and_nothing_where_it_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (model, stricter) = (at("model.json"), at("stricter.json"));
    fs::write(&model, shipped_with(2.0, -1.0)).unwrap();
    fs::write(&stricter, shipped_with(2.0, 1.0)).unwrap();
    let event = judged(dir.path(), &model);
    assert_eq!(event["reason"], "no_exploit");
    fs::write(
        at("events.jsonl"),
        format!("{event}\n{{\"no\":\"event\"}}\n"),
    )
    .unwrap();
    let backtest = |model: &Path| {
        tool(
            &[
                "backtest",
                path(&at("events.jsonl")),
                "--model",
                path(model),
                "--json",
            ],
            &[],
        )
    };
    let same = backtest(&model);
    assert_eq!(same.status.code(), Some(0));
    let same: Value = serde_json::from_slice(&same.stdout).unwrap();
    assert_eq!((&same["judged"], &same["same"]), (&json!(1), &json!(1)));
    assert_eq!(same["left_out"].as_object().unwrap().len(), 1);
    let other = backtest(&stricter);
    assert_eq!(other.status.code(), Some(1));
    let other: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(
        other["changes"],
        json!([{"from": "no_exploit", "to": "judge_refuses", "count": 1, "patches": ["p"]}])
    );
}

#[test]
fn on_kafka_approvals_are_asked_again_with_the_diff_from_where_it_stands() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "backtest");
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (model, strict) = (at("approves.json"), at("strict.json"));
    // Thresholds let a model approve; its curve, shifted far up, lets policy.
    let sure = |accept: f64| {
        let mut model: Value = serde_json::from_slice(&shipped_with(accept, -1.0)).unwrap();
        model["first"]["calibration"]["offset"] = json!(20.0);
        model.to_string()
    };
    fs::write(&model, sure(0.5)).unwrap();
    fs::write(&strict, sure(2.0)).unwrap();
    let feeder = stream.feeder();
    let send = |topic: &str, value: Value| {
        let value = value.to_string();
        feeder.send(
            &stream.topic(topic),
            Some(CVE.as_bytes()),
            Some(value.as_bytes()),
            &[],
        );
    };
    send("apv", apv());
    feeder.flush();
    let mut replica = Replica::start(
        &stream,
        "r0",
        &[
            ("CRISOL_MODEL_ENABLED", "true"),
            ("ML_MODEL_PATH", path(&model)),
            ("AUTO_APPROVE_ENABLED", "true"),
        ],
    );
    replica.wait_assigned();
    send("patches", patch("p", &diff(GUARD), Some("a")));
    feeder.flush();
    let began = std::time::Instant::now();
    while snapshot(&stream, "read_committed").is_empty() {
        assert!(began.elapsed() < LIMIT, "{}", replica.process.log_tail());
        std::thread::sleep(Duration::from_millis(200));
    }
    replica.stop();
    let told: Value = serde_json::from_str(&stream.crisol(&["explain", "p", "--json"])).unwrap();
    assert_eq!(told[0]["event"]["decision"], "auto_approved", "{told}");
    let environment = stream.environment("tool");
    let backtest = |model: &Path| {
        let mut command = crisol();
        command
            .args(["backtest", "--topic", "--model", path(model), "--json"])
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let output = run(command, b"", LIMIT);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(backtest(&model)["same"], 1);
    let stricter = backtest(&strict);
    assert_eq!(stricter["no_longer_approved"], 1, "{stricter}");
    assert_eq!(stricter["changes"][0]["to"], "no_exploit");
}
