//! Letters are found, looked at and sent in again, each at most once.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Cluster, run};
use crate::stream::{Replica, Stream, crisol};

const LIMIT: Duration = Duration::from_secs(120);
/// A patch of two files: too many for a replica that allows one.
const TWO_FILES: &str = r#"{"patch_id":"two-files","cve_id":"CVE-2020-1","diff_content":"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n--- a/y.c\n+++ b/y.c\n@@ -1 +1 @@\n-a\n+b\n"}"#;
const BROKEN: &str = r#"{"patch_id":"broken","cve_id":"CVE-2020-1","#;

#[test]
fn a_letter_is_found_sent_in_again_once_and_judged_when_its_cause_is_mended() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "dlq");
    let feeder = stream.feeder();
    let trace = [("traceparent".to_owned(), Some(b"00-ab-cd-01".to_vec()))];
    for value in [TWO_FILES, BROKEN] {
        let topic = stream.topic("patches");
        feeder.send(&topic, Some(b"CVE-2020-1"), Some(value.as_bytes()), &trace);
    }
    feeder.flush();
    let strict = Replica::start(&stream, "r0", &[("CRISOL_DIFF_MAX_FILES", "1")]);
    let letters = wait_for_letters(&stream, &[], 2);
    strict.stop();
    let found = |reason: &str| {
        let letter = letters.iter().find(|letter| letter["reason"] == reason);
        letter.unwrap_or_else(|| panic!("{letters:?}"))["letter"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (too_long, broken) = (found("limit_exceeded"), found("invalid_json"));

    let shown = stream.crisol(&["dlq", "show", &too_long, "--raw"]);
    assert_eq!(shown, TWO_FILES, "the value comes byte for byte");
    let shown = stream.crisol(&["dlq", "show", &too_long]);
    assert!(shown.contains("max_files"), "{shown}");

    let by_reason = ["dlq", "redrive", "--reason", "limit_exceeded", "--json"];
    let fate = |arguments: &[&str]| -> String {
        let fates: Value = serde_json::from_str(&stream.crisol(arguments)).unwrap();
        assert_eq!(fates.as_array().unwrap().len(), 1, "{fates}");
        let why = fates[0]["why"].as_str().unwrap_or_default();
        format!("{} {why}", fates[0]["fate"].as_str().unwrap())
            .trim()
            .to_owned()
    };
    let dry = [&by_reason[..], &["--dry-run"]].concat();
    assert_eq!(fate(&dry), "would_go_in");
    assert_eq!(fate(&dry), "would_go_in", "a dry run marks nothing");
    assert_eq!(fate(&by_reason), "went_in");
    assert!(fate(&by_reason).starts_with("stays was sent in before"));
    let letters = wait_for_letters(&stream, &["--reason", "limit_exceeded"], 1);
    assert_eq!(letters[0]["redriven"], true);

    // With the limit mended it is judged, once, with its trace. What is broken stays broken, and the
    // third failure is the last that redriving takes by itself.
    let usual = Replica::start(&stream, "r0", &[]);
    assert_eq!(fate(&["dlq", "redrive", &broken, "--json"]), "went_in");
    let second = wait_for_letters(&stream, &["--reason", "invalid_json"], 2);
    assert_eq!(second[1]["attempt"], 2);
    let second = second[1]["letter"].as_str().unwrap().to_owned();
    assert_eq!(fate(&["dlq", "redrive", &second, "--json"]), "went_in");
    let third = wait_for_letters(&stream, &["--reason", "invalid_json"], 3);
    assert_eq!(third[2]["attempt"], 3);
    let third = third[2]["letter"].as_str().unwrap().to_owned();
    assert!(fate(&["dlq", "redrive", &third, "--json"]).starts_with("stays has failed too often"));
    usual.stop();

    let mut reader = stream.reader();
    reader.set_aside = Some("two-files".to_owned());
    let hitl = stream.topic("hitl");
    let deadline = Instant::now() + LIMIT;
    while !reader.aside.iter().any(|told| told.starts_with(&hitl)) {
        assert!(Instant::now() < deadline, "{:?}", reader.aside);
        reader.read_for(Duration::from_millis(500));
    }
    reader.read_for(Duration::from_secs(1));
    let items: Vec<_> = reader
        .aside
        .iter()
        .filter(|told| told.starts_with(&hitl))
        .collect();
    assert_eq!(items.len(), 1, "{items:?}");
    assert!(items[0].contains("traceparent=00-ab-cd-01"), "{items:?}");
}

#[test]
fn what_is_asked_wrongly_is_answered_with_what_would_be_right() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "dlq-usage");
    for (arguments, code, says) in [
        (&["redrive"][..], 64, "name letters, or choose them"),
        (&["redrive", "0:1", "--reason", "crashed"], 64, "not both"),
        (
            &["redrive", "0:1"],
            1,
            "no letter stands at 0:1; nothing was sent",
        ),
        (&["show", "0:1"], 1, "no letter stands at 0:1"),
        (&["show", "one"], 64, "partition:offset"),
        (&["list", "--reason", "no_exploit"], 64, "invalid_json"),
        (&["list", "--since", "yesterday"], 64, "2026-"),
    ] {
        let mut command = crisol();
        command
            .arg("dlq")
            .args(arguments)
            .envs(stream.environment("tool"));
        let output = run(command, b"", LIMIT);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
    assert!(stream.crisol(&["dlq", "list"]).contains("0 letters"));
}

/// Waits until the list has this many letters.
fn wait_for_letters(stream: &Stream, filter: &[&str], count: usize) -> Vec<Value> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let listed = stream.crisol(&[&["dlq", "list", "--json"], filter].concat());
        let letters: Vec<Value> = serde_json::from_str(&listed).unwrap();
        if letters.len() >= count {
            assert_eq!(letters.len(), count, "{listed}");
            return letters;
        }
        assert!(Instant::now() < deadline, "{listed}");
        std::thread::sleep(Duration::from_millis(300));
    }
}
