//! What was judged already: events from a file, or from their topics.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::input::{Line, Lines, Source, cannot_read, open};
use crate::cli::recorded::Recorded;
use crate::cli::{Failure, plan, progress, unreadable};
use crate::event::decision::JudgeName;
use crate::event::topic::Topic;
use crate::log::range::{Bound, RangeReader, Stretch};
use crate::role::Settings;

/// Which part of the topics.
#[derive(Debug, Args)]
pub(super) struct Span {
    /// Only events written at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "topic")]
    since: Option<Bound>,
    /// Only events written before this time.
    #[arg(long, value_name = "TIME", requires = "topic")]
    until: Option<Bound>,
}

/// A line that holds an event among other things, as `crisol validate` and `crisol explain --json` write it.
#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
}

/// The one field of a patch that is missing on decisions.
#[derive(Deserialize)]
struct Diff {
    diff_content: String,
}

type Take<'t> = &'t mut dyn FnMut(Result<Recorded, String>);

/// Reads events from a file, one a line.
pub(super) fn of_file(path: &Path, settings: &Settings, take: Take<'_>) -> Result<(), Failure> {
    let limit = settings.judging.max_output_bytes;
    let input: Box<dyn std::io::Read> = match Source::of(path) {
        Source::Stdin => Box::new(std::io::stdin()),
        Source::File(path) => Box::new(open(&path)?),
    };
    let mut lines = Lines::new(BufReader::new(input), limit);
    while let Some((_, line)) = lines
        .next_line()
        .map_err(|error| cannot_read(path, &error))?
    {
        match line {
            Line::Whole(line) if line.is_empty() => {}
            Line::Whole(line) => {
                let inner = serde_json::from_slice::<Wrapped<'_>>(&line)
                    .ok()
                    .and_then(|w| w.event);
                take(read(
                    inner.map_or(line.as_slice(), |event| event.get().as_bytes()),
                ));
            }
            Line::TooLong { .. } => take(Err(format!("a line of more than {limit} bytes"))),
        }
    }
    Ok(())
}

/// Reads events from their topics; the diffs of decisions from `patches`.
pub(super) fn of_topics(settings: &Settings, span: &Span, take: Take<'_>) -> Result<(), Failure> {
    let names = plan(settings)?.names(&settings.kafka.topic_prefix);
    let reader = |topic: Topic| {
        RangeReader::open(&settings.kafka, &settings.kafka.group_id, names.of(topic))
            .map_err(unreadable)
    };
    let mut without_diff: BTreeMap<(i32, i64), Recorded> = BTreeMap::new();
    for topic in [Topic::Hitl, Topic::Decisions] {
        let reader = reader(topic)?;
        let partitions: Vec<i32> = (0..names.partitions(topic)).collect();
        let range = reader
            .stretches(&partitions, span.since, span.until)
            .map_err(unreadable)?;
        let length = range.iter().map(Stretch::len).sum();
        let bar = progress::bar(length, "{bar:30} {pos} of {len} records, {eta} left");
        reader
            .read(&range, |_, record| {
                bar.inc(1);
                match read(record.value.as_deref().unwrap_or_default()) {
                    Ok(judged) if lacks_diff(&judged) => {
                        without_diff.insert(judged.source, judged);
                    }
                    judged => take(judged),
                }
                Ok::<_, std::convert::Infallible>(())
            })
            .map_err(unreadable)?;
        bar.finish_and_clear();
    }
    let patches = reader(Topic::Patches)?;
    let partitions: Vec<i32> = (0..names.partitions(Topic::Patches)).collect();
    let held = patches
        .stretches(&partitions, None, None)
        .map_err(unreadable)?;
    for ((partition, offset), mut judged) in without_diff {
        // What retention has taken leaves its event without a diff, which is told.
        let is_held = held
            .iter()
            .any(|held| held.partition == partition && (held.from..held.to).contains(&offset));
        if is_held {
            let here = Stretch {
                partition,
                from: offset,
                to: offset + 1,
            };
            patches
                .read(&[here], |_, record| {
                    let value = record.value.as_deref().unwrap_or_default();
                    let patch = serde_json::from_slice::<Diff>(value).ok();
                    judged.diff = patch.map(|patch| patch.diff_content);
                    Ok::<_, std::convert::Infallible>(())
                })
                .map_err(unreadable)?;
        }
        take(Ok(judged));
    }
    Ok(())
}

/// Whether the forest judged it, and its diff stands elsewhere.
fn lacks_diff(recorded: &Recorded) -> bool {
    recorded.diff.is_none() && recorded.facts.judgement.judge == JudgeName::Forest
}

fn read(event: &[u8]) -> Result<Recorded, String> {
    Recorded::read(event).map_err(|_| "no event of hitl or decisions".to_owned())
}
