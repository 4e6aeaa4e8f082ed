//! What became of a record, read back from the events that tell of it.

use std::borrow::Cow;
use std::io::IsTerminal;

use serde_json::{Value, json};

use crate::event::codec::printable;
use crate::event::decision::{DecisionEvent, EvidenceRecord, Facts, RiskLevel, Source};
use crate::event::facts::Severity;
use crate::event::hitl::HitlEvent;
use crate::event::reason::{Disposition, Reason};
use crate::event::record::{Output, OutputHeader};
use crate::event::topic::Topic;
use crate::event::wargame::WargameRequest;
use crate::log::dead_letter::PREFIX;
use crate::log::source::Coordinates;

/// One outcome, whichever topic tells of it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// What became of the record.
    pub disposition: Disposition,
    /// Why.
    pub reason: Reason,
    /// Where the input record stands.
    pub source: Coordinates,
    /// The rest.
    pub body: Body,
}

/// What an outcome carries.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// The record was a patch, and this was judged of it.
    Judged(Box<Judged>),
    /// It was none.
    Letter {
        /// What is wrong and where.
        message: String,
        /// The sha-256 of the record's value.
        digest: String,
    },
}

/// A patch that was judged.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// Its id.
    pub patch_id: String,
    /// The sha-256 of its diff.
    pub patch_digest: String,
    /// Its CVE.
    pub cve_id: String,
    /// Its package, or `*`.
    pub package: String,
    /// Priority and minutes until a person should have looked; only where one must.
    pub urgency: Option<(u8, u32)>,
    /// What the outcome rests on.
    pub facts: Facts<'static>,
}

impl Answer {
    /// Reads an event on `decisions`, `hitl` or `wargames`, or a letter on `dlq`.
    ///
    /// # Errors
    /// What the event lacks: a defect of whoever wrote it.
    pub(super) fn read(
        topic: Topic,
        value: Option<&[u8]>,
        headers: &[OutputHeader],
    ) -> Result<Self, String> {
        let value = value.unwrap_or_default();
        let broken =
            |error: serde_json::Error| format!("an event on {topic} cannot be read: {error}");
        match topic {
            Topic::Decisions => {
                let event: DecisionEvent<'static> =
                    serde_json::from_slice(value).map_err(broken)?;
                let ids = [
                    event.patch_id,
                    event.patch_digest,
                    event.cve_id,
                    event.package,
                ];
                Ok(Self::judged(
                    event.reason,
                    &event.source,
                    ids,
                    None,
                    event.facts,
                ))
            }
            Topic::Hitl => {
                let event: HitlEvent<'static> = serde_json::from_slice(value).map_err(broken)?;
                let ids = [
                    event.patch_id,
                    event.patch_digest,
                    event.cve_id,
                    event.package,
                ];
                let urgency = Some((event.priority, event.sla_minutes));
                Ok(Self::judged(
                    event.reason,
                    &event.source,
                    ids,
                    urgency,
                    event.facts,
                ))
            }
            Topic::Wargames => {
                let event: WargameRequest<'static> =
                    serde_json::from_slice(value).map_err(broken)?;
                let ids = [
                    event.patch_id,
                    event.patch_digest,
                    event.cve_id,
                    event.package,
                ];
                Ok(Self::judged(
                    event.reason,
                    &event.source,
                    ids,
                    None,
                    event.facts,
                ))
            }
            Topic::Dlq => Self::letter(headers),
            other => Err(format!("no outcome is told on {other}")),
        }
    }

    /// Reads the outcome among the records that one input record led to.
    ///
    /// # Errors
    /// What the records lack.
    pub(super) fn of_outputs(outputs: &[Output]) -> Result<Self, String> {
        let told = telling(outputs).ok_or("no record tells the outcome")?;
        Self::read(told.topic, told.value.as_deref(), &told.headers)
    }

