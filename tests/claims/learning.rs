//! Models: made from labelled patches, measured as a stream, refused when they are none. The patches are made
//! up: right ones check a length before they copy, wrong ones do not, and a few are labelled the other way.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::run;
use crate::stream::crisol;

const LIMIT: Duration = Duration::from_secs(120);

/// Projects, flaws of each, candidates for each flaw.
const SIZE: [usize; 3] = [12, 6, 8];

fn candidate(number: usize, is_right: bool) -> String {
    // Always as long: the length of a name must not tell which file it is in.
    let number = format!("{number:05}");
    let guard = format!(
        "+    if (length_{number} > sizeof(buffer))\n+        return -1;\n+    memcpy(buffer, input, length_{number});\n"
    );
    let none = format!(
        "+    log_{number}(\"copying\");\n+    memcpy(buffer, input, total_{number});\n+    done();\n"
    );
    let added = if is_right { guard } else { none };
    format!(
        "--- a/src/read.c\n+++ b/src/read.c\n@@ -10,4 +10,6 @@\n {{\n     char buffer[64];\n-    memcpy(buffer, input, n{number});\n{added} }}\n"
    )
}

/// A coin that knows nothing of the number but its bits.
fn is_heads(number: usize) -> bool {
    let mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 63 == 1
}

/// Labelled patches of projects from `first` on. `honest` says whether labels have to do with the patches.
fn labelled(first: usize, honest: bool) -> String {
    let [projects, flaws, candidates] = SIZE;
    let mut text = String::new();
    for project in first..first + projects {
        for flaw in 0..flaws {
            for nth in 0..candidates {
                let number = (project * flaws + flaw) * candidates + nth;
                let is_right = number % 3 == 0;
                // One of nine is labelled the other way.
                let label = if honest {
                    is_right != (number % 9 == 4)
                } else {
                    is_heads(number)
                };
                let line = json!({
                    "patch_id": format!("p{number}"), "source": "made-up", "tool": format!("tool-{}", nth % 3),
                    "project": format!("project-{project}"), "instance": format!("flaw-{project}-{flaw}"),
                    "language": "C", "diff": candidate(number, is_right), "label": label, "label_tier": "exec",
                    "replay": if label || number % 7 == 0 { "mitigated" } else { "refused" },
                });
                text.push_str(&format!("{line}\n"));
            }
        }
    }
    text
}

fn tool(args: &[&str]) -> Output {
    let mut command: Command = crisol();
    command.args(args);
    run(command, b"", LIMIT)
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn the_same_patches_and_seed_make_the_same_model_and_another_seed_another() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("known.jsonl"), labelled(0, true)).unwrap();
    for family in ["boosted", "bagged"] {
        let made: Vec<Vec<u8>> = [("a", "1"), ("b", "1"), ("c", "2")]
            .into_iter()
            .map(|(name, seed)| {
                let out = at(name);
                let output = tool(&[
                    "train",
                    path(&at("known.jsonl")),
                    "--out",
                    path(&out),
                    "--family",
                    family,
                    "--trees",
                    "20",
                    "--seed",
                    seed,
                ]);
                assert!(output.status.success(), "{output:?}");
                fs::read(out).unwrap()
            })
            .collect();
        assert!(made[0] == made[1], "{family}: one seed, two models");
        assert!(made[0] != made[2], "{family}: two seeds, one model");
        let shown = tool(&["model", "show", path(&at("a")), "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["training"]["family"], family);
        assert_eq!(shown["training"]["patches"], SIZE.iter().product::<usize>());
        assert_eq!(shown["digest"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn what_is_no_model_for_this_build_is_refused_and_the_reason_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("known.jsonl"), labelled(0, true)).unwrap();
    let made = tool(&[
        "train",
        path(&at("known.jsonl")),
        "--out",
        path(&at("model")),
        "--trees",
        "5",
    ]);
    assert!(made.status.success(), "{made:?}");
    let model: Value = serde_json::from_slice(&fs::read(at("model")).unwrap()).unwrap();
    let broken: [(&str, Value, &str); 6] = [
        (
            "/form",
            json!("crisol.model/0"),
            "its form is crisol.model/0",
        ),
        (
            "/priors/passed",
            json!({"c": {"right": 2, "n": 1}}),
            "more patches that were right than there were",
        ),
        ("/schema", json!("00"), "made for other features (schema 00"),
        ("/first/forest/threshold/0", json!(null), "not a model"),
        ("/first/forest/left/0", json!(0), "not a model"),
        (
            "/second/calibration/low",
            json!(-1.0),
            "not a model: calibration",
        ),
    ];
    for (place, change, told) in broken {
        let mut model = model.clone();
        *model
            .pointer_mut(place)
            .unwrap_or_else(|| panic!("{place}")) = change;
        fs::write(at("broken"), model.to_string()).unwrap();
        let output = tool(&["model", "show", path(&at("broken"))]);
        assert_eq!(output.status.code(), Some(78), "{place}: {output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told), "{place}: {error}");
    }
}

#[test]
fn a_measured_stream_tells_a_judge_that_knows_from_one_that_cannot_know() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut found = Vec::new();
    for (name, honest) in [("honest", true), ("noise", false)] {
        let (known, others) = (at(&format!("{name}-known")), at(&format!("{name}-others")));
        fs::write(&known, labelled(0, honest)).unwrap();
        fs::write(&others, labelled(100, honest)).unwrap();
        let output = tool(&[
            "evaluate",
            "--stream",
            "--train",
            path(&known),
            "--data",
            path(&others),
            "--orders",
            "2",
            "--json",
        ]);
        assert!(output.status.success(), "{output:?}");
        found.push(serde_json::from_slice::<Value>(&output.stdout).unwrap());
    }
    let [honest, noise] = found.as_slice() else {
        unreachable!()
    };
    for key in [
        "auc",
        "ece",
        "decided_share",
        "decided_right",
        "accept_share",
        "accept_precision",
        "reject_share",
        "reject_npv",
    ] {
        for report in [honest, &honest["upper_bound"]] {
            let value = report[key].as_f64().unwrap_or_else(|| panic!("{key}"));
            assert!((0.0..=1.0).contains(&value), "{key} {value}");
            let bounds = &report["intervals"][key];
            let [low, high] =
                [0, 1].map(|at| bounds[at].as_f64().unwrap_or_else(|| panic!("{key}")));
            assert!(low <= high, "{key} {bounds}");
        }
    }
    assert!(honest["auc"].as_f64().unwrap() > 0.85, "{honest}");
    assert!(noise["auc"].as_f64().unwrap() < 0.65, "{noise}");
    assert_eq!(honest["n"], SIZE.iter().product::<usize>());
}

#[test]
fn a_line_that_is_no_labelled_patch_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known.jsonl");
    fs::write(
        &file,
        labelled(0, true).replacen("\"label\":", "\"lable\":", 1),
    )
    .unwrap();
    let output = tool(&["train", path(&file), "--out", path(&dir.path().join("m"))]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("known.jsonl, line 1: ") && error.contains("missing field `label`"),
        "{error}"
    );
}
