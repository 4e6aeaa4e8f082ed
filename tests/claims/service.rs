//! The service as its neighbours meet it: it starts, tells how it is, obeys and stops.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Cluster, run};
use crate::oracle::World;
use crate::stream::{Load, Replica, Stream, crisol, get, settle};

const LIMIT: Duration = Duration::from_secs(30);

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}

#[test]
fn a_missing_topic_or_a_wrong_partition_count_keeps_it_from_starting_and_the_remedy_is_told() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "drift");
    let refused = |settings: &[(&str, &str)]| {
        let mut command = crisol();
        command
            .args(["run"])
            .envs(stream.environment("r0"))
            .envs(settings.iter().copied());
        let output = run(command, b"", Duration::from_secs(60));
        assert_eq!(output.status.code(), Some(69));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let missing = refused(&[("CRISOL_TOPIC_PREFIX", "nowhere.")]);
    assert!(
        missing.contains(
            "nowhere.patches: exists is no, must be yes; mend it with: crisol topics apply"
        ),
        "{missing}"
    );
    let console = stream.console();
    console.tool(
        "topics",
        &[
            "--alter",
            "--topic",
            &stream.topic("patches"),
            "--partitions",
            "9",
        ],
        b"",
    );
    let wider = refused(&[]);
    assert!(
        wider.contains("partitions is 9, must be 6")
            && wider.contains("topics.partitions.patches = 9"),
        "{wider}"
    );
    // Another setting is told and does not keep it from starting.
    let mut command = crisol();
    command
        .args(["topics", "check", "--json"])
        .envs(stream.environment("tool"));
    let drift: Value = serde_json::from_slice(&run(command, b"", LIMIT).stdout).unwrap();
    assert_eq!(drift.as_array().unwrap().len(), 1, "{drift}");
}

#[test]
fn probes_and_metrics_tell_how_it_is_and_a_termination_drains_with_exit_code_0() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "probes");
    let mut load = Load::begin(&stream, "probes", 4);
    let mut replica = stream.replica("r0");
    let address = replica.http();
    wait_until("readiness", || get(&address, "/readyz").0 == 200);
    load.run_for(Duration::from_secs(2));
    settle(&mut load.reader);
    assert_eq!(get(&address, "/livez").0, 200);
    let health: Value = serde_json::from_str(&get(&address, "/health").1).unwrap();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["service"], "crisol");
    let metrics = get(&address, "/metrics").1;
    let sum = |entry: &str| -> u64 {
        metrics
            .lines()
            .filter(|line| {
                line.starts_with(&format!("crisol_ledger_records_total{{entry=\"{entry}\""))
            })
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    assert_eq!(sum("taken"), load.fed as u64);
    assert_eq!(
        sum("taken"),
        sum("decided") + sum("queued") + sum("wargame") + sum("dead")
    );
    for name in [
        "crisol_memory_recalls_total{result=\"miss\"}",
        "crisol_breaker_standing{breaker=\"cache\",standing=\"closed\"} 1",
        "crisol_outcomes_total{",
        "crisol_latency_seconds_bucket{",
        "crisol_lag_records{",
        "crisol_transactions_total{ended=\"committed\",role=\"validate\"}",
        "crisol_table_entries{table=\"apv\"}",
        "crisol_librdkafka{client=\"consumer\",figure=\"brokers_up\",role=\"validate\"}",
        "crisol_build_info{",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    let alerts = include_str!("../../monitoring/alerts.yaml");
    let asked = metrics_in(alerts);
    assert!(asked.contains("crisol_ledger_records_total"), "{asked:?}");
    for name in asked {
        assert!(
            metrics.contains(&format!("# TYPE {name} ")),
            "an alert asks for {name}, which is not in\n{metrics}"
        );
    }
    // Under load, so that there is something to finish.
    load.run_for(Duration::from_millis(500));
    replica.stop();
    let heir = stream.replica("r0");
    let report = load.end();
    assert!(report.is_clean(), "{report}");
    heir.stop();
}

/// Returns the metrics that the expressions of alerts name.
fn metrics_in(alerts: &str) -> BTreeSet<&str> {
    alerts
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("crisol_"))
        .collect()
}

