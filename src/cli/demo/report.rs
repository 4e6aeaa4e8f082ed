//! What the demo shows at its end.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::answer::{Body, colored, may_color, p_text};
use crate::cli::demo::judged::{Outcomes, Row};
use crate::cli::demo::samples::ASSUMED;
use crate::cli::{Failure, output};
use crate::event::codec::printable;
use crate::event::reason::Disposition;
use crate::event::topic::Topic;
use crate::judge::ADVISORY_FILES;
use crate::log::topics::TopicNames;

/// What a row of the table tells.
const HEADER: [&str; COLUMNS] = ["patch", "CVE", "outcome", "judge", "p", "reason"];
const COLUMNS: usize = 6;

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
            print!("{}", self.table(may_color()));
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

    /// Columns of text that fit a terminal of 80: rules between them would not.
    fn table(&self, color: bool) -> String {
        let header = HEADER.map(str::to_owned);
        let mut rows = vec![(None, header)];
        rows.extend(self.outcomes.rows().iter().flat_map(rows_of));
        let mut widths = [0; COLUMNS];
        for (_, cells) in &rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.len().max(*width);
            }
        }
        let mut text = String::new();
        for (disposition, cells) in &rows {
            let padded = cells
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            let line = line.trim_end();
            match disposition {
                Some(disposition) => text.push_str(&colored(line, *disposition, color)),
                None => text.push_str(line),
            }
            text.push('\n');
        }
        text
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
             evidence is assumed: {}, none for major ones.\n\
             In service it is counted from live wargames, and without it no bump is approved.\n\
             netty-whole moves a property that its hunk shows no use of; it came with its file, and is judged on that.\n\
             Code is judged by the forest that comes with the program; without an exploit to try, a person decides what it is not sure of.\n\
             Two patches were tried: the exploit was replayed in a sandbox before and after each (bubblewrap; without it a person decides).\n\
             What a generator thinks of its own patch is read by nobody.\n\
             The embedded broker applies no transactions: a trial only, never a proof.",
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
        let mut assumed = json!({});
        for (judge, level, agreed, n) in ASSUMED {
            if let Some(judges) = assumed.as_object_mut() {
                let levels = judges.entry(judge).or_insert_with(|| json!({}));
                if let Some(levels) = levels.as_object_mut() {
                    levels.insert(level.to_owned(), json!({"agreed": agreed, "n": n}));
                }
            }
        }
        json!({
            "outcomes": outcomes,
            "assumed_evidence": assumed,
            "transactions": false,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

fn assumed_text() -> String {
    let parts: Vec<String> = ASSUMED
        .iter()
        .map(|(judge, level, agreed, n)| {
            let on = if *judge == ADVISORY_FILES {
                " on whole files"
            } else {
                ""
            };
            format!("{agreed} of {n} for {level}-level bumps{on}")
        })
        .collect();
    parts.join(", ")
}

/// Returns the cells of each outcome of a patch; a row that says so where there is none.
fn rows_of(row: &Row) -> Vec<(Option<Disposition>, [String; COLUMNS])> {
    let name = printable(&row.sample.name);
    let cve_id = match row.sample.cve_id.as_deref() {
        None => "-".to_owned(),
        Some(cve_id) => printable(cve_id),
    };
    let cells = |outcome: &str, judge: &str, p: String, reason: &str| {
        [
            name.clone(),
            cve_id.clone(),
            outcome.to_owned(),
            judge.to_owned(),
            p,
            reason.to_owned(),
        ]
    };
    if row.answers.is_empty() {
        return vec![(None, cells("NONE", "-", "-".to_owned(), "no outcome came"))];
    }
    row.answers
        .iter()
        .map(|answer| {
            let outcome = match answer.disposition {
                Disposition::Decided => "approved",
                Disposition::Queued => "person",
                Disposition::Wargame => "wargame",
                Disposition::Compared => "compared",
                Disposition::Dead => "dead",
            };
            let (judge, p) = match &answer.body {
                Body::Letter { .. } => ("-", None),
                Body::Judged(judged) => {
                    let judgement = &judged.facts.judgement;
                    (judgement.judge.as_str(), judgement.p)
                }
            };
            let cells = cells(outcome, judge, p_text(p), answer.reason.as_str());
            (Some(answer.disposition), cells)
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
