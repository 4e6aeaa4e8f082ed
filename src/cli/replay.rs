//! `crisol replay`: patches judged again with the facts of now, and the outcomes held against what was
//! published.

mod compare;
mod sink;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use crate::cli::{Exit, Failure, logging, models, output, plan, progress, sources, unreadable};
use crate::event::id::check_cve_id;
use crate::event::record::{Batch, Handled, Record};
use crate::event::timestamp::format_rfc3339;
use crate::event::topic::Topic;
use crate::log::client::KafkaConfig;
use crate::log::letters::Entry;
use crate::log::range::{Bound, RangeError, RangeReader, Stretch};
use crate::log::topics::TopicNames;
use crate::pipeline::Pipeline;
use crate::policy::Sampler;
use crate::role::Settings;
use crate::role::process::{catalogue, wall_clock_ms};
use crate::table::{OpenItems, Tables};

use compare::{Comparison, Told};
use sink::Sink;

/// Records in one batch.
const BATCH: usize = 256;
/// How long the tables may take to be read.
const TABLES_LIMIT: Duration = Duration::from_secs(300);

const EXAMPLES: &str = "\
Examples:
  crisol replay --from 2026-11-21T00:00:00Z --to 2026-11-22T00:00:00Z   a day
  crisol replay --partition 3 --from 4711 --to 4712                     one record
  crisol replay --dlq                                                   would the letters pass?
  crisol replay --from 2026-11-21T00:00:00Z --publish                   asks first

Patches are judged with the vulnerabilities and settings of now. Outcomes go to a topic of the
run's own, <prefix>replay.<name>, and the open items are those that the run itself opens. With
--publish they go to decisions and hitl, and the open items are the real ones. A run that died
goes on where it was if it is given the same --name.

Exit codes: 0 every outcome as published, 1 some differ or were never published.";

/// Options of `replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArgs {
    /// From this offset or time (RFC 3339) on; from the beginning without it.
    #[arg(long, value_name = "OFFSET|TIME")]
    from: Option<Bound>,
    /// Up to this offset or time, which is not included; to the end as of now without it.
    #[arg(long, value_name = "OFFSET|TIME")]
    to: Option<Bound>,
    /// Only these partitions; may be repeated.
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<i32>,
    /// Dead letters in place of patches; offsets, times and partitions are then those of `dlq`.
    #[arg(long)]
    dlq: bool,
    /// Name of the run: of its topic and its group. The time without it.
    #[arg(long)]
    name: Option<String>,
    /// Send the outcomes to the real topics.
    #[arg(long, conflicts_with = "dlq")]
    publish: bool,
    /// Do not ask before --publish.
    #[arg(long, requires = "publish")]
    yes: bool,
    /// At most this many differences in the table; JSON has all.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

pub(super) fn replay(args: &ReplayArgs, settings: &Settings, json: bool) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let plan = plan(settings)?;
    let names = plan.names(&settings.kafka.topic_prefix);
    let name = run_name(args)?;
    let source = if args.dlq { Topic::Dlq } else { Topic::Patches };
    let kafka = KafkaConfig {
        group_id: format!("{}.replay.{name}", settings.kafka.group_id),
        ..settings.kafka.clone()
    };
    let reader =
        RangeReader::open(&kafka, &kafka.group_id, names.of(source)).map_err(unreadable)?;
    let found = range(args, &reader, &names, source)?;
    let records: u64 = found.iter().map(Stretch::len).sum();
    if args.publish && !args.yes {
        ask(records, &settings.kafka.topic_prefix)?;
    }
    let pipeline = pipeline(args, settings, &names)?;
    let sink = if args.publish {
        Sink::publishing(&kafka, &names, &reader, &name)
    } else {
        Sink::aside(&kafka, &plan, &names, &reader, &name)
    }?;
    let mut run = Run {
        pipeline: &pipeline,
        topic: Arc::from(names.of(Topic::Patches)),
        from_letters: args.dlq,
        waiting: BTreeMap::new(),
        comparison: Comparison::default(),
        bar: progress::bar(records, "{bar:30} {pos} of {len} records, {eta} left"),
        sink,
    };
    reader
        .read(&found, |partition, record| run.take(partition, record))
        .map_err(failed)?;
    run.finish()?;
    let Run {
        mut comparison,
        sink,
        ..
    } = run;
    if !args.dlq {
        compare::with_published(&mut comparison, &kafka, &names)?;
    }
    let report = comparison.report(name, sink.target().to_owned());
    if json {
        output::json(&report)?;
    } else {
        report.print(args.limit);
    }
    Ok(if report.is_same() {
        Exit::Done
    } else {
        Exit::Found
    })
}

/// Returns the name of the run, which becomes part of names at the brokers.
fn run_name(args: &ReplayArgs) -> Result<String, Failure> {
    let Some(name) = &args.name else {
        let now = format_rfc3339(wall_clock_ms());
        return Ok(now.chars().filter(char::is_ascii_alphanumeric).collect());
    };
    // Letters, digits, dots, dashes and underscores, of a bounded length: what topics may be called.
    if check_cve_id(name).is_err() || name.contains(':') {
        return Err(usage(
            "--name: letters, digits, dots and dashes, and not too long".to_owned(),
        ));
    }
    Ok(name.clone())
}

