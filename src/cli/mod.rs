//! The command line: one file a command.

mod ab;
mod answer;
mod backtest;
mod check;
mod completions;
mod config;
mod control;
mod demo;
mod dlq;
mod evaluate;
mod exit;
mod explain;
mod exploits;
mod facts;
mod input;
mod logging;
mod model;
mod output;
mod pipe;
mod progress;
mod recorded;
mod replay;
mod run;
mod samples;
mod sandbox;
mod topics;
mod train;
mod validate;
mod wargame;
mod words;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::judge::models::Models;
use crate::log::topics::TopicPlan;
use crate::role::Settings;
use crate::stage::sources::Sources;

pub use exit::Exit;

/// The gate between machine-written security patches and production.
#[derive(Debug, Parser)]
#[command(name = "crisol", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  crisol demo                                    see the whole main job, no server needed
  crisol topics apply --brokers k1:9092          create the topics
  crisol run --brokers k1:9092                   read patches, publish decisions
  crisol check fix.diff --cve CVE-2021-23337 --apv apv.jsonl
  crisol explain patch-17                        what became of it, and why
  crisol control set kill_switch true            stop every approval, everywhere, now
  crisol dlq list --reason invalid_json          records that could not be taken, and why
  crisol replay --from 2026-11-21T00:00:00Z      judged again: would today's outcomes differ?
  crisol train known.jsonl.gz --out mine.json    a judge of code from labelled patches

Exit codes: 0 done, 1 found something (check, topics check, replay), 2 not a patch (check), 64 usage,
69 unavailable, 70 internal, 73 instance id taken, 78 configuration.";

/// Heads the options of every command, below those of its own.
const EVERYWHERE: &str = "Options of every command";

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Settings file (TOML); environment and flags win over it.
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "CRISOL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka's bootstrap servers.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Any setting, such as `--set engine.workers=4`; may be repeated.
    #[arg(long = "set", global = true, help_heading = EVERYWHERE, value_name = "SECTION.KEY=VALUE")]
    settings: Vec<String>,
    /// Print JSON instead of tables.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: read patches, publish decisions and queue items.
    Run(run::RunArgs),
    /// Show the main job on an embedded broker with sample patches.
    Demo(demo::DemoArgs),
    /// Judge one diff against one CVE, on the terminal; for CI.
    Check(check::CheckArgs),
    /// Judge a stream of patch events (NDJSON), without any server.
    Validate(validate::ValidateArgs),
    /// Tell what became of a patch, and why.
    Explain(explain::ExplainArgs),
    /// Create, widen and check the topics.
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
    /// Read and write the settings that every replica obeys.
    #[command(subcommand)]
    Control(control::ControlCommand),
    /// Switch the sample for A/B comparisons on or off, and look at it.
    #[command(subcommand)]
    Ab(ab::AbCommand),
    /// Look at dead letters and send them in again.
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Judge patches again with the facts of now, and compare with what was published.
    Replay(replay::ReplayArgs),
    /// Tell what another model or policy would have said of what was judged already.
    Backtest(backtest::BacktestArgs),
    /// Make a judge of code from labelled patches.
    Train(train::TrainArgs),
    /// Measure a judge of code on patches that it has not seen.
    Evaluate(evaluate::EvaluateArgs),
    /// Look at a judge of code.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Look at the catalogue of exploits, and try them on their own patches.
    #[command(subcommand)]
    Exploits(exploits::ExploitsCommand),
    /// Try a patch against an exploit, on the terminal.
    #[command(subcommand)]
    Wargame(wargame::WargameCommand),
    /// Try the walls around what is run here.
    #[command(subcommand)]
    Sandbox(sandbox::SandboxCommand),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print what a shell needs to complete commands and options.
    Completions(completions::CompletionsArgs),
}