    /// Returns the answer of an event on a patch: its id, digest, CVE and package, in this order.
    fn judged(
        reason: Reason,
        source: &Source<'_>,
        ids: [Cow<'_, str>; 4],
        urgency: Option<(u8, u32)>,
        facts: Facts<'static>,
    ) -> Self {
        let [patch_id, patch_digest, cve_id, package] = ids.map(Cow::into_owned);
        Self {
            disposition: reason.disposition(),
            reason,
            source: Coordinates {
                partition: source.partition,
                offset: source.offset,
            },
            body: Body::Judged(Box::new(Judged {
                patch_id,
                patch_digest,
                cve_id,
                package,
                urgency,
                facts,
            })),
        }
    }

    fn letter(headers: &[OutputHeader]) -> Result<Self, String> {
        let text = |name: &str| {
            letter_header(headers, name)
                .ok_or_else(|| format!("a letter lacks the header {PREFIX}{name}"))
        };
        let name = text("reason")?;
        let reason = Reason::ALL
            .iter()
            .find(|reason| reason.as_str() == name)
            .ok_or_else(|| format!("a letter has the unknown reason {}", printable(name)))?;
        let number = |name: &str| -> Result<i64, String> {
            let digits = text(name)?;
            digits
                .parse()
                .map_err(|_| format!("a letter's {PREFIX}{name} is no number"))
        };
        Ok(Self {
            disposition: reason.disposition(),
            reason: *reason,
            source: Coordinates {
                partition: i32::try_from(number("partition")?).unwrap_or(-1),
                offset: number("offset")?,
            },
            body: Body::Letter {
                message: text("message")?.to_owned(),
                digest: text("digest")?.to_owned(),
            },
        })
    }

    /// Returns the outcome in one object: what tables show, for machines.
    pub(super) fn to_json(&self) -> Value {
        let mut object = json!({"disposition": self.disposition, "reason": self.reason});
        let more = match &self.body {
            Body::Letter { message, digest } => json!({"message": message, "digest": digest}),
            Body::Judged(judged) => json!({
                "patch_id": judged.patch_id,
                "cve_id": judged.cve_id,
                "package": judged.package,
                "judge": judged.facts.judgement.judge,
                "p": judged.facts.judgement.p,
                "detail": judged.facts.judgement.detail,
                "risk": judged.facts.risk.level,
                "blockers": judged.facts.policy.blockers,
            }),
        };
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        object
    }
}

/// Returns the record that tells the outcome; `hitl-open` only notes it, and a request beside another outcome only
/// compares.
pub(super) fn telling(outputs: &[Output]) -> Option<&Output> {
    let on = |topics: &[Topic]| outputs.iter().find(|output| topics.contains(&output.topic));
    on(&[Topic::Decisions, Topic::Hitl, Topic::Dlq]).or_else(|| on(&[Topic::Wargames]))
}

/// Returns what a letter says under `crisol_dlq_<name>`. The last one counts: a letter's original
/// headers stand before its own.
pub(super) fn letter_header<'h>(headers: &'h [OutputHeader], name: &str) -> Option<&'h str> {
    let (_, value) = headers
        .iter()
        .rev()
        .find(|(known, _)| known.strip_prefix(PREFIX) == Some(name))?;
    std::str::from_utf8(value.as_deref()?).ok()
}

/// Returns a disposition as people say it.
pub(super) fn outcome_word(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Decided => "approved",
        Disposition::Queued => "a person must see it",
        Disposition::Wargame => "to be tried against an exploit",
        Disposition::Compared => "compared by a wargame",
        Disposition::Dead => "not a patch",
    }
}

/// Whether standard output may be colored: a terminal, unless NO_COLOR (no-color.org) is set.
pub(super) fn may_color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// Returns `text` in the color of a disposition, if `color` asks for it.
pub(super) fn colored(text: &str, disposition: Disposition, color: bool) -> String {
    let code = match disposition {
        Disposition::Decided => 32,
        Disposition::Queued | Disposition::Wargame | Disposition::Compared => 33,
        Disposition::Dead => 31,
    };
    if color {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Returns a level of risk as it stands on events.
pub(super) fn risk_name(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
        RiskLevel::Critical => "critical",
    }
}

/// Returns a severity as it stands on events.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Unknown => "unknown",
        Severity::Critical => "critical",
    }
}

/// Returns p with three digits, rounded down so that it never looks larger than it is.
pub(super) fn p_text(p: Option<f64>) -> String {
    p.map_or_else(
        || "-".to_owned(),
        |p| format!("{:.3}", (p * 1_000.0).floor() / 1_000.0),
    )
}

/// Returns evidence in words.
pub(super) fn evidence_text(evidence: EvidenceRecord) -> String {
    if evidence.n == 0 {
        "never tried live".to_owned()
    } else {
        format!("right {} of {} times live", evidence.agreed, evidence.n)
    }
}
