//! `crisol replay`: patches judged again are held against what was published, and nothing real is
//! touched unless somebody says so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Cluster, run};
use crate::oracle::Outlet;
use crate::stream::{Load, Replica, Stream, crisol, snapshot};

const LIMIT: Duration = Duration::from_secs(120);
const TWO_FILES: &str = r#"{"patch_id":"two-files","cve_id":"CVE-2020-1","diff_content":"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n--- a/y.c\n+++ b/y.c\n@@ -1 +1 @@\n-a\n+b\n"}"#;

/// Runs `crisol replay` and returns its exit code and what it printed, on both outputs.
fn replay(stream: &Stream, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = crisol();
    command
        .args(["replay", "--json"])
        .args(arguments)
        .envs(stream.environment("tool"));
    let output = run(command, b"", LIMIT);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The same, for a run that must come to a report.
fn report(stream: &Stream, arguments: &[&str]) -> (i32, Value) {
    let (code, out, error) = replay(stream, arguments);
    let report = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code:?} {out} {error}"));
    (code.unwrap(), report)
}

/// A stream with outcomes, whose account is clean; how many there are.
fn judged(stream: &Stream, seed: u64) -> usize {
    let replica = stream.replica("r0");
    let mut load = Load::begin(stream, "rejudge", seed);
    load.run_until_seen(600, LIMIT);
    let account = load.end();
    assert!(account.is_clean(), "{account}");
    replica.stop();
    load.fed
}

#[test]
fn a_replay_under_the_same_facts_finds_nothing_and_leaves_the_real_topics_alone() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "rejudge-same");
    let fed = judged(&stream, 31);
    let before = snapshot(&stream, "read_committed");

    let (code, told) = report(&stream, &["--name", "same"]);
    assert_eq!(told["differences"], Value::Array(Vec::new()));
    assert_eq!(
        (code, &told["records"], &told["same"]),
        (0, &fed.into(), &fed.into())
    );
    assert_eq!(snapshot(&stream, "read_committed"), before);

    // Its own topic holds each outcome, marked; a second run of that name has nothing left to do.
    let aside = stream.topic("replay.same");
    assert_eq!(told["outcomes"].as_str(), Some(&*aside));
    let marked = stream.console().tool(
        "console-consumer",
        &[
            "--topic",
            &aside,
            "--from-beginning",
            "--isolation-level",
            "read_committed",
            "--timeout-ms",
            "8000",
            "--property",
            "print.headers=true",
            "--property",
            "print.value=false",
        ],
        b"",
    );
    let count = marked
        .lines()
        .filter(|line| line.contains("crisol_replay:same"))
        .count();
    assert_eq!(count, fed);
    let (code, told) = report(&stream, &["--name", "same"]);
    assert_eq!((code, &told["records"]), (0, &0.into()));
}

#[test]
fn what_the_facts_of_now_change_is_shown_and_published_only_when_asked_for() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "rejudge-differ");
    let fed = judged(&stream, 32);
    let before = snapshot(&stream, "read_committed");
    let approved = before
        .values()
        .filter(|told| told.outlet == Outlet::Decisions)
        .count();
    assert!(approved > 20, "{approved} of {fed}");

    stream.crisol(&["control", "set", "kill_switch", "true"]);
    let (code, told) = report(&stream, &["--name", "differ"]);
    assert_eq!((code, &told["records"]), (1, &fed.into()));
    let differences = told["differences"].as_array().unwrap();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for one in differences {
        let kind = format!(
            "{}/{} now {}/{}",
            one["published"]["topic"],
            one["published"]["reason"],
            one["now"]["topic"],
            one["now"]["reason"]
        );
        *kinds.entry(kind.replace('"', "")).or_default() += 1;
    }
    let stopped: usize = kinds
        .iter()
        .filter(|(kind, _)| {
            kind.starts_with("decisions/") && kind.ends_with("now hitl/kill_switch")
        })
        .map(|(_, count)| count)
        .sum();
    assert_eq!(stopped, approved, "{kinds:?}");

    // One record alone, by its place.
    let place = differences[0]["record"].as_str().unwrap();
    let (partition, from) = place.split_once(':').unwrap();
    let to = (from.parse::<i64>().unwrap() + 1).to_string();
    let one = [
        "--name",
        "one",
        "--partition",
        partition,
        "--from",
        from,
        "--to",
        &to,
    ];
    let (code, told) = report(&stream, &one);
    assert_eq!(
        (code, &told["records"], &told["differ"]),
        (1, &1.into(), &1.into())
    );

    // Nobody is at the terminal to be asked.
    let (code, _, error) = replay(&stream, &["--name", "out", "--publish"]);
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("--yes"), "{error}");
    assert_eq!(snapshot(&stream, "read_committed"), before);

    let out = ["--name", "out", "--publish", "--yes"];
    let (code, told) = report(&stream, &out);
    assert_eq!((code, &told["records"]), (1, &fed.into()));
    let after = snapshot(&stream, "read_committed");
    assert_eq!(after.len(), before.len() + fed);
    let fresh: Vec<_> = after
        .iter()
        .filter(|(place, _)| !before.contains_key(*place))
        .collect();
    assert!(fresh.iter().all(|(_, told)| {
        let marked = told
            .headers
            .iter()
            .any(|(name, value)| name == "crisol_replay" && value.as_deref() == Some(b"out"));
        marked && told.outlet != Outlet::Decisions
    }));
    // Done is done, and what a replay published is not what was published.
    let (_, told) = report(&stream, &out);
    assert_eq!(told["records"], 0);
    let (_, told) = report(&stream, &["--name", "again"]);
    assert_eq!(told["differ"], differences.len());
}

#[test]
fn letters_are_judged_again_to_see_whether_they_would_pass_now() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "rejudge-letters");
    let (feeder, patches) = (stream.feeder(), stream.topic("patches"));
    for value in [TWO_FILES, "{"] {
        feeder.send(&patches, Some(b"CVE-2020-1"), Some(value.as_bytes()), &[]);
    }
    feeder.flush();
    let strict = Replica::start(&stream, "r0", &[("CRISOL_DIFF_MAX_FILES", "1")]);
    let deadline = Instant::now() + LIMIT;
    while snapshot(&stream, "read_committed").len() < 2 {
        assert!(Instant::now() < deadline, "no letters");
    }
    strict.stop();
    let (code, told) = report(&stream, &["--dlq"]);
    assert_eq!(
        (code, &told["records"], &told["same"]),
        (1, &2.into(), &1.into()),
        "{told}"
    );
    let one = &told["differences"][0];
    assert_eq!(one["patch_id"], "two-files");
    assert_eq!(one["published"]["reason"], "limit_exceeded");
    assert_eq!(one["now"]["reason"], "apv_unknown");
}

#[test]
fn what_is_asked_wrongly_is_answered_with_what_would_be_right() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "rejudge-usage");
    for (arguments, says) in [
        (&["--from", "4711"][..], "--partition"),
        (&["--from", "yesterday"], "2026-"),
        (&["--partition", "99"], "partitions 0 to 5"),
        (&["--name", "a b"], "--name"),
        (&["--dlq", "--publish"], "--publish"),
    ] {
        let (code, _, error) = replay(&stream, arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}
