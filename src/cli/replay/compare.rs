//! What became of each record, then and now.

use std::collections::HashMap;
use std::convert::Infallible;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::cli::answer::telling;
use crate::cli::replay::sink::REPLAY;
use crate::cli::{Failure, output, unreadable};
use crate::event::codec::printable;
use crate::event::record::{Handled, Record};
use crate::event::topic::Topic;
use crate::event::wargame::Purpose;
use crate::log::client::KafkaConfig;
use crate::log::letters::{Entry, Letter};
use crate::log::range::{Bound, RangeReader};
use crate::log::source::Coordinates;
use crate::log::topics::TopicNames;
use crate::role::process::wall_clock_ms;

/// Where outcomes of patches are published.
const OUTLETS: [Topic; 4] = [Topic::Decisions, Topic::Hitl, Topic::Wargames, Topic::Dlq];
/// How much earlier than the first record's time published outcomes are looked for: clocks differ.
const CLOCKS_DIFFER_MS: i64 = 3_600_000;

/// What one event says became of one record.
#[derive(Debug, Clone)]
pub(super) struct Told {
    topic: String,
    at: Coordinates,
    patch_id: Option<String>,
    outcome: Outcome,
}

/// An outcome, as far as two of them are compared; p is only shown.
#[derive(Debug, Clone, Serialize)]
struct Outcome {
    topic: &'static str,
    reason: String,
    p: Option<f64>,
}

/// The fields of an event that matter here. The rest may be of another version.
#[derive(Deserialize)]
struct Event {
    patch_id: String,
    reason: String,
    source: Source,
    facts: Option<Facts>,
    purpose: Option<Purpose>,
}

#[derive(Deserialize)]
struct Source {
    topic: String,
    partition: i32,
    offset: i64,
}

#[derive(Deserialize)]
struct Facts {
    judgement: Option<Judgement>,
    wargame: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Judgement {
    p: Option<f64>,
}

impl Told {
    /// Returns what the run itself found of a record of `topic`; `None` if no output tells of it.
    pub(super) fn of_handled(topic: &str, partition: i32, handled: &Handled) -> Option<Self> {
        let output = telling(&handled.outputs)?;
        // A letter's value is the original's.
        let value = output
            .value
            .as_deref()
            .filter(|_| output.topic != Topic::Dlq);
        let event = value.and_then(|value| serde_json::from_slice::<Event>(value).ok());
        Some(Self {
            topic: topic.to_owned(),
            at: Coordinates {
                partition,
                offset: handled.offset,
            },
            patch_id: event.as_ref().map(|event| printable(&event.patch_id)),
            outcome: Outcome {
                topic: output.topic.as_str(),
                reason: handled.reason.as_str().to_owned(),
                p: event.and_then(|event| event.facts?.judgement?.p),
            },
        })
    }

    /// Returns what a letter says of its original.
    pub(super) fn of_letter(letter: &Letter) -> Self {
        Self {
            topic: letter.topic.clone(),
            at: Coordinates {
                partition: letter.partition,
                offset: letter.offset,
            },
            patch_id: None,
            outcome: Outcome {
                topic: Topic::Dlq.as_str(),
                reason: printable(&letter.reason),
                p: None,
            },
        }
    }

    fn of_record(outlet: Topic, partition: i32, record: Record) -> Option<Self> {
        if outlet == Topic::Dlq {
            return match Entry::read(partition, record)? {
                Entry::Letter(letter) => Some(Self::of_letter(&letter)),
                Entry::Receipt(_) => None,
            };
        }
        let event: Event = serde_json::from_slice(record.value.as_deref()?).ok()?;
        // The patch's own outcome was the request; a comparison is nobody's outcome.
        let after_wargame = event
            .facts
            .as_ref()
            .is_some_and(|facts| facts.wargame.is_some());
        if after_wargame || event.purpose == Some(Purpose::Compare) {
            return None;
        }
        Some(Self {
            topic: event.source.topic,
            at: Coordinates {
                partition: event.source.partition,
                offset: event.source.offset,
            },
            patch_id: Some(printable(&event.patch_id)),
            outcome: Outcome {
                topic: outlet.as_str(),
                reason: printable(&event.reason),
                p: event.facts.and_then(|facts| facts.judgement?.p),
            },
        })
    }
}

impl Outcome {
    fn is(&self, other: &Self) -> bool {
        self.topic == other.topic && self.reason == other.reason
    }

