//! Patches as they travel: Eureka's patch events and validation requests.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Form};
use super::expect::{Change, Claim};
use super::random::Random;

/// Returns the event's fields; those of the producer's own opinion say anything.
pub fn body(draft: &Draft, nonce: &str, random: &mut Random) -> Map<String, Value> {
    let files: Vec<&str> = draft
        .diff
        .lines()
        .filter_map(|line| line.strip_prefix("+++ b/"))
        .collect();
    let strategy = match draft.change {
        Change::Bumps(_) => "dependency_upgrade",
        Change::Code => "code_patch",
    };
    let mut body = match &draft.form {
        Form::Patch => json!({
            "patch_id": nonce,
            "strategy_used": strategy,
            "diff_content": draft.diff,
            "files_modified": files,
            "confidence_score": f64::from(random.below(101)) / 100.0,
            "generated_at": "2024-06-01T00:00:00Z",
            "validation_passed": random.chance(50),
            "test_results": null,
            "branch_name": format!("fix/{nonce}"),
            "commit_sha": null,
            "pr_url": null,
            "generator": random.pick(&["eureka/2.4", "codex", "range"]),
        }),
        Form::DiffRequest => json!({ "apv_id": format!("apv-{nonce}"), "patch_diff": draft.diff }),
        Form::CodeRequest { before, after } => json!({
            "apv_id": format!("apv-{nonce}"),
            "vulnerability": { "type": "out_of_bounds", "severity": "low", "affected_code": before },
            "patch": { "type": "code", "code": after },
        }),
    };
    body["cve_id"] = json!(draft.cve_id);
    match &draft.claim {
        Some(Claim {
            ecosystem: Some(ecosystem),
            name,
            version,
        }) => {
            body["target"] = json!({
                "ecosystem": ecosystem.name(),
                "package": name,
                "version": version.to_string(),
            });
        }
        Some(Claim {
            ecosystem: None,
            name,
            ..
        }) => body["package"] = json!(name),
        None => {}
    }
    if let Some(apv) = &draft.apv {
        body["apv"] = apv.clone();
    }
    match body {
        Value::Object(fields) => fields,
        _ => unreachable!("the body is an object"),
    }
}