#[test]
fn every_replica_obeys_the_kill_switch_within_a_second_and_remembers_it() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "switch");
    stream.publish(&World::generate(5, 40));
    let mut replica = stream.replica("r0");
    replica.wait_assigned();
    let feeder = stream.feeder();
    stream.crisol(&["control", "set", "kill_switch", "true"]);
    let told = Instant::now();
    // A question a moment, until the answer carries the switch.
    let reader = stream.console();
    let mut n = 0;
    let obeyed = loop {
        n += 1;
        let event = format!(
            r#"{{"patch_id":"q{n}","cve_id":"CVE-0000-0","diff_content":"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"}}"#
        );
        feeder.send(
            &stream.topic("patches"),
            Some(b"k"),
            Some(event.as_bytes()),
            &[],
        );
        feeder.flush();
        let asked = told.elapsed();
        if asked >= Duration::from_secs(1) {
            break n;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let items = reader.console_consumer(&stream.topic("hitl"), &[], n, Duration::from_secs(20));
    let last = items
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|item| item["patch_id"] == format!("q{obeyed}"))
        .unwrap();
    assert_eq!(last["facts"]["policy"]["kill_switch"], true, "{last}");
    let version = last["facts"]["policy"]["control_version"].as_i64().unwrap();
    replica.stop();
    let shown: Value = serde_json::from_str(&stream.crisol(&["control", "get", "--json"])).unwrap();
    assert_eq!(shown["settings"]["kill_switch"], true);
    assert_eq!(shown["version"].as_i64().unwrap(), version);
}

#[test]
fn a_patch_does_not_overtake_its_vulnerability() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "join");
    let mut replica = stream.replica("r0");
    replica.wait_assigned();
    let feeder = stream.feeder();
    let rounds = 30;
    for n in 0..rounds {
        let apv = format!(
            r#"{{"cve_id":"CVE-2020-{n}","modified":"2020-01-01T00:00:00Z","priority":"low","affected_packages":
            [{{"ecosystem":"npm","name":"x","affected_versions":["<2.0.0"],"fixed_versions":["2.0.0"]}}]}}"#
        );
        let patch = format!(
            r#"{{"patch_id":"p{n}","cve_id":"CVE-2020-{n}","diff_content":"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"}}"#
        );
        let key = format!("CVE-2020-{n}");
        // The vulnerability is acknowledged a moment before its patch is sent.
        feeder.send(
            &stream.topic("apv"),
            Some(key.as_bytes()),
            Some(apv.as_bytes()),
            &[],
        );
        feeder.flush();
        feeder.send(
            &stream.topic("patches"),
            Some(key.as_bytes()),
            Some(patch.as_bytes()),
            &[],
        );
        feeder.flush();
    }
    let unknown = r#"{"patch_id":"nobody","cve_id":"CVE-1999-1","diff_content":"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"}"#;
    feeder.send(
        &stream.topic("patches"),
        Some(b"CVE-1999-1"),
        Some(unknown.as_bytes()),
        &[],
    );
    feeder.flush();
    let items = stream.console().console_consumer(
        &stream.topic("hitl"),
        &[],
        rounds + 1,
        Duration::from_secs(20),
    );
    assert_eq!(items.len(), rounds + 1);
    for item in items
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
    {
        let expected = if item["patch_id"] == "nobody" {
            "unknown"
        } else {
            "table"
        };
        assert_eq!(item["facts"]["known_by"], expected, "{item}");
    }
    replica.stop();
}

#[test]
fn what_an_earlier_owner_opened_is_known_to_its_heir() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "heir");
    let mut load = Load::begin(&stream, "heir", 6);
    let mut first = stream.replica("r0");
    first.wait_assigned();
    load.run_for(Duration::from_secs(3));
    first.process.kill();
    let second = Replica::start(&stream, "r0", &[]);
    // Items that block stand open from before; the oracle knows of each.
    let report = load.end();
    assert!(report.is_clean(), "{report}");
    assert!(
        report
            .split
            .iter()
            .any(|((_, reason), count)| *reason == "open_item" && *count > 20),
        "{report}"
    );
    second.stop();
}

#[test]
fn without_a_secret_key_it_does_not_start_and_says_how_to_make_one() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "keyless");
    let refused = |settings: &[(&str, &str)]| {
        let mut command = crisol();
        command
            .args(["run"])
            .envs(stream.environment("r0"))
            .env_remove("CRISOL_SECRET_KEY")
            .envs(settings.iter().copied());
        let output = run(command, b"", Duration::from_secs(60));
        assert_eq!(output.status.code(), Some(78));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let missing = refused(&[]);
    assert!(missing.contains("openssl rand -hex 32"), "{missing}");
    let short = refused(&[("CRISOL_SECRET_KEY", "hunter2")]);
    assert!(
        short.contains("7 bytes") && !short.contains("hunter2"),
        "{short}"
    );
    let file = refused(&[("CRISOL_SECRET_KEY_FILE", "/nowhere/key")]);
    assert!(file.contains("secret.key_file /nowhere/key"), "{file}");
    let address = refused(&[
        ("CRISOL_SECRET_KEY", "0123456789abcdef"),
        ("REDIS_URL", "http://user:hunter2@x"),
    ]);
    assert!(
        address.contains("REDIS_URL") && !address.contains("hunter2"),
        "{address}"
    );
}
