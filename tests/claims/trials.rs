//! Evidence of a rule: what counts is what was tried, not how often it came.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::duel::{Duel, LIMIT, altered, copy, replaced};
use crate::fixture::run;
use crate::stream::crisol;

/// The long form sends so many of each: `CRISOL_LONG=330 cargo test --test claims trials:: -- --nocapture`.
#[test]
fn evidence_is_the_number_of_distinct_trials_however_often_they_come() {
    let each: usize = std::env::var("CRISOL_LONG")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(4);
    // One attack and one check, so that a thousand wargames take minutes.
    let catalogue = altered(|text| {
        let variants = text.split_once("  variants:\n").unwrap().1;
        let variants = variants.split_once("  http:\n").unwrap().0;
        let mut each = variants.lines();
        let one = each.find(|line| line.contains("sibling:")).unwrap();
        let text = replaced(text, variants, &format!("{one}\n"));
        replaced(&text, "pids: 32", "pids: 32, repeats: 2")
    });
    let vendor = catalogue.path().join("altered/app/vendor");
    let more = |version: &str| {
        let of = |version: &str| vendor.join(format!("tinystatic-{version}"));
        copy(&of("2.0.1"), &of(version));
    };
    more("2.0.2");
    let duel = Duel::new(
        "duel-trials",
        &[
            (
                "CRISOL_EXPLOITS_DIRECTORY",
                &catalogue.path().display().to_string(),
            ),
            ("AB_TESTING_ENABLED", "true"),
            ("AB_TEST_RATE", "1"),
        ],
    );
    let replicas = duel.replicas();
    // Another digest, another repository, another event: the same move of the same package.
    let bump = |version: &str, patch_id: &str, index: usize| {
        let diff = format!(
            "diff --git a/requirements.txt b/requirements.txt\nindex {index:07x}..{:07x} 100644\n--- a/requirements.txt\n\
             +++ b/requirements.txt\n@@ -1 +1 @@\n-tinystatic==1.4.0\n+tinystatic=={version}\n",
            index + 1
        );
        duel.send(
            "patches",
            "CVE-2098-0001",
            &json!({
                "patch_id": patch_id, "cve_id": "CVE-2098-0001", "diff_content": diff,
                "repository": format!("example/{index}"),
            }),
        );
    };
    let versions = ["2.0.1", "2.0.2"];
    let send = |round: &str| {
        for nth in 0..each {
            for version in versions {
                // Every other one has the bytes of the one before.
                bump(version, &format!("{round}-{version}-{nth}"), nth / 2);
            }
        }
    };
    let limit = LIMIT + Duration::from_secs(10) * each as u32;
    let wait = |topic: &str, count: usize| {
        duel.wait_for_within(limit, topic, count);
    };
    let own = || {
        let listed = duel
            .stream
            .crisol(&["control", "get", "evidence", "--json"]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed["evidence"][0]["writers"]["r0"].clone()
    };
    bump("2.0.0", "wrong", 0);
    send("tried");
    wait("decisions", 2 * each);
    wait("hitl", 1);
    let count = own();
    assert_eq!(
        (&count["agreed"], &count["n"]),
        (&json!(2), &json!(3)),
        "{count}"
    );
    // The same again from the beginning, and published.
    let mut replay = crisol();
    replay
        .args(["replay", "--publish", "--yes", "--name", "again"])
        .envs(duel.stream.environment("tool"));
    let replayed = run(replay, b"", LIMIT);
    // What is judged anew is asked for anew, so it differs from what was published.
    assert_eq!(replayed.status.code(), Some(1), "{replayed:?}");
    wait("wargames", 1 + 4 * each);
    // Now the judge decides alone, and each is tried to compare.
    duel.send(
        "control",
        "evidence.advisory.major.operator",
        &json!({"agreed": 400, "n": 400, "source": "an operator's own count"}),
    );
    std::thread::sleep(Duration::from_secs(3));
    send("compared");
    wait("comparisons", 2 * each);
    let count = own();
    assert_eq!(
        (&count["agreed"], &count["n"]),
        (&json!(2), &json!(3)),
        "{count}"
    );
    assert_eq!(count["trials"].as_array().unwrap().len(), 3, "{count}");
    // The control: another version is another trial.
    let tried = duel.events("comparisons").len();
    more("2.0.3");
    bump("2.0.3", "another", 0);
    wait("comparisons", tried + 1);
    let began = Instant::now();
    while own()["n"] != 4 {
        assert!(began.elapsed() < LIMIT, "{}", own());
        std::thread::sleep(Duration::from_millis(200));
    }
    println!(
        "{} wargames of {} events and a replay: 3 distinct trials",
        duel.events("wargames").len(),
        4 * each + 2
    );
    for replica in replicas {
        replica.stop();
    }
}
