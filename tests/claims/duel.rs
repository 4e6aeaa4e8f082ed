//! Wargames in the stream: what judges leave open is tried, and each request ends once, whatever happens meanwhile.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::message::{Headers, Message};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::Cluster;
use crate::stream::{Replica, Stream, all_of, figure, get};

pub(crate) const LIMIT: Duration = Duration::from_secs(300);
/// The exploit that cases are tried with: an application of the catalogue's own, which needs no registry.
const EXPLOIT: &str = "exploits/range/vendored-dependency";

/// A stream whose replicas know the catalogue, and an arena of its own.
pub(crate) struct Duel {
    pub(crate) stream: Stream,
    _directory: TempDir,
}

impl Duel {
    pub(crate) fn new(name: &str, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).unwrap();
        let below = |name: &str| directory.path().join(name).display().to_string();
        let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("exploits/range");
        let (arena, targets, catalogue) = (
            below("arena"),
            below("targets"),
            catalogue.display().to_string(),
        );
        let mut all = vec![
            ("CRISOL_ARENA_DIRECTORY", arena.as_str()),
            ("CRISOL_TARGETS_CACHE", &targets),
            ("CRISOL_EXPLOITS_DIRECTORY", &catalogue),
            ("AUTO_APPROVE_ENABLED", "true"),
            ("AB_TESTING_ENABLED", "false"),
        ];
        all.extend_from_slice(settings);
        let stream = Stream::create_with(Cluster::shared().bootstrap(), name, &all);
        let apv = json!({
            "cve_id": "CVE-2098-0001",
            "modified": "2026-01-01T00:00:00Z",
            "priority": "medium",
            "cwe_ids": ["CWE-22"],
            "affected_packages": [{
                "ecosystem": "PyPI", "name": "tinystatic",
                "affected_versions": ["<2.0.0"], "fixed_versions": ["2.0.0"], "has_fix": true,
            }],
        });
        let duel = Self {
            stream,
            _directory: directory,
        };
        duel.send("apv", "CVE-2098-0001", &apv);
        duel
    }

    pub(crate) fn send(&self, topic: &str, key: &str, value: &Value) {
        let feeder = self.stream.feeder();
        let value = value.to_string();
        feeder.send(
            &self.stream.topic(topic),
            Some(key.as_bytes()),
            Some(value.as_bytes()),
            &[],
        );
        feeder.flush();
    }

    /// Sends a patch, by the file of the exploit that holds its diff.
    fn patch(&self, patch_id: &str, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXPLOIT);
        let diff = std::fs::read_to_string(path.join(file)).unwrap();
        self.send(
            "patches",
            "CVE-2098-0001",
            &json!({"patch_id": patch_id, "cve_id": "CVE-2098-0001", "diff_content": diff}),
        );
    }

    /// What stands on a topic, by patch.
    pub(crate) fn events(&self, topic: &str) -> Vec<Value> {
        let all = all_of(&self.stream, topic, "read_committed");
        let values = all.iter().filter_map(Message::payload);
        values
            .map(|value| serde_json::from_slice(value).unwrap())
            .collect()
    }

    /// Waits until a topic has so many events, and returns them.
    pub(crate) fn wait_for(&self, topic: &str, count: usize) -> Vec<Value> {
        self.wait_for_within(LIMIT, topic, count)
    }

    /// The same, for a load that takes longer than others.
    pub(crate) fn wait_for_within(&self, limit: Duration, topic: &str, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let events = self.events(topic);
            if events.len() >= count {
                return events;
            }
            let there = events.len();
            assert!(began.elapsed() < limit, "{topic}: {there} of {count}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub(crate) fn replicas(&self) -> [Replica; 2] {
        ["validate", "wargame"].map(|role| {
            let mut replica = Replica::of_role(role, &self.stream, "r0", &[]);
            replica.wait_assigned();
            replica
        })
    }
}

fn only<'e>(events: &'e [Value], patch_id: &str) -> &'e Value {
    let mut of_it = events.iter().filter(|event| event["patch_id"] == patch_id);
    let found = of_it
        .next()
        .unwrap_or_else(|| panic!("nothing of {patch_id}: {events:?}"));
    assert!(of_it.next().is_none(), "{patch_id} came twice");
    found
}