fn range(
    args: &ReplayArgs,
    reader: &RangeReader,
    names: &TopicNames,
    source: Topic,
) -> Result<Vec<Stretch>, Failure> {
    let count = names.partitions(source);
    let by_offset = [args.from, args.to]
        .iter()
        .any(|bound| matches!(bound, Some(Bound::Offset(_))));
    if by_offset && args.partitions.len() != 1 {
        return Err(usage(
            "an offset is one of a partition: name it with --partition, or give times".to_owned(),
        ));
    }
    if let Some(unknown) = args
        .partitions
        .iter()
        .find(|partition| !(0..count).contains(*partition))
    {
        return Err(usage(format!(
            "--partition {unknown}: {source} has partitions 0 to {}",
            count - 1
        )));
    }
    let partitions = if args.partitions.is_empty() {
        (0..count).collect()
    } else {
        args.partitions.clone()
    };
    let mut found = reader
        .stretches(&partitions, args.from, args.to)
        .map_err(unreadable)?;
    // An earlier run of this name may have come some way.
    reader.go_on(&mut found).map_err(unreadable)?;
    Ok(found)
}

/// Asks the person at the terminal whether to publish.
fn ask(records: u64, prefix: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(usage(
            "--publish asks first, and nobody is at the terminal; say --yes if you mean it"
                .to_owned(),
        ));
    }
    eprint!(
        "Up to {records} records are judged again, and their outcomes go to {prefix}decisions and \
         {prefix}hitl, where consumers act on them.\nType yes to go on: "
    );
    let internal = |error| Failure::new(Exit::Internal, error);
    std::io::stderr().flush().map_err(internal)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(internal)?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(usage("nothing was published".to_owned()))
    }
}

fn pipeline(
    args: &ReplayArgs,
    settings: &Settings,
    names: &TopicNames,
) -> Result<Pipeline, Failure> {
    let mut tables = Tables::tail(&settings.kafka, names, &settings.tables(), &settings.limits)
        .map_err(unreadable)?;
    tables.wait_ready(TABLES_LIMIT).map_err(unreadable)?;
    if !args.publish {
        // What is open today was not open then: those that the run opens come closest to it.
        tables.open_items = Arc::new(OpenItems::new(
            settings.items.clone(),
            settings.limits.clone(),
        ));
    }
    let pipeline = Pipeline::new(
        Arc::new(tables),
        settings.judging.clone(),
        settings.limits.clone(),
        settings.diff.clone(),
        settings.risk.clone(),
        wall_clock_ms,
    )
    .with_models(models(settings)?)
    .with_sources(sources(settings, None)?)
    .with_exploits(Arc::new(catalogue(settings)));
    Ok(match settings.secret.load() {
        Ok(key) => pipeline.with_sampling(Sampler::new(&key), settings.ab),
        // The sample is no part of an outcome; only what is published must be marked as it was.
        Err(error) if args.publish => return Err(Failure::new(Exit::Config, error)),
        Err(_) => pipeline,
    })
}

/// A replay under way.
struct Run<'a> {
    pipeline: &'a Pipeline,
    topic: Arc<str>,
    from_letters: bool,
    /// Records not judged yet, by the partition they were read from.
    waiting: BTreeMap<i32, Vec<Record>>,
    comparison: Comparison,
    bar: ProgressBar,
    sink: Sink<'a>,
}

impl Run<'_> {
    fn take(&mut self, partition: i32, record: Record) -> Result<(), Failure> {
        if self.from_letters {
            return self.take_letter(partition, record);
        }
        let waiting = self.waiting.entry(partition).or_default();
        waiting.push(record);
        if waiting.len() >= BATCH {
            let records = std::mem::take(waiting);
            self.judge(partition, records)?;
        }
        Ok(())
    }

    fn judge(&mut self, partition: i32, records: Vec<Record>) -> Result<(), Failure> {
        let Some(last) = records.last() else {
            return Ok(());
        };
        let next = last.offset + 1;
        for record in &records {
            self.comparison.note_time(record.timestamp_ms);
        }
        self.bar.inc(records.len() as u64);
        let batch = Batch {
            topic: Arc::clone(&self.topic),
            partition,
            records,
        };
        for handled in self.pipeline.handle(&batch) {
            self.note(batch.partition, handled)?;
        }
        self.sink.reached(partition, next)
    }

    /// Judges the original of a letter and holds it against the letter.
    fn take_letter(&mut self, partition: i32, record: Record) -> Result<(), Failure> {
        let next = record.offset + 1;
        self.bar.inc(1);
        let letter = match Entry::read(partition, record) {
            Some(Entry::Letter(letter)) if letter.topic == *self.topic && !letter.left_out => {
                letter
            }
            _ => return self.sink.reached(partition, next),
        };
        let published = Told::of_letter(&letter);
        let original = Record {
            offset: letter.offset,
            timestamp_ms: letter.record.timestamp_ms,
            headers: letter.original_headers(),
            key: letter.record.key,
            value: letter.record.value,
            left_out: None,
        };
        let batch = Batch {
            topic: Arc::clone(&self.topic),
            partition: letter.partition,
            records: vec![original],
        };
        for handled in self.pipeline.handle(&batch) {
            self.note(batch.partition, handled)?;
        }
        self.comparison.see(&published);
        self.sink.reached(partition, next)
    }

    fn note(&mut self, partition: i32, handled: Handled) -> Result<(), Failure> {
        if let Some(told) = Told::of_handled(&self.topic, partition, &handled) {
            self.comparison.expect(told);
        }
        self.sink.take(handled.outputs)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        for (partition, records) in std::mem::take(&mut self.waiting) {
            self.judge(partition, records)?;
        }
        self.sink.send()?;
        self.bar.finish_and_clear();
        Ok(())
    }
}

fn failed(error: RangeError<Failure>) -> Failure {
    match error {
        RangeError::Taker(failure) => failure,
        error => unreadable(error),
    }
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}