    fn shown(&self) -> String {
        let p = self.p.map_or_else(String::new, |p| format!(", p {p:.3}"));
        format!("{}: {}{p}", self.topic, self.reason)
    }
}

/// What the run found, each record until its published outcome is seen.
#[derive(Default)]
pub(super) struct Comparison {
    open: HashMap<Coordinates, Told>,
    records: u64,
    same: u64,
    differ: Vec<Difference>,
    first_ms: Option<i64>,
}

/// A record whose outcome is not as published.
#[derive(Debug, Serialize)]
struct Difference {
    /// `partition:offset` of the record.
    record: String,
    patch_id: Option<String>,
    /// `null` if none was published.
    published: Option<Outcome>,
    now: Outcome,
}

/// What is said at the end.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    name: String,
    /// Where the outcomes of the run stand.
    outcomes: String,
    records: u64,
    same: u64,
    differ: usize,
    unpublished: usize,
    differences: Vec<Difference>,
}

impl Comparison {
    /// Notes the time of a record, to know since when its outcome may stand somewhere.
    pub(super) fn note_time(&mut self, time_ms: i64) {
        self.first_ms = Some(self.first_ms.map_or(time_ms, |first| first.min(time_ms)));
    }

    /// Notes an outcome of the run.
    pub(super) fn expect(&mut self, told: Told) {
        self.records += 1;
        self.open.insert(told.at, told);
    }

    /// Holds a published outcome against the run's.
    pub(super) fn see(&mut self, published: &Told) {
        let matches = self
            .open
            .get(&published.at)
            .is_some_and(|now| now.topic == published.topic);
        if !matches {
            return;
        }
        let Some(now) = self.open.remove(&published.at) else {
            return;
        };
        if now.outcome.is(&published.outcome) {
            self.same += 1;
        } else {
            self.differ.push(Difference {
                record: now.at.to_string(),
                patch_id: now.patch_id.or_else(|| published.patch_id.clone()),
                published: Some(published.outcome.clone()),
                now: now.outcome,
            });
        }
    }

    /// Closes the books.
    pub(super) fn report(self, name: String, outcomes: String) -> Report {
        let differ = self.differ.len();
        let mut unpublished: Vec<Told> = self.open.into_values().collect();
        unpublished.sort_by_key(|told| told.at);
        let count = unpublished.len();
        let mut differences = self.differ;
        differences.extend(unpublished.into_iter().map(|now| Difference {
            record: now.at.to_string(),
            patch_id: now.patch_id,
            published: None,
            now: now.outcome,
        }));
        Report {
            name,
            outcomes,
            records: self.records,
            same: self.same,
            differ,
            unpublished: count,
            differences,
        }
    }
}

impl Report {
    /// Returns whether every outcome is as published.
    pub(super) fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Prints the differences as a table, and the sums below it.
    pub(super) fn print(&self, limit: usize) {
        if !self.differences.is_empty() {
            output::table(
                &["record", "patch", "published", "now"],
                self.differences.iter().take(limit).map(|difference| {
                    let published = difference.published.as_ref();
                    vec![
                        difference.record.clone(),
                        difference.patch_id.clone().unwrap_or_default(),
                        published.map_or_else(|| "nothing".to_owned(), Outcome::shown),
                        difference.now.shown(),
                    ]
                }),
            );
        }
        if self.differences.len() > limit {
            println!(
                "{} more; --limit shows them, --json all",
                self.differences.len() - limit
            );
        }
        println!(
            "{} records judged again: {} as published, {} otherwise, {} never published",
            self.records, self.same, self.differ, self.unpublished
        );
        println!("the run's outcomes: {}", self.outcomes);
    }
}

/// Reads what was published since the first record of the run, and holds it against the run. What
/// replays have published does not count.
pub(super) fn with_published(
    comparison: &mut Comparison,
    kafka: &KafkaConfig,
    names: &TopicNames,
) -> Result<(), Failure> {
    let Some(first_ms) = comparison.first_ms else {
        return Ok(());
    };
    // A producer's clock may be anywhere.
    let since = Bound::TimeMs(first_ms.min(wall_clock_ms()) - CLOCKS_DIFFER_MS);
    for outlet in OUTLETS {
        let topic = names.of(outlet);
        let reader = RangeReader::open(kafka, &kafka.group_id, topic).map_err(unreadable)?;
        let partitions: Vec<i32> = (0..names.partitions(outlet)).collect();
        let range = reader
            .stretches(&partitions, Some(since), None)
            .map_err(unreadable)?;
        reader
            .read(&range, |partition, record| {
                if record.header_text(REPLAY).is_none()
                    && let Some(published) = Told::of_record(outlet, partition, record)
                {
                    comparison.see(&published);
                }
                Ok::<_, Infallible>(())
            })
            .map_err(unreadable)?;
    }
    Ok(())
}
