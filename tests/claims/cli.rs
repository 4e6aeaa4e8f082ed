//! The commands that need no server: what they answer, and with which exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{guarded, run};

/// The longest any of these commands may take.
const LIMIT: Duration = Duration::from_secs(30);
/// What the demo promises.
const DEMO_LIMIT: Duration = Duration::from_secs(90);

/// Memory of a process that reads a line of 80 MiB.
const DATA_LIMIT: usize = /* 32 MiB */ 32 * 1_024 * 1_024;

/// Evidence as the demo assumes it.
const CONTROL: &str = r#"{"key": "auto_approve", "value": true}
{"key": "evidence.advisory.patch.demo", "value": {"agreed": 120, "n": 120}}
{"key": "evidence.advisory.minor.demo", "value": {"agreed": 80, "n": 80}}
{"key": "evidence.advisory-files.patch.demo", "value": {"agreed": 120, "n": 120}}
"#;

/// What becomes of each line of demo/patches.jsonl, in order: patch, disposition, reason.
const EXPECTED: [(&str, &str, &str); 26] = [
    ("lodash-too-low", "queued", "judge_refuses"),
    ("lodash-good", "decided", "judge_confident"),
    ("jinja-good", "decided", "judge_confident"),
    ("requests-good", "decided", "judge_confident"),
    ("time-good", "decided", "judge_confident"),
    ("xtext-good", "decided", "judge_confident"),
    ("netty-good", "decided", "judge_confident"),
    ("netty-whole", "decided", "judge_confident"),
    ("semver-wrong", "queued", "judge_refuses"),
    ("semver-good", "decided", "judge_confident"),
    ("semver-open", "queued", "advisory_inconclusive"),
    ("cookie-major", "queued", "no_exploit"),
    ("pyyaml-good", "queued", "severity_critical"),
    ("log4j-good", "queued", "severity_critical"),
    ("superset-good", "queued", "kev_listed"),
    ("aiohttp-code", "queued", "no_exploit"),
    ("aiohttp-second", "queued", "open_item"),
    ("aiohttp-bad", "queued", "no_exploit"),
    ("lodash-other", "queued", "judge_unavailable"),
    ("time-hidden", "queued", "judge_unavailable"),
    ("urllib3-good", "queued", "apv_unknown"),
    ("xtext-broken", "dead", "diff_invalid"),
    ("line 23", "dead", "invalid_json"),
    ("line 24", "queued", "judge_unavailable"),
    ("tinystatic-right", "decided", "wargame_mitigated"),
    ("tinystatic-short", "queued", "still_exploitable"),
];
/// The outcome before a wargame of those that have one.
const ASKED: (&str, &str) = ("wargame", "wargame_asked");

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("demo")
        .join(name)
}

/// A command without any setting from the outside.
fn crisol(args: &[&str]) -> Command {
    let mut command = guarded(env!("CARGO_BIN_EXE_crisol"));
    for (name, _) in std::env::vars() {
        if name.starts_with("CRISOL_")
            || ["KAFKA_BROKERS", "AUTO_APPROVE_ENABLED", "LOG_LEVEL"].contains(&name.as_str())
        {
            command.env_remove(name);
        }
    }
    // The demo looks below it by itself.
    let own = if args.first() == Some(&"demo") {
        "exploits"
    } else {
        "exploits/range"
    };
    command.env("CRISOL_EXPLOITS_DIRECTORY", own);
    command.args(args);
    command
}

/// Files of one test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_exit(output: &Output, code: i32) {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
}

/// Returns CVE and diff of a sample.
fn sample(name: &str) -> (String, String) {
    let patches = fs::read_to_string(data("patches.jsonl")).unwrap();
    let found = patches
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|patch| patch["patch_id"] == name)
        .unwrap_or_else(|| panic!("{name}"));
    let field = |name: &str| found[name].as_str().unwrap().to_owned();
    (field("cve_id"), field("diff_content"))
}

