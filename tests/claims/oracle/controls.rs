//! Controls: the account finds each fault that it is there to find, and none in a right run.

use serde_json::{Value, json};

use super::identity::{decision_id, sha256};
use super::tests::{EVENTS, stream};
use super::{About, Account, Disposition, Event, Expected, Header, Kind, Outlet, Report, Sighting};

/// An output as a right implementation would write it.
#[derive(Clone)]
struct Written {
    outlet: Outlet,
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

fn written(event: &Event, offset: i64) -> Written {
    let Expected {
        disposition,
        reason,
        digest,
        about,
        ..
    } = &event.expected;
    match about {
        About::Letter { .. } => {
            let mut headers = event.headers.clone();
            let offset = offset.to_string();
            for (name, text) in [
                ("reason", *reason),
                ("message", "m"),
                ("topic", "patches"),
                ("partition", "0"),
                ("offset", &offset),
                ("timestamp", "0"),
                ("attempt", "1"),
                ("first_failure", "0"),
                ("digest", digest),
            ] {
                headers.push((format!("crisol_dlq_{name}"), Some(text.as_bytes().to_vec())));
            }
            let (key, value) = (event.key.clone(), event.value.clone());
            Written {
                outlet: Outlet::Dlq,
                partition: 0,
                key,
                value,
                headers,
            }
        }
        About::Patch {
            patch_id,
            cve_id,
            package,
        } => {
            let input: Value = serde_json::from_slice(event.value.as_deref().unwrap()).unwrap();
            let mut output = json!({
                "decision_id": decision_id(patch_id, digest),
                "patch_id": patch_id,
                "patch_digest": digest,
                "cve_id": cve_id,
                "package": package.as_deref().unwrap_or("*"),
                "reason": reason,
                "source": { "topic": "patches", "partition": 0, "offset": offset, "timestamp_ms": 0 },
            });
            let outlet = match disposition {
                Disposition::Decided => {
                    output["decision"] = json!("auto_approved");
                    Outlet::Decisions
                }
                _ => {
                    let diff = input.get("diff_content").or(input.get("patch_diff"));
                    output["patch"] = json!({ "diff": diff });
                    Outlet::Hitl
                }
            };
            let value = Some(output.to_string().into_bytes());
            Written {
                outlet,
                partition: 0,
                key: Some(patch_id.clone().into_bytes()),
                value,
                headers: Vec::new(),
            }
        }
    }
}

/// Accounts for 2,000 right outputs after `change` has done what it does to them.
fn verdict_after(change: impl FnOnce(&[Event], &mut Vec<Written>)) -> Report {
    // A request's diff is not in its event, so its item cannot be written from that.
    let events: Vec<Event> = stream(1, 2_000)
        .into_iter()
        .filter(|event| event.expected.kind != Kind::CodeRequest)
        .collect();
    let mut outputs: Vec<Written> = events
        .iter()
        .zip(0..)
        .map(|(event, offset)| written(event, offset))
        .collect();
    change(&events, &mut outputs);
    let expected: Vec<Expected> = events.into_iter().map(|event| event.expected).collect();
    let mut account = Account::new(&expected);
    for output in &outputs {
        account.see(&Sighting {
            outlet: output.outlet,
            partition: output.partition,
            key: output.key.as_deref(),
            value: output.value.as_deref(),
            headers: &output.headers,
        });
    }
    account.verdict()
}

/// Returns the place of the first event with this disposition.
fn first(events: &[Event], disposition: Disposition) -> usize {
    events
        .iter()
        .position(|event| event.expected.disposition == disposition)
        .unwrap()
}

/// Changes one text field of an output's value.
fn rewrite(output: &mut Written, field: &str, text: &str) {
    let mut value: Value = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
    value[field] = json!(text);
    output.value = Some(value.to_string().into_bytes());
}

fn counts(report: &Report) -> [usize; 5] {
    [
        report.lost.len(),
        report.twice.len(),
        report.wrong.len(),
        report.unexpected.len(),
        report.went_back.len(),
    ]
}

#[test]
fn a_right_run_is_clean() {
    let report = verdict_after(|_, _| {});
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.expected, report.seen);
}

#[test]
fn a_lost_event_is_found() {
    for disposition in [Disposition::Decided, Disposition::Queued, Disposition::Dead] {
        let report = verdict_after(|events, outputs| {
            outputs.remove(first(events, disposition));
        });
        assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{report}");
    }
}

