//! A portion of lines, judged: as many as a batch holds, so that memory stays bounded.

use std::io::{self, BufRead};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::answer::{letter_header, telling};
use crate::cli::input::{Line, Lines};
use crate::cli::{Exit, Failure};
use crate::event::codec::CodecError;
use crate::event::reason::{Disposition, Reason};
use crate::event::record::{Batch, Handled, Record};
use crate::event::topic::Topic;
use crate::pipeline::Pipeline;
use crate::role::process::wall_clock_ms;

/// The most lines in a portion.
const MAX_LINES: usize = 256;
/// A portion of this many bytes takes no further line.
const MAX_BYTES: usize = /* 4 MiB */ 4 * 1_024 * 1_024;

/// Lines that are judged as one batch.
pub(super) struct Portion {
    lines: Vec<(usize, Line)>,
}

/// What became of one line.
pub(super) struct Outcome {
    /// The disposition.
    pub disposition: Disposition,
    /// Why.
    pub reason: Reason,
    /// The line that tells of it, without its end.
    pub line: Vec<u8>,
}

/// An outcome as it is written.
#[derive(Serialize)]
struct Told<'a> {
    line: usize,
    disposition: Disposition,
    reason: Reason,
    topic: &'a str,
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
}

impl Portion {
    /// Reads the next portion; `None` at the end.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn read<R: BufRead>(lines: &mut Lines<R>) -> io::Result<Option<Self>> {
        let mut portion = Self { lines: Vec::new() };
        let mut bytes = 0;
        while portion.lines.len() < MAX_LINES && bytes < MAX_BYTES {
            let Some((number, line)) = lines.next_line()? else {
                break;
            };
            if let Line::Whole(held) = &line {
                bytes += held.len();
            }
            portion.lines.push((number, line));
        }
        Ok((!portion.lines.is_empty()).then_some(portion))
    }

    /// Returns exactly one outcome for each line, in order.
    ///
    /// # Errors
    /// A defect: the pipeline left a record without an outcome.
    pub(super) fn judge(
        self,
        pipeline: &Pipeline,
        topic: &Arc<str>,
        limit: usize,
    ) -> Result<Vec<Outcome>, Failure> {
        let now_ms = wall_clock_ms();
        let mut records = Vec::with_capacity(self.lines.len());
        let mut places = Vec::with_capacity(self.lines.len());
        for (number, line) in self.lines {
            match line {
                Line::Whole(value) => {
                    records.push(Record {
                        offset: offset_of(number),
                        timestamp_ms: now_ms,
                        value: Some(value),
                        ..Record::default()
                    });
                    places.push((number, None));
                }
                Line::TooLong { bytes, digest } => places.push((number, Some((bytes, digest)))),
            }
        }
        let batch = Batch {
            topic: Arc::clone(topic),
            partition: 0,
            records,
        };
        let mut handled = if batch.records.is_empty() {
            Vec::new()
        } else {
            pipeline.handle(&batch)
        };
        pipeline.remember(handled.iter_mut().filter_map(|h| h.memo.take()).collect());
        let mut handled = handled.into_iter();
        places
            .into_iter()
            .map(|(number, too_long)| match too_long {
                Some((bytes, digest)) => tell_too_long(number, bytes, limit, &digest),
                None => {
                    let next = handled
                        .next()
                        .filter(|next| next.offset == offset_of(number));
                    tell(
                        number,
                        &next.ok_or_else(|| defect(number, "the pipeline gave no outcome"))?,
                    )
                }
            })
            .collect()
    }
}

fn offset_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX) - 1
}

