//! A flood of bad records halts its partition, and nothing else, until somebody says to go on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Cluster, run};
use crate::stream::{Feeder, Reader, Stream, crisol, figure, get};

const LIMIT: Duration = Duration::from_secs(120);
/// What halts a partition, as `engine.flood_records` has it by default.
const IN_A_ROW: usize = 1_000;
/// The records of one batch: those after the thousandth that were judged with it.
const BATCH: usize = 256;
/// Two keys whose records lie in two partitions.
const FLOODED: &str = "CVE-2020-1";
const MIXED: &str = "CVE-2020-2";

fn feed_bad(feeder: &Feeder, topic: &str, key: &str, numbers: std::ops::Range<usize>) {
    for n in numbers {
        let value = format!(r#"{{"patch_id":"flood-bad-{key}-{n}","cve_id":"#);
        feeder.send(topic, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
}

fn feed_good(feeder: &Feeder, topic: &str, key: &str, numbers: std::ops::Range<usize>) {
    for n in numbers {
        let value = format!(
            r#"{{"patch_id":"flood-good-{key}-{n}","cve_id":"{key}","diff_content":"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b{n}\n"}}"#
        );
        feeder.send(topic, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
}

/// How many outcomes of records with this beginning of their id were read, each at most once.
fn outcomes(reader: &Reader, beginning: &str) -> usize {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for told in &reader.aside {
        let id = told
            .split_once(r#""patch_id":""#)
            .and_then(|(_, rest)| rest.split('"').next());
        if let Some(id) = id.filter(|id| id.starts_with(beginning)) {
            *seen.entry(id).or_default() += 1;
        }
    }
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    seen.len()
}

fn read_until(reader: &mut Reader, what: &str, mut done: impl FnMut(&Reader) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done(reader) {
        assert!(
            Instant::now() < deadline,
            "{what}: {} read",
            reader.aside.len()
        );
        reader.read_for(Duration::from_millis(200));
    }
}

/// The partitions that `crisol dlq resume` names, by the given flags.
fn halted(stream: &Stream, flags: &[&str]) -> Vec<Value> {
    let arguments = [&["dlq", "resume", "--json"], flags].concat();
    serde_json::from_str(&stream.crisol(&arguments)).unwrap()
}

fn wait_halted(stream: &Stream) -> Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let [one] = &halted(stream, &["--dry-run"])[..] {
            return one.clone();
        }
        assert!(Instant::now() < deadline, "nothing was halted");
    }
}

#[test]
fn a_flood_halts_its_partition_over_a_restart_until_it_is_resumed_and_loses_nothing() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "flood");
    let (feeder, patches) = (stream.feeder(), stream.topic("patches"));
    // As many bad ones, with a good one after every third: no flood.
    for n in 0..500 {
        feed_bad(&feeder, &patches, MIXED, 3 * n..3 * n + 3);
        feed_good(&feeder, &patches, MIXED, n..n + 1);
    }
    feed_bad(&feeder, &patches, FLOODED, 0..3_000);
    feed_good(&feeder, &patches, FLOODED, 0..10);
    feeder.flush();
    let mut reader = stream.reader();
    reader.set_aside = Some("flood-".to_owned());

    let mut replica = stream.replica("r0");
    let first = wait_halted(&stream);
    assert_eq!(first["topic"], "patches");
    assert_eq!(first["resumed"], false);
    let in_a_row = first["bad_in_a_row"].as_u64().unwrap() as usize;
    assert!((IN_A_ROW..=IN_A_ROW + BATCH).contains(&in_a_row), "{first}");
    assert!(
        replica.process.log().contains("crisol dlq resume"),
        "{}",
        replica.process.log_tail()
    );
    let address = replica.http();
    let metric = format!(
        r#"crisol_partition_halted{{partition="{}",role="validate"}}"#,
        first["partition"]
    );
    assert_eq!(figure(&address, &metric), 1.0);
    let (_, detailed) = get(&address, "/health/detailed");
    let detailed: Value = serde_json::from_str(&detailed).unwrap();
    assert_eq!(detailed["status"], "degraded", "{detailed}");
    assert_eq!(detailed["halted"][0]["partition"], first["partition"]);

    // Killed and started again it stays halted, and the other partitions move on meanwhile.
    replica.process.kill();
    feed_good(&feeder, &patches, MIXED, 500..600);
    feeder.flush();
    let mut replica = stream.replica("r0");
    read_until(&mut reader, "the other partition", |reader| {
        outcomes(reader, &format!("flood-good-{MIXED}")) == 600
    });
    assert_eq!(outcomes(&reader, &format!("flood-bad-{MIXED}")), 1_500);
    let bad = format!("flood-bad-{FLOODED}");
    assert_eq!(outcomes(&reader, &bad), in_a_row);
    assert_eq!(figure(&replica.http(), &metric), 1.0);

    // Resumed, it goes on and halts again, because the flood is not over.
    let resumed = halted(&stream, &["--partition", &first["partition"].to_string()]);
    assert_eq!(resumed[0]["resumed"], true);
    read_until(&mut reader, "the second halt", |reader| {
        outcomes(reader, &bad) >= in_a_row + IN_A_ROW
    });
    let second = wait_halted(&stream);
    assert!(second["goes_on_at"].as_i64() > first["goes_on_at"].as_i64());
    assert_eq!(outcomes(&reader, &format!("flood-good-{FLOODED}")), 0);

    // Resumed once more, the rest passes, and so does what is good behind it.
    halted(&stream, &[]);
    read_until(&mut reader, "the rest", |reader| {
        outcomes(reader, &format!("flood-good-{FLOODED}")) == 10
    });
    assert_eq!(outcomes(&reader, &bad), 3_000);
    assert!(halted(&stream, &["--dry-run"]).is_empty());
    assert_eq!(figure(&replica.http(), &metric), 0.0);
    replica.stop();
}

#[test]
fn what_is_not_halted_cannot_be_resumed() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "flood-none");
    assert!(
        stream
            .crisol(&["dlq", "resume"])
            .contains("no partition is halted")
    );
    let mut command = crisol();
    command
        .args(["dlq", "resume", "--partition", "7"])
        .envs(stream.environment("tool"));
    let output = run(command, b"", LIMIT);
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("partition 7 is not halted"), "{error}");
}