#[test]
fn a_doubled_event_is_found_even_on_another_topic() {
    for disposition in [Disposition::Decided, Disposition::Queued, Disposition::Dead] {
        let report = verdict_after(|events, outputs| {
            let at = first(events, disposition);
            outputs.insert(at, outputs[at].clone());
        });
        assert_eq!(counts(&report), [0, 1, 0, 0, 0], "{report}");
    }
    let report = verdict_after(|events, outputs| {
        let mut moved = outputs[first(events, Disposition::Queued)].clone();
        moved.outlet = Outlet::Decisions;
        rewrite(&mut moved, "decision", "auto_approved");
        outputs.push(moved);
    });
    assert_eq!(report.twice.len(), 1, "{report}");
}

#[test]
fn a_wrong_reason_is_found_with_both_sides() {
    let report = verdict_after(|events, outputs| {
        rewrite(
            &mut outputs[first(events, Disposition::Queued)],
            "reason",
            "kill_switch",
        );
    });
    assert_eq!(counts(&report), [0, 0, 1, 0, 0], "{report}");
    assert_eq!(report.wrong[0].what, "reason");
    assert_eq!(report.wrong[0].seen, "kill_switch");
    assert!(report.to_string().contains("seen kill_switch"), "{report}");
}

#[test]
fn a_changed_payload_is_found() {
    // Another diff on an item, another digest on a decision, other bytes, key or headers on a letter.
    let report = verdict_after(|events, outputs| {
        let output = &mut outputs[first(events, Disposition::Queued)];
        let mut value: Value = serde_json::from_slice(output.value.as_deref().unwrap()).unwrap();
        value["patch"]["diff"] = json!("--- a/x\n");
        output.value = Some(value.to_string().into_bytes());
    });
    assert_eq!(counts(&report), [0, 0, 1, 0, 0], "{report}");
    let report = verdict_after(|events, outputs| {
        let output = &mut outputs[first(events, Disposition::Decided)];
        rewrite(output, "patch_digest", &sha256(b"other"));
    });
    assert_eq!(counts(&report), [0, 0, 2, 0, 0], "{report}");
    for change in [
        (|letter: &mut Written| letter.value = Some(b"other".to_vec())) as fn(&mut Written),
        |letter| letter.key = Some(b"other".to_vec()),
        |letter| letter.headers.insert(0, ("x".to_owned(), None)),
    ] {
        let report = verdict_after(|events, outputs| {
            let at = events
                .iter()
                .position(|event| event.expected.kind == Kind::BadUtf8)
                .unwrap();
            change(&mut outputs[at]);
        });
        assert_eq!(counts(&report), [0, 0, 1, 0, 0], "{report}");
    }
}

#[test]
fn an_unexpected_output_is_found() {
    let report = verdict_after(|events, outputs| {
        let at = first(events, Disposition::Decided);
        let mut stranger = outputs[at].clone();
        stranger.key = Some(b"nobody".to_vec());
        rewrite(&mut stranger, "patch_id", "nobody");
        outputs.insert(at, stranger);
    });
    assert_eq!(counts(&report), [0, 0, 0, 1, 0], "{report}");
    let report = verdict_after(|_, outputs| outputs[0].value = Some(b"{}".to_vec()));
    assert!(!report.is_clean());
}

#[test]
fn an_input_that_goes_back_is_found() {
    let report = verdict_after(|events, outputs| {
        let at: Vec<usize> = (0..events.len())
            .filter(|at| events[*at].expected.disposition == Disposition::Decided)
            .collect();
        outputs.swap(at[0], at[1]);
    });
    assert_eq!(counts(&report), [0, 0, 0, 0, 1], "{report}");
}

#[test]
fn a_letter_that_does_not_fit_may_leave_its_body_out() {
    let event = stream(1, EVENTS)
        .into_iter()
        .find(|event| event.expected.kind == Kind::TooLarge)
        .unwrap();
    let mut letter = written(&event, 0);
    letter
        .headers
        .retain(|(name, _)| name.starts_with("crisol_dlq_"));
    let mut account = Account::new(std::slice::from_ref(&event.expected));
    account.see(&Sighting {
        outlet: Outlet::Dlq,
        partition: 0,
        key: None,
        value: None,
        headers: &letter.headers,
    });
    assert!(account.verdict().is_clean(), "{}", account.verdict());
    assert_eq!(account.outstanding(), 0);
}