#[test]
fn what_the_judge_leaves_open_is_tried_and_only_what_holds_is_approved() {
    let duel = Duel::new("duel", &[]);
    let replicas = duel.replicas();
    duel.patch("good", "fix.diff");
    duel.patch("short", "wrong/one-version-short.diff");
    duel.patch("code", "wrong/removes-a-path.diff");

    let decisions = duel.wait_for("decisions", 1);
    let items = duel.wait_for("hitl", 2);
    let good = only(&decisions, "good");
    assert_eq!(good["decision"], "auto_approved");
    assert_eq!(good["reason"], "wargame_mitigated");
    let wargame = &good["facts"]["wargame"];
    assert_eq!(wargame["verdict"], "mitigated");
    assert_eq!(wargame["exploit"], "range-vendored-dependency");
    assert_eq!(wargame["second"]["by"], "advisory");
    // Each variant once before, and three times after: with other payloads, and in other surroundings.
    let runs = wargame["runs"].as_array().unwrap();
    let of = |phase: &str| runs.iter().filter(|run| run["phase"] == phase).count();
    assert_eq!(of("phase2"), 3 * of("phase1"), "{runs:?}");
    // The facts say that 2.0.0 is fixed; the exploit says that it is not.
    for patch_id in ["short", "code"] {
        let item = only(&items, patch_id);
        assert_eq!(item["reason"], "still_exploitable", "{item}");
        assert!(item["facts"]["wargame"]["detail"].is_string(), "{item}");
    }
    let verdicts = duel.wait_for("verdicts", 3);
    assert_eq!(only(&verdicts, "good")["verdict"], "mitigated");
    assert_eq!(only(&verdicts, "short")["verdict"], "still_exploitable");
    // What is counted for the rule: that it was right once and wrong once.
    let control = all_of(&duel.stream, "control", "read_committed");
    let last = control.last().unwrap();
    assert_eq!(last.key(), Some(&b"evidence.advisory.major.r0"[..]));
    let count: Value = serde_json::from_slice(last.payload().unwrap()).unwrap();
    assert_eq!((&count["agreed"], &count["n"]), (&json!(1), &json!(2)));
    let trials = count["trials"].as_array().unwrap();
    let trial_of = |version: &str, right: bool| {
        let is = |trial: &&Value| {
            let name = trial[0].as_str().unwrap();
            name.starts_with("CVE-2098-0001 PyPI/tinystatic ")
                && name.ends_with(&format!("-> {version}"))
                && trial[1] == right
        };
        assert_eq!(trials.iter().filter(is).count(), 1, "{count}");
    };
    trial_of("2.0.1", true);
    trial_of("2.0.0", false);
    // The same list for an operator, and what may not be set.
    let listed = duel
        .stream
        .crisol(&["control", "get", "evidence", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["evidence"][0]["writers"]["r0"], count, "{listed}");
    let shown = duel.stream.crisol(&["control", "get", "evidence.advisory"]);
    assert!(
        shown.contains("PyPI/tinystatic") && shown.contains("1 of 2"),
        "{shown}"
    );
    // Each request has one outcome, and names the record it came from.
    assert_eq!(duel.events("wargames").len(), 3);
    assert_eq!(
        (duel.events("decisions").len(), duel.events("hitl").len()),
        (1, 2)
    );

    // What was found counts when the same patch comes again: nothing is tried a second time.
    duel.patch("again", "wrong/one-version-short.diff");
    let items = duel.wait_for("hitl", 3);
    assert_eq!(only(&items, "again")["reason"], "judge_refuses");
    assert_eq!(duel.events("wargames").len(), 3);
    for replica in replicas {
        replica.stop();
    }
}

#[test]
fn a_worker_that_is_killed_leaves_one_outcome_of_each_request() {
    // In the middle of a wargame and right after an outcome was committed; and with an outcome half written.
    for (name, points) in [
        (
            "duel-kill",
            &["during-wargame:kill:7", "after-commit:kill:1"][..],
        ),
        ("duel-half", &["before-commit:kill:1"]),
    ] {
        let duel = Duel::new(name, &[]);
        let mut validate = Replica::of_role("validate", &duel.stream, "r0", &[]);
        validate.wait_assigned();
        let patches = ["k0", "k1", "k2", "k3"];
        for patch_id in patches {
            duel.patch(patch_id, "fix.diff");
        }
        for point in points {
            let worker = [("CRISOL_FAILPOINT", *point)];
            let mut worker = Replica::of_role("wargame", &duel.stream, "r0", &worker);
            let status = worker.process.wait(LIMIT).expect("it lives on");
            assert!(!status.success(), "{point}: {}", worker.process.log_tail());
        }
        let worker = Replica::of_role("wargame", &duel.stream, "r0", &[]);
        let decisions = duel.wait_for("decisions", patches.len());
        worker.stop();
        assert_eq!(duel.events("decisions").len(), patches.len());
        assert!(duel.events("hitl").is_empty() && duel.events("dlq").is_empty());
        for patch_id in patches {
            assert_eq!(only(&decisions, patch_id)["reason"], "wargame_mitigated");
        }
        // The counts are those of what was committed, not of what was tried; and four events of one bump, some of them
        // tried more than once, are one trial that was written once.
        let control = all_of(&duel.stream, "control", "read_committed");
        assert_eq!(control.len(), 1);
        let last = control.last().unwrap().payload().unwrap();
        let count: Value = serde_json::from_slice(last).unwrap();
        assert_eq!((&count["agreed"], &count["n"]), (&json!(1), &json!(1)));
        assert_eq!(count["trials"].as_array().unwrap().len(), 1, "{count}");
        validate.stop();
    }
}

#[test]
fn a_request_that_kills_every_worker_goes_to_a_person_at_the_third_start() {
    let duel = Duel::new("duel-abort", &[]);
    let mut validate = Replica::of_role("validate", &duel.stream, "r0", &[]);
    validate.wait_assigned();
    duel.patch("fatal", "fix.diff");
    duel.wait_for("wargames", 1);
    let killing = [("CRISOL_FAILPOINT", "abort-on:fatal")];
    for _ in 0..2 {
        let mut worker = Replica::of_role("wargame", &duel.stream, "r0", &killing);
        let status = worker.process.wait(LIMIT).expect("it lives on");
        assert!(!status.success());
    }
    let worker = Replica::of_role("wargame", &duel.stream, "r0", &killing);
    let items = duel.wait_for("hitl", 1);
    let item = only(&items, "fatal");
    assert_eq!(item["reason"], "wargame_inconclusive");
    assert_eq!(item["facts"]["wargame"]["verdict"], "inconclusive");
    worker.stop();
    validate.stop();
}

#[test]
fn a_second_worker_takes_requests_over_in_the_middle_of_their_wargames() {
    // An exploit that takes its time.
    let catalogue = altered(|text| {
        replaced(
            text,
            "start: exec python3",
            "start: sleep 0.2; exec python3",
        )
    });
    let directory = catalogue.path().display().to_string();
    let duel = Duel::new("duel-two", &[("CRISOL_EXPLOITS_DIRECTORY", &directory)]);
    let mut validate = Replica::of_role("validate", &duel.stream, "r0", &[]);
    validate.wait_assigned();
    let patches: Vec<String> = (0..6).map(|n| format!("t{n}")).collect();
    for patch_id in &patches {
        duel.patch(patch_id, "fix.diff");
    }
    duel.wait_for("wargames", patches.len());
    let mut first = Replica::of_role("wargame", &duel.stream, "r0", &[]);
    first.wait_assigned();
    // Each that joins moves partitions, and each that leaves moves them back.
    let mut second = Replica::of_role("wargame", &duel.stream, "r1", &[]);
    second.wait_assigned();
    std::thread::sleep(Duration::from_secs(2));
    second.stop();
    let decisions = duel.wait_for("decisions", patches.len());
    assert!(duel.events("hitl").is_empty() && duel.events("dlq").is_empty());
    for patch_id in &patches {
        assert_eq!(only(&decisions, patch_id)["reason"], "wargame_mitigated");
    }
    first.stop();
    assert_eq!(duel.events("decisions").len(), patches.len());
    let control = all_of(&duel.stream, "control", "read_committed");
    let counts: Vec<Value> = control
        .iter()
        .filter_map(|record| serde_json::from_slice(record.payload()?).ok())
        .collect();
    let most = |name: &str| counts.iter().filter_map(|count| count[name].as_u64()).max();
    assert!(
        most("n").is_some() && most("n") == most("agreed"),
        "{counts:?}"
    );
    validate.stop();
}

#[test]
fn a_wargame_is_over_at_its_deadline_whether_it_is_fought_or_waits() {
    // An exploit that takes longer than anybody waits.
    let catalogue =
        altered(|text| replaced(text, "start: exec python3", "start: sleep 2; exec python3"));
    let duel = Duel::new(
        "duel-slow",
        &[
            (
                "CRISOL_EXPLOITS_DIRECTORY",
                &catalogue.path().display().to_string(),
            ),
            ("CRISOL_WARGAME_SLOTS", "1"),
            ("CRISOL_WARGAME_DEADLINE_S", "4"),
        ],
    );
    let replicas = duel.replicas();
    for patch_id in ["fought", "waits", "waits-too"] {
        duel.patch(patch_id, "fix.diff");
    }
    let items = duel.wait_for("hitl", 3);
    for patch_id in ["fought", "waits", "waits-too"] {
        let item = only(&items, patch_id);
        assert_eq!(item["reason"], "wargame_overdue");
        assert_eq!(item["facts"]["wargame"]["unheld"], "overdue");
        assert_eq!(item["facts"]["wargame"]["verdict"], Value::Null);
    }
    for replica in replicas {
        replica.stop();
    }
}

#[test]
fn without_an_arena_people_decide_and_the_stream_goes_on() {
    let duel = Duel::new("duel-bare", &[("CRISOL_ARENA_BWRAP", "/nowhere/bwrap")]);
    let [validate, mut worker] = duel.replicas();
    duel.patch("untried", "fix.diff");
    let items = duel.wait_for("hitl", 1);
    assert_eq!(only(&items, "untried")["reason"], "wargame_unavailable");
    let (_, told) = get(&worker.http(), "/health/detailed");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["status"], "degraded", "{told}");
    let dependencies = told["dependencies"].as_array().unwrap();
    let arena = dependencies.iter().find(|one| one["name"] == "arena");
    assert_eq!(arena.unwrap()["status"], "down");

    // What is no request, or was changed on its way, is a dead letter, and nothing else stops for it.
    let mut forged = duel.events("wargames").remove(0);
    let diff = forged["diff"].as_str().unwrap().replace("2.0.1", "2.0.0");
    forged["diff"] = json!(diff);
    duel.send("wargames", "CVE-2098-0001", &forged);
    forged["diff"] = json!(7);
    duel.send("wargames", "CVE-2098-0001", &forged);
    duel.patch("after", "wrong/removes-a-path.diff");
    let items = duel.wait_for("hitl", 2);
    assert_eq!(only(&items, "after")["reason"], "wargame_unavailable");
    let letters = all_of(&duel.stream, "dlq", "read_committed");
    let reasons: Vec<&[u8]> = letters
        .iter()
        .flat_map(|letter| letter.headers().unwrap().iter())
        .filter(|header| header.key == "crisol_dlq_reason")
        .filter_map(|header| header.value)
        .collect();
    assert_eq!(reasons, [b"schema_violation"; 2]);
    // They can be sent in again where they came from.
    duel.stream
        .crisol(&["dlq", "redrive", "--reason", "schema_violation"]);
    duel.wait_for("wargames", 6);
    worker.stop();
    validate.stop();
}