/// Checks a diff against a CVE with the demo's facts.
fn check(diff: &[u8], cve_id: &str, more: &[&str]) -> Output {
    let files = Files::new();
    let apv = data("apv.jsonl");
    let control = files.write("control.jsonl", CONTROL);
    let diff = files.write("fix.diff", diff);
    let mut args = vec![
        "check",
        &diff,
        "--cve",
        cve_id,
        "--apv",
        apv.to_str().unwrap(),
        "--control",
        &control,
    ];
    args.extend(more);
    run(crisol(&args), b"", LIMIT)
}

#[test]
fn check_tells_its_answer_by_exit_code_and_in_words() {
    for (name, code, told) in [
        (
            "lodash-good",
            0,
            [
                "approved: judge_confident",
                "lodash ^4.17.15 -> ^4.17.21 in package.json",
            ],
        ),
        (
            "cookie-major",
            1,
            [
                "a person must see it: no_exploit",
                "0.000 (never tried live)",
            ],
        ),
        (
            "log4j-good",
            1,
            ["severity_critical", "severity_critical, kev_listed"],
        ),
        ("lodash-too-low", 1, ["judge_refuses", "inside_affected"]),
        (
            "time-hidden",
            1,
            ["judge_unavailable", "critical: hidden character"],
        ),
        (
            "urllib3-good",
            1,
            ["apv_unknown", "the nearest of its 13 records are CVE-2023-"],
        ),
        (
            "xtext-broken",
            2,
            ["not a patch: diff_invalid", "hunk_length"],
        ),
    ] {
        let (cve_id, diff) = sample(name);
        let output = check(diff.as_bytes(), &cve_id, &[]);
        assert_exit(&output, code);
        let out = text(&output.stdout);
        for part in told {
            assert!(out.contains(part), "{name}: {part}\n{out}");
        }
        assert!(
            !out.contains('\u{1b}') && !out.contains('\u{202e}'),
            "{out}"
        );
        assert_eq!(text(&output.stderr), "");
    }
    // Bytes that are no text are no patch, and the answer says where they cease to be text.
    let output = check(b"--- a/x\n+++ \xff\n", "CVE-2021-23337", &[]);
    assert_exit(&output, 2);
    assert!(text(&output.stdout).contains("invalid utf-8 after byte 12"));
}

#[test]
fn check_prints_the_event_for_machines() {
    let (cve_id, diff) = sample("lodash-good");
    let output = check(
        diff.as_bytes(),
        &cve_id,
        &["--json", "--patch-id", "mine", "--package", "lodash"],
    );
    assert_exit(&output, 0);
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(event["decision"], "auto_approved");
    assert_eq!(event["patch_id"], "mine");
    assert_eq!(
        event["facts"]["judgement"]["evidence"],
        json!({"agreed": 120, "n": 120})
    );
    let output = check(b"no diff", &cve_id, &["--json"]);
    assert_exit(&output, 2);
    let letter: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(letter["disposition"], "dead");
}