fn tell(number: usize, handled: &Handled) -> Result<Outcome, Failure> {
    let told =
        telling(&handled.outputs).ok_or_else(|| defect(number, "no record tells the outcome"))?;
    let is_letter = told.topic == Topic::Dlq;
    let event = match told.value.as_deref().filter(|_| !is_letter) {
        None => None,
        Some(value) => Some(
            serde_json::from_slice::<&RawValue>(value)
                .map_err(|error| defect(number, &error.to_string()))?,
        ),
    };
    let header = |name| letter_header(&told.headers, name).filter(|_| is_letter);
    written(&Told {
        line: number,
        disposition: handled.disposition,
        reason: handled.reason,
        topic: told.topic.as_str(),
        key: told
            .key
            .as_deref()
            .and_then(|key| std::str::from_utf8(key).ok()),
        event,
        message: header("message"),
        digest: header("digest"),
    })
}

/// A line that was never held cannot go through the pipeline; its outcome is the one it would have.
fn tell_too_long(
    number: usize,
    bytes: usize,
    limit: usize,
    digest: &str,
) -> Result<Outcome, Failure> {
    let error = CodecError::TooLarge { bytes, limit };
    written(&Told {
        line: number,
        disposition: error.reason().disposition(),
        reason: error.reason(),
        topic: Topic::Dlq.as_str(),
        key: None,
        event: None,
        message: Some(&error.to_string()),
        digest: Some(digest),
    })
}

fn written(told: &Told<'_>) -> Result<Outcome, Failure> {
    Ok(Outcome {
        disposition: told.disposition,
        reason: told.reason,
        line: serde_json::to_vec(told).map_err(|error| defect(told.line, &error.to_string()))?,
    })
}

fn defect(number: usize, problem: &str) -> Failure {
    Failure::new(
        Exit::Internal,
        format!("line {number}: {problem}; this is a defect, please report it with the line"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use serde_json::Value;

    use super::*;
    use crate::role::Settings;
    use crate::table::Tables;

    fn judged(text: &[u8], limit: usize) -> Vec<Value> {
        let settings = Settings::default();
        let tables = Tables::detached(&settings.tables(), &settings.limits);
        let pipeline = Pipeline::new(
            Arc::new(tables),
            settings.judging,
            settings.limits,
            settings.diff,
            settings.risk,
            wall_clock_ms,
        );
        let mut lines = Lines::new(BufReader::new(text), limit);
        let mut found = Vec::new();
        while let Some(portion) = Portion::read(&mut lines).unwrap() {
            assert!(portion.lines.len() <= MAX_LINES);
            let outcomes = portion.judge(&pipeline, &Arc::from("test"), limit).unwrap();
            found.extend(
                outcomes
                    .iter()
                    .map(|o| serde_json::from_slice::<Value>(&o.line).unwrap()),
            );
        }
        found
    }

    #[test]
    fn each_line_has_one_outcome_in_its_place() {
        let mut text = Vec::new();
        for at in 0..600 {
            match at % 4 {
                0 => text.extend_from_slice(b"{"),
                1 => text.extend_from_slice(&[b'x'; 200]),
                2 => {}
                _ => text.extend_from_slice(br#"{"patch_id":"p","cve_id":"CVE-1","diff_content":"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"}"#),
            }
            text.push(b'\n');
        }
        let found = judged(&text, 150);
        assert_eq!(found.len(), 600);
        for (at, outcome) in found.iter().enumerate() {
            assert_eq!(outcome["line"], at + 1);
            let reason = [
                "invalid_json",
                "limit_exceeded",
                "empty_value",
                "apv_unknown",
            ][at % 4];
            assert_eq!(outcome["reason"], reason, "{outcome}");
            assert_eq!(outcome["event"].is_object(), at % 4 == 3);
            assert_eq!(outcome["digest"].is_string(), at % 4 != 3);
        }
        let message = found[1]["message"].as_str().unwrap();
        assert_eq!(
            message,
            "the value has 200 bytes, the limit max_record_bytes is 150"
        );
        assert_eq!(
            found[1]["digest"],
            crate::event::id::sha256_hex(&[b'x'; 200])
        );
        assert_eq!(found[3]["event"]["source"]["offset"], 3);
        assert_eq!(found[3]["topic"], "hitl");
        assert_eq!(found[3]["key"], "p");
    }
}
