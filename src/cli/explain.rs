//! `crisol explain`: what became of one patch, and why.

mod bars;
mod svg;
mod why;

use clap::Args;
use serde_json::json;

use crate::cli::answer::{Answer, may_color};
use crate::cli::explain::why::WhyArgs;
use crate::cli::{Exit, Failure, logging, output, plan, progress, unreadable, words};
use crate::event::codec::printable;
use crate::event::id::check_patch_id;
use crate::event::record::{Record, outgoing};
use crate::event::timestamp::format_rfc3339;
use crate::event::topic::Topic;
use crate::log::partitioner::partition_of;
use crate::log::range::{Bound, RangeReader, Stretch};
use crate::log::source::Coordinates;
use crate::role::Settings;

/// Where the outcomes of a patch stand, under its id.
const OUTLETS: [Topic; 2] = [Topic::Decisions, Topic::Hitl];

const EXAMPLES: &str = "\
Examples:
  crisol explain patch-17
  crisol explain patch-17 --since 2026-11-21T00:00:00Z      where the topics are long
  crisol explain patch-17 --json | jq '.[].event.facts.policy'
  crisol explain patch-17 --svg why.svg                      bars of what made the forest's p
  kcat -C -t maximus.adaptive-immunity.hitl -o -1 -c 1 -e | crisol explain --event -
  crisol explain --diff mine.patch                           a diff of which nothing is known

Exit codes: 0 found, 1 no outcome stands under this id.";

/// Options of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArgs {
    /// The patch, as its producer named it; `req:` and the digest for a validation request.
    #[arg(required_unless_present_any = ["event", "diff"])]
    patch_id: Option<String>,
    /// Only outcomes written at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
    #[command(flatten)]
    why: WhyArgs,
}

/// An outcome as it stands on its topic.
struct Found {
    topic: Topic,
    at: Coordinates,
    record: Record,
}

pub(super) fn explain(
    args: &ExplainArgs,
    settings: &Settings,
    as_json: bool,
) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let Some(patch_id) = args.patch_id.as_deref().filter(|_| !args.why.is_of_files()) else {
        return args.why.of_files(settings, as_json);
    };
    check_patch_id(patch_id).map_err(|error| Failure::new(Exit::Usage, error))?;
    let names = plan(settings)?.names(&settings.kafka.topic_prefix);
    let mut found = Vec::new();
    for topic in OUTLETS {
        let reader = RangeReader::open(&settings.kafka, &settings.kafka.group_id, names.of(topic))
            .map_err(unreadable)?;
        // Whatever is written of a patch lies where its id puts it.
        let partition = partition_of(patch_id.as_bytes(), names.partitions(topic));
        let range = reader
            .stretches(&[partition], args.since, None)
            .map_err(unreadable)?;
        let length = range.iter().map(Stretch::len).sum();
        let bar = progress::bar(length, "{bar:30} {pos} of {len} records, {eta} left");
        reader
            .read(&range, |partition, record| {
                bar.inc(1);
                if record.key.as_deref() == Some(patch_id.as_bytes()) {
                    let at = Coordinates {
                        partition,
                        offset: record.offset,
                    };
                    found.push(Found { topic, at, record });
                }
                Ok::<_, std::convert::Infallible>(())
            })
            .map_err(unreadable)?;
        bar.finish_and_clear();
    }
    found.sort_by_key(|one| one.record.timestamp_ms);
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Found,
            format!(
                "no outcome of {}: it may not be judged yet (crisol_lag_records), or be a dead letter (crisol dlq list)",
                printable(patch_id)
            ),
        ));
    }
    if as_json {
        let events: Vec<_> = found
            .iter()
            .map(|one| one.to_json(args, settings))
            .collect();
        output::json(&events)?;
    } else {
        for one in &found {
            one.print(args, settings);
        }
    }
    Ok(Exit::Done)
}

impl Found {
    fn to_json(&self, args: &ExplainArgs, settings: &Settings) -> serde_json::Value {
        let value = self.record.value.as_deref().unwrap_or_default();
        json!({
            "topic": self.topic.as_str(),
            "at": self.at.to_string(),
            "written": format_rfc3339(self.record.timestamp_ms),
            "event": serde_json::from_slice::<serde_json::Value>(value).ok(),
            "why": args.why.of_event(settings, value).ok().flatten(),
        })
    }

    fn print(&self, args: &ExplainArgs, settings: &Settings) {
        let (topic, at) = (self.topic, self.at);
        let written = format_rfc3339(self.record.timestamp_ms);
        let headers: Vec<_> = self.record.headers.iter().map(outgoing).collect();
        match Answer::read(topic, self.record.value.as_deref(), &headers) {
            Ok(answer) => {
                let source = answer.source;
                println!("{topic} {at}, written {written}, of the record patches {source}");
                print!("{}", words::tell(&answer, may_color()));
                let value = self.record.value.as_deref().unwrap_or_default();
                match args.why.of_event(settings, value) {
                    Ok(Some(why)) => print!("{}", args.why.words(&why)),
                    Ok(None) => {}
                    Err(problem) => println!("  why: {problem}"),
                }
            }
            // Written by another version, or by somebody else.
            Err(problem) => println!("{topic} {at}, written {written}: {}", printable(&problem)),
        }
        println!();
    }
}