#[test]
fn check_approves_nothing_that_nobody_switched_on() {
    let (cve_id, diff) = sample("lodash-good");
    let apv = data("apv.jsonl");
    let apv = apv.to_str().unwrap();
    let files = Files::new();
    // Standard input, and evidence without the switch.
    let evidence = files.write(
        "control.jsonl",
        CONTROL.lines().skip(1).collect::<Vec<_>>().join("\n"),
    );
    let args = [
        "check",
        "-",
        "--cve",
        &cve_id,
        "--apv",
        apv,
        "--control",
        &evidence,
    ];
    let output = run(crisol(&args), diff.as_bytes(), LIMIT);
    assert_exit(&output, 1);
    assert!(text(&output.stdout).contains("auto_approve_off"));
    let mut command = crisol(&args);
    command.env("AUTO_APPROVE_ENABLED", "true");
    assert_exit(&run(command, diff.as_bytes(), LIMIT), 0);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_line() {
    let files = Files::new();
    let apv = fs::read_to_string(data("apv.jsonl")).unwrap();
    let broken = files.write("apv.jsonl", format!("{apv}{{\"cve_id\":"));
    let control = files.write(
        "control.jsonl",
        "{\"key\": \"kill_switch\", \"value\": 3}\n",
    );
    let good = data("apv.jsonl");
    let good = good.to_str().unwrap();
    for (args, told) in [
        (
            ["--apv", &broken, "--cve", "CVE-1"],
            "apv.jsonl, line 14: invalid json",
        ),
        (
            ["--apv", "/nowhere/apv.jsonl", "--cve", "CVE-1"],
            "cannot read /nowhere/apv.jsonl",
        ),
        (["--apv", good, "--cve", "CVE 1"], "cve_id holds"),
    ] {
        let mut all = vec!["check", "-"];
        all.extend(args);
        let output = run(crisol(&all), b"", LIMIT);
        assert_exit(&output, 64);
        assert!(
            text(&output.stderr).contains(told),
            "{}",
            text(&output.stderr)
        );
    }
    let args = ["validate", "--apv", good, "--control", &control];
    let output = run(crisol(&args), b"", LIMIT);
    assert_exit(&output, 64);
    assert!(
        text(&output.stderr).contains("control.jsonl, line 1: kill_switch: takes true or false")
    );
}

#[test]
fn validate_gives_each_line_exactly_one_outcome() {
    let files = Files::new();
    let control = files.write("control.jsonl", CONTROL);
    let (apv, patches) = (data("apv.jsonl"), data("patches.jsonl"));
    let (apv, patches) = (apv.to_str().unwrap(), patches.to_str().unwrap());
    let out = files.write("out.jsonl", "");
    let args = [
        "validate",
        patches,
        "--apv",
        apv,
        "--control",
        &control,
        "--json",
    ];
    let to_file = run(crisol(&[&args[..], &["--out", &out]].concat()), b"", LIMIT);
    assert_exit(&to_file, 0);
    assert!(to_file.stdout.is_empty());
    let summary: Value = serde_json::from_slice(&to_file.stderr).unwrap();
    assert_eq!(
        summary["dispositions"],
        json!({"decided": 8, "queued": 14, "wargame": 2, "compared": 0, "dead": 2})
    );
    assert_eq!(summary["lines"], 26);
    let outcomes: Vec<Value> = fs::read_to_string(&out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(outcomes.len(), EXPECTED.len());
    for (at, (outcome, (name, disposition, reason))) in outcomes.iter().zip(EXPECTED).enumerate() {
        // Nobody holds wargames here.
        let is_tried = name.starts_with("tinystatic-");
        let (disposition, reason) = if is_tried {
            ASKED
        } else {
            (disposition, reason)
        };
        assert_eq!(outcome["line"], at + 1);
        assert_eq!(outcome["disposition"], disposition, "{name}");
        assert_eq!(outcome["reason"], reason, "{name}");
        let topic = match disposition {
            "decided" => "decisions",
            "queued" => "hitl",
            "wargame" => "wargames",
            _ => "dlq",
        };
        assert_eq!(outcome["topic"], topic);
        match topic {
            "dlq" => assert!(
                outcome["message"].is_string() && outcome["digest"].as_str().unwrap().len() == 64
            ),
            _ => assert_eq!(outcome["event"]["reason"], reason),
        }
    }
    // Once more through pipes: the same bytes, but for the name and the time of their source.
    let piped = run(
        crisol(&["validate", "--apv", apv, "--control", &control]),
        &fs::read(patches).unwrap(),
        LIMIT,
    );
    assert_exit(&piped, 0);
    assert!(text(&piped.stderr).contains("26 lines, each with its outcome; 2 of them"));
    for (line, outcome) in text(&piped.stdout).lines().zip(&outcomes) {
        let again: Value = serde_json::from_str(line).unwrap();
        for field in ["line", "disposition", "reason", "topic", "key", "digest"] {
            assert_eq!(again[field], outcome[field]);
        }
        assert_eq!(again["event"]["facts"], outcome["event"]["facts"]);
        assert_eq!(
            again["event"]["decision_id"],
            outcome["event"]["decision_id"]
        );
    }
}

#[test]
fn validate_reads_past_a_line_that_is_too_long() {
    let apv = data("apv.jsonl");
    let mut input = vec![b'x'; 80 * 1_024 * 1_024];
    input.extend_from_slice(b"\n{\n");
    // A process that held the line whole would not fit.
    let mut command = guarded("prlimit");
    command.args([
        &format!("--data={DATA_LIMIT}"),
        env!("CARGO_BIN_EXE_crisol"),
    ]);
    command.args(["validate", "-", "--apv", apv.to_str().unwrap(), "--json"]);
    command.args(["--set", "limits.max_record_bytes=100000"]);
    let output = run(command, &input, LIMIT);
    assert_exit(&output, 0);
    let summary: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        summary["reasons"],
        json!({"limit_exceeded": 1, "invalid_json": 1})
    );
    let first: Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    assert_eq!(
        first["message"],
        "the value has 83886080 bytes, the limit max_record_bytes is 100000"
    );
}

#[test]
fn check_judges_a_bump_on_the_whole_files_of_a_checkout() {
    let (cve_id, diff) = sample("netty-whole");
    let before = {
        let patches = fs::read_to_string(data("patches.jsonl")).unwrap();
        let line = patches.lines().find(|line| line.contains("netty-whole"));
        let patch: Value = serde_json::from_str(line.unwrap()).unwrap();
        patch["files"][0]["before"].as_str().unwrap().to_owned()
    };
    // The hunk shows a property, and no use of it.
    let output = check(diff.as_bytes(), &cve_id, &[]);
    assert_exit(&output, 1);
    assert!(text(&output.stdout).contains("judge_unavailable"));

    let tree = Files::new();
    tree.write("pom.xml", &before);
    let of = |tree: &Files| {
        let root = tree.0.path().to_str().unwrap().to_owned();
        check(diff.as_bytes(), &cve_id, &["--tree", &root])
    };
    let output = of(&tree);
    assert_exit(&output, 0);
    assert!(text(&output.stdout).contains("remedies, on whole files"));

    // Another state of the project is for a person, and the hunk is not asked.
    let other = Files::new();
    other.write("pom.xml", before.replace("4.1.93.Final", "4.1.90.Final"));
    let output = of(&other);
    assert_exit(&output, 1);
    assert!(text(&output.stdout).contains("files_disagree"));

    // A link is not followed: then there is no such file.
    let linked = Files::new();
    let target = tree.0.path().join("pom.xml");
    std::os::unix::fs::symlink(target, linked.0.path().join("pom.xml")).unwrap();
    let output = of(&linked);
    assert_exit(&output, 1);
    assert!(text(&output.stdout).contains("judge_unavailable"));
}

#[test]
fn validate_does_not_write_over_its_input() {
    let files = Files::new();
    let events = files.write("events.jsonl", "{}\n");
    let apv = data("apv.jsonl");
    let output = run(
        crisol(&[
            "validate",
            &events,
            "--apv",
            apv.to_str().unwrap(),
            "--out",
            &events,
        ]),
        b"",
        LIMIT,
    );
    assert_exit(&output, 64);
    assert_eq!(fs::read_to_string(&events).unwrap(), "{}\n");
}

#[test]
fn the_demo_ends_by_itself_with_the_outcomes_it_promises() {
    let mut command = crisol(&["demo", "--json"]);
    command.env("CRISOL_HTTP_LISTEN", "127.0.0.1:0");
    let began = Instant::now();
    let output = run(command, b"", DEMO_LIMIT);
    let took = began.elapsed();
    assert_exit(&output, 0);
    let said = text(&output.stderr);
    let is_warning = |line: &&str| line.contains("started as root");
    assert!(said.lines().all(|line| is_warning(&line)), "{said}");
    assert!(took < DEMO_LIMIT, "{took:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["transactions"], false);
    let outcomes: Vec<(&str, &str, &str)> = shown["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|outcome| {
            let field = |name: &str| outcome[name].as_str().unwrap();
            (field("patch"), field("disposition"), field("reason"))
        })
        .collect();
    assert_eq!(outcomes, EXPECTED);
}

#[test]
fn the_demo_finds_a_port_where_its_own_is_taken_and_stays_up_when_asked() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let files = Files::new();
    let log = files.write("demo.log", "");
    let mut command = crisol(&["demo", "--hold"]);
    command.env(
        "CRISOL_HTTP_LISTEN",
        taken.local_addr().unwrap().to_string(),
    );
    let mut demo = crate::fixture::Process::spawn(command, Path::new(&log));
    let deadline = Instant::now() + DEMO_LIMIT;
    let shown = loop {
        let shown = fs::read_to_string(&log).unwrap();
        if shown.contains("/metrics\n") {
            break shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(
        shown.contains("evidence is assumed: 120 of 120 for patch-level bumps"),
        "{shown}"
    );
    assert!(shown.contains("applies no transactions"), "{shown}");
    assert!(
        shown.contains("-C -t maximus.adaptive-immunity.decisions -e"),
        "{shown}"
    );
    assert!(
        !shown.contains(&format!("http://{}", taken.local_addr().unwrap())),
        "{shown}"
    );
    assert!(demo.ended().is_none());
    let status = demo.terminate(LIMIT);
    assert_eq!(
        status.code(),
        Some(0),
        "{}",
        fs::read_to_string(&log).unwrap()
    );
}

#[test]
fn every_command_explains_itself() {
    for command in [
        &["run"][..],
        &["demo"],
        &["check"],
        &["validate"],
        &["topics"],
        &["topics", "apply"],
        &["topics", "check"],
        &["control"],
        &["control", "get"],
        &["control", "set"],
        &["control", "unset"],
        &["config"],
        &["config", "check"],
    ] {
        let output = run(crisol(&[command, &["--help"]].concat()), b"", LIMIT);
        assert_exit(&output, 0);
        let out = text(&output.stdout);
        assert!(
            out.contains("Usage: crisol ") && out.contains(command[0]),
            "{out}"
        );
    }
    assert_exit(&run(crisol(&["chek"]), b"", LIMIT), 64);
    assert_exit(&run(crisol(&["check", "x.diff"]), b"", LIMIT), 64);
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_command_without_a_word() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = crisol(&["exploits", "list"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn an_unknown_setting_is_refused_wherever_it_stands() {
    let files = Files::new();
    let file = files.write("crisol.toml", "[kafka]\nbrokres = \"x\"\n");
    let by_flag = crisol(&["config", "check", "--set", "kafka.brokres=x"]);
    let by_file = crisol(&["config", "check", "--config", &file]);
    let mut by_variable = crisol(&["config", "check"]);
    by_variable.env("CRISOL_KAFKA_BROKRES", "x");
    for (command, origin) in [
        (by_flag, "kafka.brokres"),
        (by_file, "crisol.toml"),
        (by_variable, "CRISOL_KAFKA_BROKRES"),
    ] {
        let output = run(command, b"", LIMIT);
        assert_exit(&output, 78);
        let told = text(&output.stderr);
        assert!(told.contains(origin) && told.contains("brokres"), "{told}");
    }
}

#[test]
fn config_check_shows_no_secret() {
    let files = Files::new();
    let file = files.write(
        "crisol.toml",
        "[kafka.client]\n\"sasl.password\" = \"hunter2-kafka\"\n\"ssl.key.password\" = \"hunter2-key\"\n",
    );
    for more in [&[][..], &["--json"]] {
        let output = run(
            crisol(&[&["config", "check", "--config", &file], more].concat()),
            b"",
            LIMIT,
        );
        assert_exit(&output, 0);
        let out = text(&output.stdout);
        assert!(
            out.contains("sasl.password") && out.contains("[redacted]"),
            "{out}"
        );
        assert!(
            !out.contains("hunter2") && !text(&output.stderr).contains("hunter2"),
            "{out}"
        );
    }
}
