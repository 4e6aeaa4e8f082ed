//! `crisol dlq resume`: partitions that a flood of bad records halted go on.

use clap::Args;
use serde::Serialize;

use crate::cli::control::{read, write};
use crate::cli::dlq::usage;
use crate::cli::{Exit, Failure, output};
use crate::event::codec::printable;
use crate::event::control::ControlKey;
use crate::event::topic::Topic;
use crate::role::Settings;

/// The end of the help text.
pub(super) const EXAMPLES: &str = "\
Examples:
  crisol dlq resume --dry-run                        what is halted, since when, and where it goes on
  crisol dlq list --partition 3                      what is wrong with the records
  crisol dlq resume --partition 3                    once the producer is mended

The bad records that still stand in the partition become dead letters; if there are many of them, it
halts again.";

/// What `resume` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArgs {
    /// Only these partitions of the input; every halted one without it.
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<i32>,
    /// Only say what is halted.
    #[arg(long)]
    dry_run: bool,
}

/// A halted partition.
#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    partition: i32,
    since: String,
    bad_in_a_row: u64,
    goes_on_at: i64,
    resumed: bool,
}

pub(super) fn resume(args: &ResumeArgs, settings: &Settings, json: bool) -> Result<Exit, Failure> {
    let control = read(settings)?;
    let unknown = args.partitions.iter().find(|partition| {
        let mut halted = control.halts.keys();
        !halted.any(|(_, known)| known == *partition)
    });
    if let Some(partition) = unknown {
        return Err(usage(format!(
            "partition {partition} is not halted; crisol dlq resume --dry-run tells which are"
        )));
    }
    let chosen: Vec<_> = control
        .halts
        .iter()
        .filter(|((_, partition), _)| {
            args.partitions.is_empty() || args.partitions.contains(partition)
        })
        .collect();
    let mut rows = Vec::with_capacity(chosen.len());
    for ((topic, partition), halt) in chosen {
        if !args.dry_run {
            let key = ControlKey::Halt {
                topic: *topic,
                partition: *partition,
            };
            write(settings, &key, None)?;
        }
        rows.push(Row {
            topic: Topic::to_string(topic),
            partition: *partition,
            // Whoever may write to `control` chooses the text.
            since: printable(&halt.since),
            bad_in_a_row: halt.bad_in_a_row,
            goes_on_at: halt.offset,
            resumed: !args.dry_run,
        });
    }
    if json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        println!("no partition is halted");
    } else {
        let shown = rows.iter().map(|row| {
            vec![
                row.topic.clone(),
                row.partition.to_string(),
                row.since.clone(),
                row.bad_in_a_row.to_string(),
                row.goes_on_at.to_string(),
                if row.resumed { "goes on" } else { "halted" }.to_owned(),
            ]
        });
        output::table(
            &[
                "topic",
                "partition",
                "halted since",
                "bad in a row",
                "goes on at",
                "now",
            ],
            shown,
        );
    }
    Ok(Exit::Done)
}
