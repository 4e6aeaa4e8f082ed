//! An outcome in words: what it means and what would change it.

use std::fmt::Write as _;

use crate::cli::answer::{
    Answer, Body, Judged, colored, evidence_text, outcome_word, p_text, risk_name, severity_name,
};
use crate::cli::output;
use crate::event::codec::printable;
use crate::event::decision::Basis;
use crate::event::reason::Reason;
use crate::event::wargame::WargameRecord;

/// Returns the answer for a terminal, ending in a newline. Foreign text in it is escaped.
pub(super) fn tell(answer: &Answer, color: bool) -> String {
    let mut text = String::new();
    let word = outcome_word(answer.disposition);
    let word = colored(word, answer.disposition, color);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{word}: {}", answer.reason);
    let _ = writeln!(text, "  {}", means(answer.reason));
    let mut rows = vec![("next", next(answer.reason).to_owned())];
    match &answer.body {
        Body::Letter { message, digest } => {
            rows.insert(0, ("problem", printable(message)));
            rows.push(("sha-256", digest.clone()));
        }
        Body::Judged(judged) => rows.extend(judged_rows(judged)),
    }
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<10} {value}");
    }
    text
}

fn judged_rows(judged: &Judged) -> Vec<(&'static str, String)> {
    let facts = &judged.facts;
    let judgement = &facts.judgement;
    let mut rows = vec![("patch", printable(&judged.patch_id))];
    rows.push((
        "for",
        format!(
            "{} {}",
            printable(&judged.cve_id),
            printable(&judged.package)
        ),
    ));
    let finding = judgement.finding.as_deref().unwrap_or("cannot judge it");
    rows.push((
        "judge",
        format!(
            "{} v{}: {finding}{}",
            judgement.judge.as_str(),
            judgement.version,
            match judgement.basis {
                Some(Basis::Files) => ", on whole files",
                Some(Basis::Hunks) | None => "",
            }
        ),
    ));
    if let Some(detail) = &judgement.detail {
        rows.push(("because", printable(detail)));
    }
    let evidence = judgement.evidence.map_or_else(String::new, |evidence| {
        format!(" ({})", evidence_text(evidence))
    });
    rows.push(("p", format!("{}{evidence}", p_text(judgement.p))));
    if let Some(level) = &judgement.level {
        rows.push(("level", printable(level)));
    }
    for bump in &judgement.bumps {
        let from = bump
            .from
            .as_deref()
            .map_or_else(|| "none".to_owned(), printable);
        rows.push((
            "moves",
            format!(
                "{} {from} -> {} in {}",
                printable(&bump.package),
                printable(&bump.to),
                printable(&bump.file)
            ),
        ));
    }
    let factors: Vec<String> = facts
        .risk
        .factors
        .iter()
        .map(|factor| printable(factor))
        .collect();
    let factors = if factors.is_empty() {
        String::new()
    } else {
        format!(": {}", factors.join("; "))
    };
    rows.push(("risk", format!("{}{factors}", risk_name(facts.risk.level))));
    if let Some(wargame) = facts.wargame.as_deref() {
        rows.extend(wargame_rows(wargame));
    }
    let kev = if facts.kev {
        "known to be exploited"
    } else {
        "not known to be exploited"
    };
    rows.push((
        "severity",
        format!("{}, {kev}", severity_name(facts.severity)),
    ));
    let policy = &facts.policy;
    rows.push((
        "policy",
        format!(
            "version {}, threshold {}, control version {}, approvals {}",
            policy.version,
            policy.threshold,
            policy.control_version,
            if policy.auto_approve { "on" } else { "off" },
        ),
    ));
    let blockers: Vec<&str> = policy
        .blockers
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    let blockers = if blockers.is_empty() {
        "nothing".to_owned()
    } else {
        blockers.join(", ")
    };
    rows.push(("against it", blockers));
    if let Some((priority, minutes)) = judged.urgency {
        rows.push((
            "urgency",
            format!("priority {priority}, look within {minutes} minutes"),
        ));
    }
    rows.push(("sha-256", printable(&judged.patch_digest)));
    rows
}

