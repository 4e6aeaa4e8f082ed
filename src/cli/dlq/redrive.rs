//! `crisol dlq redrive`: letters sent in again.
//!
//! A letter and the receipt that it was sent in go into one transaction, so no letter goes in twice by
//! accident, whatever dies on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::dlq::{Conditions, Filter, read, row_of, usage};
use crate::cli::{Exit, Failure, output};
use crate::event::record::Output;
use crate::event::topic::Topic;
use crate::log::letters::{Entry, Letter, REDRIVEN};
use crate::log::source::Coordinates;
use crate::log::statistics::ProducerContext;
use crate::log::topics::TopicNames;
use crate::log::transaction::{TransactionError, TransactionalProducer};
use crate::role::Settings;

/// The end of the help text.
pub(super) const EXAMPLES: &str = "\
Examples:
  crisol dlq redrive 3:41 3:57                       these two
  crisol dlq redrive --reason crashed --dry-run      what would go in
  crisol dlq redrive --reason crashed --since 2026-11-21T18:00:00Z

A letter goes in with its key, value and headers, and keeps the count of its failures: one that has
failed --max-attempts times stays, until somebody raises that. What went in is marked, and goes in
again only with --again.";

/// Letters in one transaction.
const PORTION: usize = 500;
/// How long registering may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What `redrive` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct RedriveArgs {
    /// The letters, as `crisol dlq list` prints them; without them, those that the conditions choose.
    #[arg(value_name = "PARTITION:OFFSET")]
    letters: Vec<Coordinates>,
    #[command(flatten)]
    filter: Filter,
    /// Only say what would go in.
    #[arg(long)]
    dry_run: bool,
    /// Leave letters that have failed this often.
    #[arg(long, default_value_t = 3, value_name = "N")]
    max_attempts: u32,
    /// Also those that were sent in before.
    #[arg(long)]
    again: bool,
}

/// What becomes of one letter.
#[derive(Debug, Serialize)]
struct Fate {
    letter: String,
    reason: String,
    attempt: u32,
    key: String,
    fate: Where,
    /// Why it stays.
    why: Option<&'static str>,
}

/// Where a letter is afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Where {
    WentIn,
    WouldGoIn,
    Stays,
}

pub(super) fn redrive(
    args: &RedriveArgs,
    settings: &Settings,
    names: &TopicNames,
    json: bool,
) -> Result<Exit, Failure> {
    let chosen = Chosen::of(args, names)?;
    let mut meant: BTreeSet<Coordinates> = BTreeSet::new();
    let mut redriven: BTreeSet<Coordinates> = BTreeSet::new();
    read(settings, names, |entry| match entry {
        Entry::Receipt(address) => {
            redriven.insert(address);
        }
        Entry::Letter(letter) if chosen.means(&letter) => {
            meant.insert(letter.at);
        }
        Entry::Letter(_) => {}
    })?;
    let missing: Vec<String> = args
        .letters
        .iter()
        .filter(|address| !meant.contains(address))
        .map(Coordinates::to_string)
        .collect();
    if !missing.is_empty() {
        return Err(Failure::new(
            Exit::Found,
            format!(
                "no letter stands at {}; nothing was sent",
                missing.join(", ")
            ),
        ));
    }
    let mut sender = if args.dry_run || meant.is_empty() {
        None
    } else {
        Some(Sender::start(settings, names)?)
    };
    let mut fates = Vec::new();
    let mut failure = None;
    // Read a second time: only now is known which letters went in before, and all of their bytes
    // need not be held at once.
    read(settings, names, |entry| {
        let Entry::Letter(letter) = entry else { return };
        if !meant.contains(&letter.at) || failure.is_some() {
            return;
        }
        let stays = chosen.stays(&letter, redriven.contains(&letter.at) && !args.again);
        let topic = chosen.input_of(&letter);
        if let (None, Some(topic), Some(sender)) = (stays, topic, &mut sender) {
            failure = sender.take(&letter, topic).err();
        }
        let row = row_of(&letter);
        fates.push(Fate {
            letter: row.letter,
            reason: row.reason,
            attempt: row.attempt,
            key: row.key,
            fate: match stays {
                Some(_) => Where::Stays,
                None if args.dry_run => Where::WouldGoIn,
                None => Where::WentIn,
            },
            why: stays,
        });
    })?;
    if let Some(sender) = &mut sender
        && failure.is_none()
    {
        failure = sender.send().err();
    }
    if let Some(error) = failure {
        let sent = sender.map_or(0, |sender| sender.sent);
        return Err(Failure::new(
            Exit::Unavailable,
            format!(
                "{error}; {sent} letters went in and are marked; run the same command again for the rest"
            ),
        ));
    }
    report(fates, json)
}