#[test]
fn without_registries_people_decide_and_nobody_blames_the_patch() {
    let package = "ecosystem: pypi, package: tinystatic, vulnerable: 1.4.0, fixed: 2.0.1";
    let catalogue = altered(|text| {
        let text = replaced(text, "source: app", package);
        replaced(&text, "cwe: [CWE-22]", "cve: CVE-2098-0001")
    });
    let duel = Duel::new(
        "duel-alone",
        &[
            (
                "CRISOL_EXPLOITS_DIRECTORY",
                &catalogue.path().display().to_string(),
            ),
            // Nobody listens there.
            ("PIP_INDEX_URL", "http://127.0.0.1:9/simple"),
            ("PIP_RETRIES", "0"),
        ],
    );
    let [validate, mut worker] = duel.replicas();
    duel.patch("untried", "fix.diff");
    let items = duel.wait_for("hitl", 1);
    let item = only(&items, "untried");
    assert_eq!(item["reason"], "wargame_error", "{item}");
    assert_eq!(item["facts"]["wargame"]["verdict"], "error");
    assert_eq!(get(&worker.http(), "/livez").0, 200);
    // It says nothing of the patch: the next one of its CVE is no worse for it.
    let verdicts = duel.wait_for("verdicts", 1);
    assert_eq!(only(&verdicts, "untried")["verdict"], "error");
    worker.stop();
    validate.stop();
}