/// What a wargame found, and what was said of the patch afterwards.
fn wargame_rows(wargame: &WargameRecord) -> Vec<(&'static str, String)> {
    let detail = wargame.detail.as_deref();
    let detail = detail.map_or_else(String::new, |detail| format!(": {}", printable(detail)));
    let verdict = match (&wargame.verdict, &wargame.unheld) {
        (Some(verdict), _) => output::word(verdict),
        (None, Some(why)) => output::word(why),
        (None, None) => "not held".to_owned(),
    };
    let by = wargame.exploit.as_deref().unwrap_or("no exploit");
    let evidence = wargame.evidence.as_deref();
    let evidence = evidence.map_or_else(String::new, |kind| {
        format!(", evidence {}", printable(kind))
    });
    let mut rows = vec![(
        "wargame",
        format!(
            "{verdict}{detail} ({}{evidence}, {} runs, {} ms)",
            printable(by),
            wargame.runs.len(),
            wargame.took_ms
        ),
    )];
    if let Some(second) = &wargame.second {
        let p = match (second.p, second.accept) {
            (Some(p), Some(accept)) => format!("{p:.3}, accepts from {accept:.3}"),
            _ => "its facts hold".to_owned(),
        };
        let by = printable(&second.by);
        rows.push(("second", format!("{}: {p}", by.get(..12).unwrap_or(&by))));
    }
    rows
}

/// Returns what a reason means.
pub(super) fn means(reason: Reason) -> &'static str {
    match reason {
        Reason::JudgeConfident => {
            "The judge is as sure as policy asks, and nothing stands against approval."
        }
        Reason::ApvUnknown => "Nothing is known of this CVE, so nothing can be judged by it.",
        Reason::ApvInvalid => {
            "The newest record of this CVE cannot be read, so its facts are not relied on."
        }
        Reason::ApvTableStale => "The table of vulnerabilities was not up to date in time.",
        Reason::ApvEmbeddedOnly => {
            "Only the facts that came with the patch are known, and those never approve."
        }
        Reason::ApvWithdrawn => {
            "The advisory of this CVE was withdrawn: by its authors there is nothing to mend."
        }
        Reason::JudgeUnavailable => {
            "No judge can judge this patch: it is not a pure version change of a package that the CVE names."
        }
        Reason::AdvisoryInconclusive => {
            "It is a version change, but versions and ranges do not settle whether it remedies."
        }
        Reason::JudgeRefuses => "The judge holds the patch for wrong.",
        Reason::NoExploit => {
            "The judge is not sure enough, and there is no exploit to try the patch with."
        }
        Reason::KillSwitch => "The judge is sure, but the kill switch stops every approval.",
        Reason::AutoApproveOff => "The judge is sure, but approvals are not switched on here.",
        Reason::SeverityUnknown => {
            "The judge is sure, but nobody says how severe the vulnerability is."
        }
        Reason::SeverityCritical => {
            "The judge is sure, but critical vulnerabilities are decided by people."
        }
        Reason::PatchRisk => "The judge is sure, but the patch touches more than may ship unseen.",
        Reason::KevListed => "The judge is sure, but the vulnerability is being exploited.",
        Reason::OpenItem => {
            "The judge is sure, but a person has another patch of this CVE and package before them."
        }
        Reason::WargameAsked => "The judge is not sure; an exploit is replayed to find out.",
        Reason::WargameMitigated => {
            "The exploit worked before the patch and not after it, the second look holds, and nothing stands against approval."
        }
        Reason::SecondLookUnsure => {
            "It passed its wargame, but the second look is not as sure as policy asks."
        }
        Reason::StillExploitable => "A variant of the exploit still works on the patched target.",
        Reason::Regression => {
            "The exploit is blocked, but something that worked does not any more."
        }
        Reason::PatchedHangs => "The patched target hangs where the vulnerable one came to an end.",
        Reason::HarnessTampered => "The patch touches what is to judge it.",
        Reason::ApplyFailed => "The patch does not apply to the target of its exploit.",
        Reason::BuildFailed => "The patched target does not build.",
        Reason::NotReproduced => "The exploit does not work on the vulnerable target either.",
        Reason::BaselineBroken => "A benign check fails on the vulnerable target already.",
        Reason::WargameInconclusive => {
            "The wargame came to no end: not delivered, crashed or timed out."
        }
        Reason::WargameError => "The arena failed, so nothing is said of the patch.",
        Reason::WargameUnavailable => "No wargame can be held here.",
        Reason::WargameOverdue => "The wargame was not over by its deadline.",
        Reason::ComparisonMade => "A wargame was held to compare; the outcome stands.",
        Reason::ComparisonRefutes => "A wargame contradicts the approval, which is taken back.",
        Reason::EmptyValue => "There is nothing in it.",
        Reason::LimitExceeded => "It is larger than a patch may be.",
        Reason::InvalidUtf8 => "It is not text.",
        Reason::InvalidJson => "The event is not JSON.",
        Reason::SchemaViolation => {
            "A field of the event is missing, of the wrong type or out of bounds."
        }
        Reason::DiffInvalid => "The diff does not parse, so nobody can say what it would change.",
        Reason::Panicked => "Judging it met a defect of Crisol's.",
        Reason::Crashed => "Judging it ended the process three times.",
    }
}

