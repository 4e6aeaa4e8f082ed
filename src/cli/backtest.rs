//! `crisol backtest`: what another model or policy would have said of what was judged already.

mod history;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::recorded::Recorded;
use crate::cli::{Exit, Failure, logging, output};
use crate::diff::{DiffLimits, parse};
use crate::event::codec::printable;
use crate::event::decision::JudgeName;
use crate::event::reason::{Disposition, Reason};
use crate::judge::Judgement;
use crate::judge::code::{Loaded, judge_recorded};
use crate::judge::shipped::read;
use crate::policy::{Policy, Question, decide};
use crate::role::Settings;

use history::Span;

/// Patches that are named of each change.
const NAMED: usize = 5;

const EXAMPLES: &str = "\
Examples:
  crisol backtest events.jsonl --model models/mine.json        events of hitl and decisions, one a line
  crisol backtest --topic --since 2026-11-20T00:00:00Z --model models/mine.json
  crisol backtest --topic --policy 1 --json | jq '.changes[] | select(.to == \"judge_confident\")'

What is judged again goes by the facts on the event: the diff, what memory knew then, the switches as they stood.
Nothing is published.

Exit codes: 0 nothing would change, 1 something would.";

/// Options of `backtest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BacktestArgs {
    /// Events of hitl and decisions as NDJSON; - for standard input.
    #[arg(required_unless_present = "topic", conflicts_with = "topic")]
    file: Option<PathBuf>,
    /// Take the events from their topics.
    #[arg(long)]
    topic: bool,
    #[command(flatten)]
    span: Span,
    /// The model to try in place of the one that judged.
    #[arg(long, value_name = "FILE", required_unless_present = "policy")]
    model: Option<PathBuf>,
    /// The policy to try, by its version.
    #[arg(long, value_name = "VERSION")]
    policy: Option<u32>,
}

/// What would change.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Events that were judged again.
    judged: usize,
    /// Of them, those that the forest judged.
    by_forest: usize,
    /// Events that could not be: why, and how many.
    left_out: BTreeMap<String, usize>,
    /// Events whose reason stays.
    same: usize,
    /// Those that were not approved and would be.
    newly_approved: usize,
    /// Those that were approved and would not be.
    no_longer_approved: usize,
    /// What would change, by reason then and now.
    changes: Vec<Change>,
}

/// Events that would go from one reason to another.
#[derive(Debug, Serialize)]
struct Change {
    from: Reason,
    to: Reason,
    count: usize,
    /// Some of the patches.
    patches: Vec<String>,
}

/// What is tried.
struct Candidate {
    model: Option<Loaded>,
    policy: Option<Policy>,
    limits: DiffLimits,
}

pub(super) fn backtest(
    args: &BacktestArgs,
    settings: &Settings,
    as_json: bool,
) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let candidate = Candidate::of(args, settings)?;
    let mut report = Report::default();
    let mut changes: BTreeMap<(Reason, Reason), Change> = BTreeMap::new();
    let mut take = |recorded: Result<Recorded, String>| match recorded
        .and_then(|judged| Ok((candidate.reason(&judged)?, judged)))
    {
        Ok((to, judged)) => report.count(&mut changes, &judged, to),
        Err(why) => *report.left_out.entry(why).or_default() += 1,
    };
    match &args.file {
        Some(path) => history::of_file(path, settings, &mut take)?,
        None => history::of_topics(settings, &args.span, &mut take)?,
    }
    report.changes = changes.into_values().collect();
    report
        .changes
        .sort_by_key(|change| std::cmp::Reverse(change.count));
    if as_json {
        output::json(&report)?;
    } else {
        report.print();
    }
    Ok(if report.changes.is_empty() {
        Exit::Done
    } else {
        Exit::Found
    })
}

impl Candidate {
    fn of(args: &BacktestArgs, settings: &Settings) -> Result<Self, Failure> {
        let model = args.model.as_deref().map(read).transpose();
        let model = model.map_err(|error| Failure::new(Exit::Usage, error))?;
        let policy = match args.policy {
            None => None,
            Some(version) => Some(Policy::of_version(version).ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!("--policy: this build knows no version {version}"),
                )
            })?),
        };
        Ok(Self {
            model,
            policy,
            limits: settings.diff.clone(),
        })
    }

    /// Returns the reason that an event would have.
    fn reason(&self, judged: &Recorded) -> Result<Reason, String> {
        let facts = &judged.facts;
        let record = &facts.judgement;
        let policy = match self.policy {
            Some(policy) => policy,
            None => Policy::of_version(facts.policy.version).ok_or_else(|| {
                format!("policy {} is not known to this build", facts.policy.version)
            })?,
        };
        let judgement = match (&self.model, record.judge) {
            (Some(model), JudgeName::Forest) => {
                let diff = judged
                    .diff
                    .as_deref()
                    .ok_or("the event does not carry the diff")?;
                let diff =
                    parse(diff, &self.limits).map_err(|error| format!("diff: {}", error.code()))?;
                judge_recorded(model, &diff, record, facts.generator.as_deref())
                    .ok_or("what was recalled is not of this build's columns")?
            }
            _ => Judgement::recorded(record.clone().into_owned())
                .ok_or("a judge of another version")?,
        };
        let question = Question::recorded(facts, judgement.opinion);
        Ok(decide(&policy, &question))
    }
}

impl Report {
    fn count(
        &mut self,
        changes: &mut BTreeMap<(Reason, Reason), Change>,
        judged: &Recorded,
        to: Reason,
    ) {
        self.judged += 1;
        self.by_forest += usize::from(judged.facts.judgement.judge == JudgeName::Forest);
        let from = judged.reason;
        if from == to {
            self.same += 1;
            return;
        }
        let approves = |reason: Reason| reason.disposition() == Disposition::Decided;
        self.newly_approved += usize::from(approves(to) && !approves(from));
        self.no_longer_approved += usize::from(approves(from) && !approves(to));
        let change = changes.entry((from, to)).or_insert_with(|| Change {
            from,
            to,
            count: 0,
            patches: Vec::new(),
        });
        change.count += 1;
        if change.patches.len() < NAMED {
            change.patches.push(printable(&judged.patch_id));
        }
    }

    fn print(&self) {
        if !self.changes.is_empty() {
            let rows = self.changes.iter().map(|change| {
                vec![
                    change.from.to_string(),
                    change.to.to_string(),
                    change.count.to_string(),
                    change.patches.join(", "),
                ]
            });
            output::table(&["was", "would be", "events", "such as"], rows);
        }
        println!(
            "{} events judged again, {} of them code: {} stay as they were, {} would be newly approved, {} no longer.",
            self.judged, self.by_forest, self.same, self.newly_approved, self.no_longer_approved
        );
        for (why, count) in &self.left_out {
            println!("left out: {count}, {}", printable(why));
        }
    }
}
