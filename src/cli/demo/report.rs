//! What the demo shows at its end.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::answer::{Body, judge_name, p_text};
use crate::cli::demo::judged::{Outcomes, Row};
use crate::cli::demo::samples::ASSUMED;
use crate::cli::{Failure, output};
use crate::event::codec::printable;
use crate::event::reason::Disposition;
use crate::event::topic::Topic;
use crate::log::topics::TopicNames;

/// What is told, and what it is told of.
pub(super) struct Report<'a> {
    /// The patches and their outcomes.
    pub outcomes: &'a Outcomes,
    /// How long it took.
    pub took: Duration,
    /// Where the sidecar listens.
    pub sidecar: SocketAddr,
    /// Where the broker listens.
    pub bootstrap: &'a str,
    /// The topics.
    pub names: &'a TopicNames,
}

impl Report<'_> {
    /// Prints table and summary, or JSON; with `hold` also how to look in.
    pub(super) fn print(&self, as_json: bool, hold: bool) -> Result<(), Failure> {
        if as_json {
            output::json(&self.to_json())?;
        } else {
            output::table(
                &["patch", "CVE", "outcome", "judge", "p", "reason"],
                self.outcomes.rows().iter().flat_map(rows_of),
            );
            println!("{}", self.summary());
        }
        if hold {
            // With --json, standard output holds the document alone.
            if as_json {
                eprintln!("{}", self.lines_to_look_in())
            } else {
                println!("\n{}", self.lines_to_look_in())
            }
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let of = |wanted: Disposition| {
            let answers = self.outcomes.rows().iter().flat_map(|row| &row.answers);
            answers
                .filter(|answer| answer.disposition == wanted)
                .count()
        };
        let whole = if self.outcomes.is_whole() {
            "each has exactly one outcome"
        } else {
            "NOT each has exactly one outcome"
        };
        format!(
            "{} patches in {:.1} s: {} approved, {} for a person, {} dead letters; {whole}.\n\
             evidence is assumed: {}, none for major ones; in service it is counted from live wargames, and without it no bump is approved.\n\
             Code and whatever is more than a version change waits for a judge of code: judge_unavailable.\n\
             What a generator says of its own confidence (0.5 to 0.99 here) is read by nobody.\n\
             The embedded broker applies no transactions: this is a trial, never a proof. Run the service on an Apache Kafka.",
            self.outcomes.rows().len(),
            self.took.as_secs_f64(),
            of(Disposition::Decided),
            of(Disposition::Queued),
            of(Disposition::Dead),
            assumed_text(),
        )
    }

    fn lines_to_look_in(&self) -> String {
        let Self {
            bootstrap, sidecar, ..
        } = self;
        let mut lines = vec![
            "Broker and sidecar stay up until Ctrl-C. Look in from another terminal:".to_owned(),
        ];
        for topic in [Topic::Decisions, Topic::Hitl] {
            lines.push(format!(
                "  kcat -b {bootstrap} -C -t {} -e",
                self.names.of(topic)
            ));
        }
        lines.push(format!(
            "  kcat -b {bootstrap} -C -t {} -e -f '%k %h\\n'",
            self.names.of(Topic::Dlq)
        ));
        lines.push(format!(
            "  kcat -b {bootstrap} -P -t {} -k CVE-2021-23337 patch.json",
            self.names.of(Topic::Patches)
        ));
        for path in ["health", "readyz", "metrics"] {
            lines.push(format!("  curl -s http://{sidecar}/{path}"));
        }
        lines.join("\n")
    }

    fn to_json(&self) -> Value {
        let outcomes: Vec<Value> = self.outcomes.rows().iter().flat_map(objects_of).collect();
        let assumed: serde_json::Map<String, Value> = ASSUMED
            .into_iter()
            .map(|(level, agreed, n)| (level.to_owned(), json!({"agreed": agreed, "n": n})))
            .collect();
        json!({
            "outcomes": outcomes,
            "assumed_evidence": {"advisory": assumed},
            "transactions": false,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

fn assumed_text() -> String {
    let parts: Vec<String> = ASSUMED
        .iter()
        .map(|(level, agreed, n)| format!("{agreed} of {n} for {level}-level bumps"))
        .collect();
    parts.join(", ")
}

/// Returns a table row for each outcome of a patch; one that says so where there is none.
fn rows_of(row: &Row) -> Vec<Vec<String>> {
    let name = printable(&row.sample.name);
    let cve_id = row
        .sample
        .cve_id
        .as_deref()
        .map_or_else(|| "-".to_owned(), printable);
    let line = |outcome: &str, judge: &str, p: String, reason: &str| {
        vec![
            name.clone(),
            cve_id.clone(),
            outcome.to_owned(),
            judge.to_owned(),
            p,
            reason.to_owned(),
        ]
    };
    if row.answers.is_empty() {
        return vec![line("NONE", "-", "-".to_owned(), "no outcome came")];
    }
    row.answers
        .iter()
        .map(|answer| {
            let outcome = match answer.disposition {
                Disposition::Decided => "approved",
                Disposition::Queued => "for a person",
                Disposition::Wargame => "wargame",
                Disposition::Dead => "dead letter",
            };
            match &answer.body {
                Body::Letter { .. } => line(outcome, "-", "-".to_owned(), answer.reason.as_str()),
                Body::Judged(judged) => {
                    let judgement = &judged.facts.judgement;
                    line(
                        outcome,
                        judge_name(judgement.judge),
                        p_text(judgement.p),
                        answer.reason.as_str(),
                    )
                }
            }
        })
        .collect()
}

fn objects_of(row: &Row) -> Vec<Value> {
    row.answers
        .iter()
        .map(|answer| {
            let mut object = json!({"patch": row.sample.name});
            if let (Value::Object(object), Value::Object(more)) = (&mut object, answer.to_json()) {
                object.extend(more);
            }
            object
        })
        .collect()
}
