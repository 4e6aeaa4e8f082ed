//! `crisol evaluate`: how good a judge of code is on patches that it has not seen.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::samples::{self, Wanted};
use crate::cli::train::fitted;
use crate::cli::{Exit, Failure, output};
use crate::judge::forest::{BoostParams, boost};
use crate::judge::train::{
    Figures, Fitted, Measured, Protocol, Sample, Simulation, Taught, closed_loop,
};

const EXAMPLES: &str = "\
Examples:
  crisol evaluate --stream --train known.jsonl.gz --data others.jsonl.gz
  crisol evaluate --stream --train known.jsonl.gz --data others.jsonl.gz --orders 5 --json | jq .auc

A line of a file is one labelled patch: patch_id, source, tool, project, instance, language, diff, label (is
it right), replay (mitigated, refused or inconclusive: what a wargame would say). Fixes by developers and
labels from papers alone are left out. No project should be in both files.";

/// Options of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EvaluateArgs {
    /// Labelled patches to learn from (NDJSON, plain or gzip); thresholds come from these alone.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Labelled patches to measure on.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Simulate the stream: patches arrive one by one, and memory learns from replays as in service.
    #[arg(long, required = true)]
    stream: bool,
    /// Orders of arrival.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    orders: u64,
    /// Where chance begins: the same seed gives the same figures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    measured: Measured,
    /// The same where memory learns what is true, which nobody knows in service.
    upper_bound: Measured,
    /// P up to which a patch is refused, and from which it is accepted.
    thresholds: Thresholds,
}

#[derive(Serialize)]
struct Thresholds {
    refuse: f64,
    accept: f64,
}

pub(super) fn evaluate(args: &EvaluateArgs, as_json: bool) -> Result<Exit, Failure> {
    let everything = Wanted::default();
    let train = samples::load(&args.train, &everything)?.samples;
    let data = samples::load(&args.data, &everything)?.samples;
    let (fitted, measured) = measure(args, &train, &data, Taught::Replay)?;
    let (_, upper_bound) = measure(args, &train, &data, Taught::Label)?;
    let report = Report {
        measured,
        upper_bound,
        thresholds: Thresholds {
            refuse: fitted.first.refuse,
            accept: fitted.first.accept,
        },
    };
    if as_json {
        output::json(&report)?;
    } else {
        report.print();
    }
    Ok(Exit::Done)
}

fn measure(
    args: &EvaluateArgs,
    train: &[Sample],
    data: &[Sample],
    taught: Taught,
) -> Result<(Fitted, Measured), Failure> {
    let protocol = Protocol {
        seed: args.seed,
        taught,
        ..Protocol::default()
    };
    let params = BoostParams {
        seed: args.seed,
        ..BoostParams::default()
    };
    let fitted = fitted(train, &protocol, &|rows, labels| {
        boost(rows, labels, None, &params, &mut |_| {})
    })?;
    let simulation = Simulation {
        orders: args.orders,
        explored: protocol.explored,
        taught,
        seed: args.seed,
    };
    let measured = closed_loop(data, &fitted.first, fitted.second.as_ref(), &simulation);
    Ok((fitted, measured))
}

impl Report {
    fn print(&self) {
        let Self {
            measured,
            upper_bound,
            thresholds,
        } = self;
        println!(
            "{} patches of {} projects; refused up to p = {}, accepted from p = {}",
            measured.n, measured.projects, thresholds.refuse, thresholds.accept
        );
        let shares = |at: fn(&Figures<f64>) -> f64, (low, high): (f64, f64)| {
            [
                format!("{:.3}", at(&measured.figures)),
                format!("{low:.3} to {high:.3}"),
                format!("{:.3}", at(&upper_bound.figures)),
            ]
        };
        let within = &measured.intervals;
        let figures: [(&str, [String; 3]); 9] = [
            ("area under the curve", shares(|f| f.auc, within.auc)),
            ("calibration error", shares(|f| f.ece, within.ece)),
            ("Brier score", shares(|f| f.brier, within.brier)),
            (
                "decided alone",
                shares(|f| f.decided_share, within.decided_share),
            ),
            (
                "of it right",
                shares(|f| f.decided_right, within.decided_right),
            ),
            ("accepted", shares(|f| f.accept_share, within.accept_share)),
            (
                "of it right",
                shares(|f| f.accept_precision, within.accept_precision),
            ),
            ("refused", shares(|f| f.reject_share, within.reject_share)),
            ("of it wrong", shares(|f| f.reject_npv, within.reject_npv)),
        ];
        output::table(
            &[
                "figure",
                "value",
                "95 % of draws",
                "if memory were told the truth",
            ],
            figures
                .map(|(name, [value, within, bound])| vec![name.to_owned(), value, within, bound]),
        );
        if let Some(second) = &measured.second_look {
            println!(
                "second look at {} that pass their wargame, {:.3} of them right: accepts {:.3} ({:.3} to {:.3}), {:.3} of that right ({:.3} to {:.3})",
                second.n,
                second.right,
                second.coverage,
                second.coverage_within.0,
                second.coverage_within.1,
                second.precision,
                second.precision_within.0,
                second.precision_within.1,
            );
        }
        let parts = measured.by_source.iter().chain(&measured.by_language);
        output::table(
            &["part", "patches", "area", "decided", "of it right"],
            parts.map(|(name, part)| {
                vec![
                    name.clone(),
                    part.n.to_string(),
                    format!("{:.3}", part.figures.auc),
                    format!("{:.3}", part.figures.decided_share),
                    format!("{:.3}", part.figures.decided_right),
                ]
            }),
        );
        output::table(
            &["p", "cases", "mean p", "right"],
            measured.reliability.iter().enumerate().map(|(nth, bin)| {
                vec![
                    format!("0.{nth} to {:.1}", (nth + 1) as f64 / 10.0),
                    bin.n.to_string(),
                    format!("{:.3}", bin.p),
                    format!("{:.3}", bin.right),
                ]
            }),
        );
    }
}
