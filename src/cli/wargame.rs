//! `crisol wargame`: tries patches against exploits, without Kafka.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use crate::arena::{Arena, Ended, Report, RunReport};
use crate::cli::input::cannot_read;
use crate::cli::{Exit, Failure, output, progress};
use crate::event::verdict::WargameVerdict;
use crate::exploit::Exploit;
use crate::role::Settings;

const EXAMPLES: &str = "\
Examples:
  crisol wargame run --exploit exploits/range/sql-injection --patch fix.diff
  crisol wargame run --exploit exploits/range/sql-injection --patch fix.diff --json | jq .verdict
  crisol wargame run --exploit exploits/range/sql-injection --patch fix.diff --keep look    what the runs left behind

Exit codes: 0 mitigated, 1 any other verdict, 69 the arena cannot be had.";

/// Commands about wargames.
#[derive(Debug, Subcommand)]
pub(super) enum WargameCommand {
    /// Attack the target before and after a patch, and tell what came of it.
    Run(RunArgs),
}

/// Options of `wargame run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// The directory of the exploit.
    #[arg(long, value_name = "DIR")]
    exploit: PathBuf,
    /// The patch: a bump of a manifest, or a diff of the installed source.
    #[arg(long, value_name = "FILE")]
    patch: PathBuf,
    /// Keep both trees and what each run left behind, in a directory that is not there yet.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

pub(super) fn wargame(
    command: &WargameCommand,
    settings: &Settings,
    as_json: bool,
) -> Result<Exit, Failure> {
    let WargameCommand::Run(args) = command;
    let exploit = absolute(&args.exploit).and_then(|directory| {
        Exploit::read(&directory).map_err(|error| {
            Failure::new(Exit::Usage, format!("{}: {error}", args.exploit.display()))
        })
    })?;
    let patch =
        std::fs::read_to_string(&args.patch).map_err(|error| cannot_read(&args.patch, &error))?;
    let arena = arena(settings)?;
    let bar = progress::spinner();
    let referee = arena.referee();
    let referee = match &args.keep {
        Some(keep) => {
            std::fs::create_dir(keep).map_err(|error| {
                let remedy = "--keep makes a directory of its own; name one that is not there yet";
                Failure::new(
                    Exit::Usage,
                    format!("{}: {error}; {remedy}", keep.display()),
                )
            })?;
            referee.keeping(keep)
        }
        None => referee,
    };
    let report = referee.fight(&exploit, &patch, &mut |step| {
        ProgressBar::set_message(&bar, step.to_owned());
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    if as_json {
        output::json(&report)?;
    } else {
        tell(&report);
        if let Some(keep) = &args.keep {
            println!(
                "both trees and what each run left behind: {}",
                keep.display()
            );
        }
    }
    Ok(match report.verdict {
        WargameVerdict::Mitigated => Exit::Done,
        _ => Exit::Found,
    })
}

/// Returns an arena whose walls hold.
pub(super) fn arena(settings: &Settings) -> Result<Arena, Failure> {
    Arena::open(&settings.arena, &settings.targets)
        .map_err(|error| Failure::new(Exit::Unavailable, error))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|error| cannot_read(path, &error))
}

fn tell(report: &Report) {
    let rows = report.runs.iter().map(row);
    output::table(
        &["phase", "run", "outcome", "ended", "ms", "evidence"],
        rows,
    );
    let verdict = output::word(&report.verdict);
    let detail = report.detail.as_deref().map(|detail| format!(": {detail}"));
    println!(
        "{}: {verdict}{}",
        report.exploit,
        detail.unwrap_or_default()
    );
    println!(
        "{}; built in {} ms, {} ms in all, bounded by {}",
        report.targets.join(" → "),
        report.build_ms,
        report.took_ms,
        output::word(&report.bounds)
    );
}

fn row(run: &RunReport) -> Vec<String> {
    let ended = match run.ended {
        Ended::Exited(status) => format!("status {status}"),
        Ended::TimedOut => "timed out".to_owned(),
        Ended::TooMuchOutput => "printed too much".to_owned(),
    };
    vec![
        output::word(&run.phase),
        run.name.clone(),
        output::word(&run.outcome),
        ended,
        run.took_ms.to_string(),
        run.strength.as_ref().map(output::word).unwrap_or_default(),
    ]
}
