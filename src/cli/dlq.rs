//! `crisol dlq`: dead letters, looked at and sent in again.

mod redrive;
mod resume;
mod show;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::{Exit, Failure, logging, output, plan, unreadable};
use crate::event::codec::printable;
use crate::event::reason::{Disposition, Reason};
use crate::event::timestamp::{format_rfc3339, parse_rfc3339_ms};
use crate::log::letters::{Entry, Letter, read_letters};
use crate::log::source::Coordinates;
use crate::log::topics::TopicNames;
use crate::role::Settings;

/// How long reading all letters may take.
const LIMIT: Duration = Duration::from_secs(600);
/// The longest message or key in a table, in characters.
const MAX_CELL_CHARS: usize = 80;

/// Commands about dead letters.
#[derive(Debug, Subcommand)]
pub(super) enum DlqCommand {
    /// List letters, newest last, with the address that the other commands take.
    List(ListArgs),
    /// Show one letter: where it came from, what is wrong with it, headers and value.
    Show(show::ShowArgs),
    /// Send letters in again, each at most once, after what was wrong is mended.
    #[command(after_help = redrive::EXAMPLES)]
    Redrive(redrive::RedriveArgs),
    /// Let partitions go on that a flood of bad records halted.
    #[command(after_help = resume::EXAMPLES)]
    Resume(resume::ResumeArgs),
}

/// Which letters are meant; all conditions hold together.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only with this reason, such as `invalid_json`.
    #[arg(long)]
    reason: Option<String>,
    /// Only written at or after this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only written before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only from this partition of the original's topic.
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
}

/// What `list` takes.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// At most this many, the newest.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

/// A filter whose words were understood.
struct Conditions {
    reason: Option<Reason>,
    since_ms: i64,
    until_ms: i64,
    partition: Option<i32>,
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    letter: String,
    written: String,
    reason: String,
    attempt: u32,
    topic: String,
    partition: i32,
    offset: i64,
    key: String,
    bytes: usize,
    redriven: bool,
    message: String,
}

pub(super) fn dlq(command: &DlqCommand, settings: &Settings, json: bool) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let names = plan(settings)?.names(&settings.kafka.topic_prefix);
    match command {
        DlqCommand::List(args) => list(args, settings, &names, json),
        DlqCommand::Show(args) => show::show(args, settings, &names, json),
        DlqCommand::Redrive(args) => redrive::redrive(args, settings, &names, json),
        DlqCommand::Resume(args) => resume::resume(args, settings, json),
    }
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.reason.is_none()
            && self.since.is_none()
            && self.until.is_none()
            && self.partition.is_none()
    }

    fn conditions(&self) -> Result<Conditions, Failure> {
        let time = |flag: &str, text: &Option<String>, default: i64| match text {
            None => Ok(default),
            Some(text) => parse_rfc3339_ms(text).ok_or_else(|| {
                usage(format!(
                    "{flag} {}: not a time; write it as 2026-11-21T18:00:00Z",
                    printable(text)
                ))
            }),
        };
        let reason = match &self.reason {
            None => None,
            Some(text) => Some(dead_reason(text)?),
        };
        Ok(Conditions {
            reason,
            since_ms: time("--since", &self.since, i64::MIN)?,
            until_ms: time("--until", &self.until, i64::MAX)?,
            partition: self.partition,
        })
    }
}

impl Conditions {
    fn hold(&self, letter: &Letter) -> bool {
        self.reason
            .is_none_or(|reason| reason.as_str() == letter.reason)
            && (self.since_ms..self.until_ms).contains(&letter.record.timestamp_ms)
            && self.partition.is_none_or(|n| n == letter.partition)
    }
}

fn dead_reason(text: &str) -> Result<Reason, Failure> {
    let dead = || {
        Reason::ALL
            .iter()
            .copied()
            .filter(|reason| reason.disposition() == Disposition::Dead)
    };
    dead()
        .find(|reason| reason.as_str() == text)
        .ok_or_else(|| {
            let known: Vec<&str> = dead().map(Reason::as_str).collect();
            usage(format!(
                "--reason {}: no letter has it; there are {}",
                printable(text),
                known.join(", ")
            ))
        })
}

fn list(
    args: &ListArgs,
    settings: &Settings,
    names: &TopicNames,
    json: bool,
) -> Result<Exit, Failure> {
    let conditions = args.filter.conditions()?;
    let mut redriven = BTreeSet::new();
    let mut rows: Vec<(i64, Coordinates, Row)> = Vec::new();
    let mut matching = 0_usize;
    let strange = read(settings, names, |entry| match entry {
        Entry::Receipt(address) => {
            redriven.insert(address);
        }
        Entry::Letter(letter) if conditions.hold(&letter) => {
            matching += 1;
            rows.push((letter.record.timestamp_ms, letter.at, row_of(&letter)));
            // The newest stay; cut only now and then, because cutting sorts.
            if rows.len() > args.limit.saturating_mul(2).max(1_024) {
                cut(&mut rows, args.limit);
            }
        }
        Entry::Letter(_) => {}
    })?;
    cut(&mut rows, args.limit);
    for (_, address, row) in &mut rows {
        row.redriven = redriven.contains(address);
    }
    let rows: Vec<Row> = rows.into_iter().map(|(_, _, row)| row).collect();
    let shown = rows.len();
    if json {
        output::json(&rows)?;
    } else {
        output::table(
            &[
                "letter",
                "written",
                "reason",
                "failed",
                "from",
                "key",
                "bytes",
                "what is wrong",
            ],
            rows.into_iter().map(|row| {
                let again = if row.redriven { ", sent in again" } else { "" };
                vec![
                    row.letter,
                    row.written,
                    row.reason,
                    format!("{}x{again}", row.attempt),
                    format!("{} {}:{}", row.topic, row.partition, row.offset),
                    shortened(&row.key),
                    row.bytes.to_string(),
                    shortened(&row.message),
                ]
            }),
        );
        println!("{matching} letters, {shown} shown");
    }
    if strange > 0 {
        eprintln!("crisol: {strange} records on the topic are neither letters nor receipts");
    }
    Ok(Exit::Done)
}

/// Keeps the newest, in order.
fn cut(rows: &mut Vec<(i64, Coordinates, Row)>, limit: usize) {
    rows.sort_by_key(|(written, address, _)| (*written, *address));
    let surplus = rows.len().saturating_sub(limit);
    rows.drain(..surplus);
}

fn row_of(letter: &Letter) -> Row {
    let key = letter.record.key.as_deref().unwrap_or_default();
    Row {
        letter: letter.at.to_string(),
        written: format_rfc3339(letter.record.timestamp_ms),
        reason: printable(&letter.reason),
        attempt: letter.attempt,
        topic: printable(&letter.topic),
        partition: letter.partition,
        offset: letter.offset,
        key: printable(&String::from_utf8_lossy(key)),
        bytes: letter.record.value.as_ref().map_or(0, Vec::len),
        redriven: false,
        message: printable(&letter.message),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

/// Reads all letters, and says what to do where they cannot be read.
fn read(
    settings: &Settings,
    names: &TopicNames,
    each: impl FnMut(Entry),
) -> Result<usize, Failure> {
    read_letters(&settings.kafka, names, LIMIT, each).map_err(unreadable)
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}
