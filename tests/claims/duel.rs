//! Wargames in the stream: what judges leave open is tried, and each request ends once, whatever happens meanwhile.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::message::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::Cluster;
use crate::stream::{Replica, Stream, all_of};

const LIMIT: Duration = Duration::from_secs(120);
/// The exploit that cases are tried with: an application of the catalogue's own, which needs no registry.
const EXPLOIT: &str = "exploits/range/vendored-dependency";

/// A stream whose replicas know the catalogue, and an arena of its own.
struct Duel {
    stream: Stream,
    _directory: TempDir,
}

impl Duel {
    fn new(name: &str, settings: &[(&str, &str)]) -> Self {
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
                "affected_versions": ["<1.0.1"], "fixed_versions": ["1.0.1"], "has_fix": true,
            }],
        });
        let duel = Self {
            stream,
            _directory: directory,
        };
        duel.send("apv", "CVE-2098-0001", &apv);
        duel
    }

    fn send(&self, topic: &str, key: &str, value: &Value) {
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
    fn events(&self, topic: &str) -> Vec<Value> {
        let all = all_of(&self.stream, topic, "read_committed");
        let values = all.iter().filter_map(Message::payload);
        values
            .map(|value| serde_json::from_slice(value).unwrap())
            .collect()
    }

    /// Waits until a topic has so many events, and returns them.
    fn wait_for(&self, topic: &str, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let events = self.events(topic);
            if events.len() >= count {
                return events;
            }
            assert!(
                began.elapsed() < LIMIT,
                "{topic}: {} of {count}",
                events.len()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn replicas(&self) -> [Replica; 2] {
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
    assert_eq!(wargame["runs"].as_array().unwrap().len(), 10);
    // The facts say that 1.0.1 is fixed; the exploit says that it is not.
    for patch_id in ["short", "code"] {
        let item = only(&items, patch_id);
        assert_eq!(item["reason"], "still_exploitable", "{item}");
        assert_eq!(item["facts"]["wargame"]["detail"], "encoded");
    }
    let verdicts = duel.wait_for("verdicts", 3);
    assert_eq!(only(&verdicts, "good")["verdict"], "mitigated");
    assert_eq!(only(&verdicts, "short")["verdict"], "still_exploitable");
    // What is counted for the rule: that it was right once and wrong once.
    let control = all_of(&duel.stream, "control", "read_committed");
    let last = control.last().unwrap();
    assert_eq!(last.key(), Some(&b"evidence.advisory.patch.r0"[..]));
    let count: Value = serde_json::from_slice(last.payload().unwrap()).unwrap();
    assert_eq!(count, json!({"agreed": 1, "n": 2}));
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
