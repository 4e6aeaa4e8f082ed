//! An operator asks what became of one patch, and sees what the switches do.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Cluster, run};
use crate::stream::{Stream, crisol, figure};

const LIMIT: Duration = Duration::from_secs(60);

fn explain(stream: &Stream, arguments: &[&str]) -> Output {
    let mut command = crisol();
    command
        .arg("explain")
        .args(arguments)
        .envs(stream.environment("tool"));
    run(command, b"", LIMIT)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_became_of_a_patch_is_told_with_its_reason_and_its_place() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "explain");
    let missing = explain(&stream, &["asked-for"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("crisol dlq list"));
    let feeder = stream.feeder();
    for (key, id) in [("CVE-2020-1", "asked-for"), ("CVE-2020-2", "another")] {
        let value = format!(
            r#"{{"patch_id":"{id}","cve_id":"{key}","diff_content":"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"}}"#
        );
        let topic = stream.topic("patches");
        feeder.send(&topic, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
    feeder.flush();
    let mut replica = stream.replica("r0");
    let deadline = Instant::now() + LIMIT;
    let told = loop {
        let told = explain(&stream, &["asked-for"]);
        if told.status.success() {
            break text(&told.stdout);
        }
        assert!(Instant::now() < deadline, "{}", text(&told.stderr));
    };
    for says in [
        "hitl ",
        "of the record patches ",
        "apv_unknown",
        "CVE-2020-1",
    ] {
        assert!(told.contains(says), "{told}");
    }
    assert!(!told.contains("another"), "{told}");
    let events = explain(&stream, &["asked-for", "--json"]);
    let events: Value = serde_json::from_slice(&events.stdout).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 1);
    assert_eq!(events[0]["event"]["patch_id"], "asked-for");
    let later = explain(&stream, &["asked-for", "--since", "2100-01-01T00:00:00Z"]);
    assert_eq!(later.status.code(), Some(1));

    let address = replica.http();
    assert_eq!(figure(&address, "crisol_kill_switch"), 0.0);
    let version = figure(&address, "crisol_control_version");
    stream.crisol(&["control", "set", "kill_switch", "true"]);
    let deadline = Instant::now() + LIMIT;
    while figure(&address, "crisol_kill_switch") < 1.0 {
        assert!(Instant::now() < deadline, "the switch is not seen");
    }
    assert!(figure(&address, "crisol_control_version") > version);
    replica.stop();
}