/// Runs the command line and returns the process' exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            // Nothing is left to do if even the usage cannot be printed.
            let _ = error.print();
            return exit.into();
        }
    };
    pipe::end_where_nobody_reads(|| match cli.dispatch() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("crisol: {}", failure.message);
            failure.exit.into()
        }
    })
}

/// A command that could not be carried out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened and what to do next.
    pub message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl ToString) -> Self {
        Self {
            exit,
            message: message.to_string(),
        }
    }
}

/// Returns the topics as their files have them.
fn plan(settings: &Settings) -> Result<TopicPlan, Failure> {
    TopicPlan::load(&settings.topics).map_err(|error| Failure::new(Exit::Config, error))
}

/// Returns the judge of code that the settings ask for.
fn models(settings: &Settings) -> Result<Arc<Models>, Failure> {
    let model = settings
        .model
        .load()
        .map_err(|error| Failure::new(Exit::Config, error))?;
    Models::of(model)
        .map(Arc::new)
        .map_err(|error| Failure::new(Exit::Internal, error))
}

/// Returns where files of patches are looked up: what the settings name, and a checkout if there is one.
fn sources(settings: &Settings, tree: Option<&Path>) -> Result<Arc<Sources>, Failure> {
    let sources = Sources::of(&settings.sources);
    let Some(tree) = tree else {
        return Ok(Arc::new(sources));
    };
    if !tree.is_dir() {
        let problem = format!("--tree {}: is no directory", tree.display());
        return Err(Failure::new(Exit::Usage, problem));
    }
    Ok(Arc::new(sources.with_checkout(tree.to_owned())))
}

/// Returns the failure of a command that cannot read a topic, and what to look at.
fn unreadable(error: impl Display) -> Failure {
    Failure::new(
        Exit::Unavailable,
        format!("{error}; are the brokers up, and was `crisol topics apply` run?"),
    )
}

impl Cli {
    fn dispatch(self) -> Result<Exit, Failure> {
        let json = self.global.json;
        if let Command::Completions(args) = &self.command {
            // They are asked for before there is any configuration.
            return completions::completions(args);
        }
        let settings = self.global.settings()?;
        match self.command {
            Command::Run(args) => run::run(&args, &settings),
            Command::Demo(args) => demo::demo(&args, &settings, json),
            Command::Check(args) => check::check(&args, &settings, json),
            Command::Validate(args) => validate::validate(&args, &settings, json),
            Command::Explain(args) => explain::explain(&args, &settings, json),
            Command::Topics(command) => topics::topics(&command, &settings, json),
            Command::Control(command) => control::control(&command, &settings, json),
            Command::Ab(command) => ab::ab(&command, &settings, json),
            Command::Dlq(command) => dlq::dlq(&command, &settings, json),
            Command::Replay(args) => replay::replay(&args, &settings, json),
            Command::Backtest(args) => backtest::backtest(&args, &settings, json),
            Command::Train(args) => train::train(&args, json),
            Command::Model(command) => model::model(&command, json),
            Command::Evaluate(args) => evaluate::evaluate(&args, json),
            Command::Exploits(command) => exploits::exploits(&command, &settings, json),
            Command::Wargame(command) => wargame::wargame(&command, &settings, json),
            Command::Sandbox(command) => sandbox::sandbox(&command, &settings, json),
            Command::Config(command) => config::config(&command, &settings, json),
            Command::Completions(args) => completions::completions(&args),
        }
    }
}

impl Global {
    fn settings(&self) -> Result<Settings, Failure> {
        let mut flags = Vec::new();
        for pair in &self.settings {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!("--set {pair}: expected SECTION.KEY=VALUE"),
                )
            })?;
            flags.push((key.to_owned(), value.to_owned()));
        }
        if let Some(brokers) = &self.brokers {
            flags.push(("kafka.brokers".to_owned(), brokers.clone()));
        }
        Settings::load(self.config.as_deref(), std::env::vars().collect(), flags)
            .map_err(|error| Failure::new(Exit::Config, error))
    }
}