/// Returns what would change the outcome, or what to do with it.
pub(super) fn next(reason: Reason) -> &'static str {
    match reason {
        Reason::JudgeConfident => "ship these bytes; another digest is another question",
        Reason::ApvUnknown => "give the CVE's record, or correct the id",
        Reason::ApvInvalid => "mend the record; what is wrong with it was told on standard error",
        Reason::ApvTableStale => "look at the brokers and at crisol_table_ready",
        Reason::ApvEmbeddedOnly => "have the CVE published on the topic of vulnerabilities",
        Reason::ApvWithdrawn => {
            "close it, or have the CVE's record published without its withdrawal"
        }
        Reason::JudgeUnavailable => {
            "a person reviews it; a bump alone, without other changes, can be judged"
        }
        Reason::AdvisoryInconclusive => {
            "pin a version that is fixed and outside every affected range"
        }
        Reason::JudgeRefuses => {
            "see why below: move to a fixed version outside every affected range"
        }
        Reason::NoExploit => "more evidence for this judge and level raises p",
        Reason::KillSwitch => "crisol control set kill_switch false, once it is safe",
        Reason::AutoApproveOff => "set AUTO_APPROVE_ENABLED=true, or auto_approve through control",
        Reason::SeverityUnknown => "give CVSS or priority in the CVE's record",
        Reason::SeverityCritical => "a person decides; nothing overrides this",
        Reason::PatchRisk => "take what the risk names out of the patch, or let a person decide",
        Reason::KevListed => "a person decides, and soon",
        Reason::OpenItem => "decide the open item first",
        Reason::WargameAsked => "wait for the wargame; its outcome is on decisions or hitl",
        Reason::WargameMitigated => "ship these bytes; another digest is another question",
        Reason::SecondLookUnsure => "a person reviews it, with the wargame's evidence",
        Reason::StillExploitable | Reason::Regression | Reason::PatchedHangs => {
            "look at the evidence, and have another candidate made"
        }
        Reason::HarnessTampered => "find out who made this patch, and why it looks like this",
        Reason::ApplyFailed => "make it against the version that the exploit names",
        Reason::BuildFailed => "look at what the build said, and have another candidate made",
        Reason::NotReproduced | Reason::BaselineBroken => {
            "a person decides; crisol exploits test tells whether the exploit is still good"
        }
        Reason::WargameInconclusive => "a person decides; the runs tell how far it came",
        Reason::WargameError | Reason::WargameUnavailable => {
            "a person decides; look at the arena: bubblewrap, registries, crisol exploits test"
        }
        Reason::WargameOverdue => {
            "a person decides; more slots or replicas of the role wargame help"
        }
        Reason::ComparisonMade => "nothing",
        Reason::ComparisonRefutes => "take the patch out of where it was shipped",
        Reason::EmptyValue => "send a diff",
        Reason::LimitExceeded => "split it, or raise the limit that the problem names",
        Reason::InvalidUtf8 => "send text; binary files cannot be judged",
        Reason::InvalidJson | Reason::SchemaViolation => "mend the event where the problem says",
        Reason::DiffInvalid => "make it again with git diff, and send all of it",
        Reason::Panicked | Reason::Crashed => "report it with this input",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::reason::Disposition;
    use crate::log::source::Coordinates;

    fn letter(message: &str) -> Answer {
        Answer {
            disposition: Disposition::Dead,
            reason: Reason::DiffInvalid,
            source: Coordinates {
                partition: 0,
                offset: 0,
            },
            body: Body::Letter {
                message: message.to_owned(),
                digest: "d".to_owned(),
            },
        }
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        let told = tell(&letter("a\u{1b}[2Jb\r\nfalse: approved"), false);
        assert!(!told.contains('\u{1b}') && !told.contains('\r'), "{told:?}");
        assert_eq!(
            told.lines()
                .filter(|line| line.starts_with("false"))
                .count(),
            0
        );
    }

    #[test]
    fn color_is_only_where_it_is_asked_for() {
        assert!(tell(&letter("m"), true).starts_with("\x1b[31mnot a patch\x1b[0m: diff_invalid\n"));
        assert!(tell(&letter("m"), false).starts_with("not a patch: diff_invalid\n"));
    }
}