fn report(fates: Vec<Fate>, json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&fates)?;
        return Ok(Exit::Done);
    }
    let count = fates.len();
    let stay = fates
        .iter()
        .filter(|fate| fate.fate == Where::Stays)
        .count();
    output::table(
        &["letter", "reason", "failed", "key", "what becomes of it"],
        fates.into_iter().map(|fate| {
            let told = fate.told();
            vec![
                fate.letter,
                fate.reason,
                format!("{}x", fate.attempt),
                fate.key,
                told,
            ]
        }),
    );
    println!("{count} letters, {} in, {stay} left", count - stay);
    Ok(Exit::Done)
}

impl Fate {
    fn told(&self) -> String {
        match (self.fate, self.why) {
            (Where::WentIn, _) => "went in".to_owned(),
            (Where::WouldGoIn, _) => "would go in".to_owned(),
            (Where::Stays, why) => format!("stays: {}", why.unwrap_or_default()),
        }
    }
}

/// Topics whose letters may go in again.
const INPUTS: [Topic; 2] = [Topic::Patches, Topic::Wargames];

/// Which letters are meant, and which of them may go in.
struct Chosen<'a> {
    letters: BTreeSet<Coordinates>,
    conditions: Conditions,
    max_attempts: u32,
    /// The inputs, with their names here.
    inputs: [(Topic, &'a str); 2],
}

impl<'a> Chosen<'a> {
    fn of(args: &RedriveArgs, names: &'a TopicNames) -> Result<Self, Failure> {
        if args.letters.is_empty() == args.filter.is_empty() {
            return Err(usage(
                "name letters, or choose them by --reason, --since, --until or --partition; not both"
                    .to_owned(),
            ));
        }
        Ok(Self {
            letters: args.letters.iter().copied().collect(),
            conditions: args.filter.conditions()?,
            max_attempts: args.max_attempts,
            inputs: INPUTS.map(|topic| (topic, names.of(topic))),
        })
    }

    fn means(&self, letter: &Letter) -> bool {
        if self.letters.is_empty() {
            self.conditions.hold(letter)
        } else {
            self.letters.contains(&letter.at)
        }
    }

    /// Returns the topic that a letter's original came from, if that is an input.
    fn input_of(&self, letter: &Letter) -> Option<Topic> {
        let mut inputs = self.inputs.iter();
        let found = inputs.find(|(_, name)| *name == letter.topic);
        found.map(|(topic, _)| *topic)
    }

    /// Returns why a letter stays; `None` if it may go in.
    fn stays(&self, letter: &Letter, was_sent: bool) -> Option<&'static str> {
        if was_sent {
            Some("was sent in before (--again)")
        } else if letter.left_out {
            Some("the original did not fit into the letter")
        } else if self.input_of(letter).is_none() {
            Some("is from no topic that is read here")
        } else if letter.attempt >= self.max_attempts {
            Some("has failed too often (--max-attempts)")
        } else {
            None
        }
    }
}

/// Sends letters, each with its receipt, a portion to a transaction.
struct Sender {
    producer: TransactionalProducer,
    portion: Vec<[Output; 2]>,
    sent: usize,
}

impl Sender {
    fn start(settings: &Settings, names: &TopicNames) -> Result<Self, Failure> {
        let producer = TransactionalProducer::register(
            &settings.kafka,
            "redrive",
            names.clone(),
            ProducerContext::default(),
            TIMEOUT,
        )
        .map_err(|error| Failure::new(Exit::Unavailable, format!("{error}; nothing was sent")))?;
        Ok(Self {
            producer,
            portion: Vec::new(),
            sent: 0,
        })
    }

    fn take(&mut self, letter: &Letter, topic: Topic) -> Result<(), TransactionError> {
        let again = Output {
            topic,
            partition_by: None,
            key: letter.record.key.clone(),
            value: letter.record.value.clone(),
            headers: letter.outgoing_headers(),
        };
        let receipt = Output {
            topic: Topic::Dlq,
            partition_by: None,
            key: letter.record.key.clone(),
            value: None,
            headers: vec![(
                REDRIVEN.into(),
                Some(letter.at.to_string().into_bytes().into()),
            )],
        };
        self.portion.push([again, receipt]);
        if self.portion.len() >= PORTION {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), TransactionError> {
        if self.portion.is_empty() {
            return Ok(());
        }
        let transaction = self.producer.begin()?;
        let sent = transaction.send_all(self.portion.as_flattened());
        if sent.is_err() {
            return transaction.or_abort(sent);
        }
        transaction.commit()?;
        self.sent += self.portion.len();
        self.portion.clear();
        Ok(())
    }
}