#[test]
fn an_approval_that_a_comparison_contradicts_is_taken_back_and_too_many_end_approvals() {
    let duel = Duel::new(
        "duel-ab",
        &[
            ("AB_TESTING_ENABLED", "true"),
            ("AB_TEST_RATE", "1"),
            ("CRISOL_WARGAME_CONTRADICTIONS", "1"),
        ],
    );
    // The rule was right so often that it decides alone.
    duel.send(
        "control",
        "evidence.advisory.major.operator",
        &json!({"agreed": 400, "n": 400}),
    );
    let mut replicas = duel.replicas();
    duel.patch("good", "fix.diff");
    duel.wait_for("comparisons", 1);
    duel.patch("short", "wrong/one-version-short.diff");
    let comparisons = duel.wait_for("comparisons", 2);
    let agrees = only(&comparisons, "good");
    assert_eq!(agrees["outcome"], "judge_confident");
    assert_eq!(
        (&agrees["judged_right"], &agrees["found_right"]),
        (&json!(true), &json!(true))
    );
    let refutes = only(&comparisons, "short");
    assert_eq!(refutes["verdict"], "still_exploitable");
    assert_eq!(
        (&refutes["judged_right"], &refutes["found_right"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(refutes["recalled"], true);

    // The approval of the right one stands; the other was approved and is taken back, once each.
    let decisions = duel.events("decisions");
    assert_eq!(only(&decisions, "good")["decision"], "auto_approved");
    let told: Vec<&Value> = decisions
        .iter()
        .filter(|event| event["patch_id"] == "short")
        .map(|event| &event["decision"])
        .collect();
    assert_eq!(told, ["auto_approved", "recalled"]);
    let items = duel.wait_for("hitl", 1);
    let item = only(&items, "short");
    assert_eq!(item["reason"], "comparison_refutes");
    assert_eq!(item["priority"], 1);

    // What the two say of the judge, for people, machines and Prometheus alike.
    let results = duel.stream.crisol(&["ab", "results", "--json"]);
    let results: Value = serde_json::from_str(&results).unwrap();
    let of_judge = &results[0];
    assert_eq!(of_judge["judge"], "advisory");
    assert_eq!(of_judge["confusion"]["right_right"], 1);
    assert_eq!(of_judge["confusion"]["right_wrong"], 1);
    assert_eq!(of_judge["precision"]["value"], 0.5);
    assert!(
        of_judge["precision"]["lower"].as_f64().unwrap() < 0.2,
        "{results}"
    );
    assert_eq!(of_judge["disagreements"][0]["verdict"], "still_exploitable");
    let shown = duel.stream.crisol(&["ab", "results", "--days", "1"]);
    assert!(
        shown.contains("contradicted by still exploitable"),
        "{shown}"
    );
    let [_, worker] = &mut replicas;
    let address = worker.http();
    let (code, told) = get(&address, "/wargaming/ab-testing/results?days=1");
    assert_eq!((code, serde_json::from_str(&told).unwrap()), (200, results));
    assert_eq!(
        get(&address, "/wargaming/ab-testing/results?days=-1").0,
        400
    );
    let precision = "crisol_comparison_share{bound=\"value\",figure=\"precision\",judge=\"advisory\",model=\"\"}";
    assert_eq!(figure(&address, precision), 0.5);

    // One was too many.
    std::thread::sleep(Duration::from_secs(2));
    duel.patch("next", "fix.diff");
    let items = duel.wait_for("hitl", 2);
    assert_eq!(only(&items, "next")["reason"], "auto_approve_off");
    for replica in replicas {
        replica.stop();
    }
}

/// Returns a catalogue of the exploit alone, with another description.
pub(crate) fn altered(change: impl Fn(&str) -> String) -> TempDir {
    let catalogue = tempfile::tempdir().unwrap();
    let exploit = catalogue.path().join("altered");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(EXPLOIT),
        &exploit,
    );
    let file = exploit.join("exploit.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, change(&text)).unwrap();
    catalogue
}

/// Returns a text with something that it has replaced.
pub(crate) fn replaced(text: &str, is: &str, with: &str) -> String {
    assert!(text.contains(is), "{is}");
    text.replace(is, with)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
