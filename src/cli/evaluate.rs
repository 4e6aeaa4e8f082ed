//! `crisol evaluate`: how good a judge of code is on patches that it has not seen.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::samples::{self, Wanted};
use crate::cli::train::fitted;
use crate::cli::{Exit, Failure, output};
use crate::judge::forest::{BoostParams, boost};
use crate::judge::model::Model;
use crate::judge::shipped::read;
use crate::judge::train::{
    Figures, Looks, Measured, Protocol, Sample, Simulation, Taught, closed_loop,
};

const EXAMPLES: &str = "\
Examples:
  crisol evaluate --stream --train known.jsonl.gz --data others.jsonl.gz
  crisol evaluate --stream --train known.jsonl.gz --data others.jsonl.gz --orders 5 --json | jq .auc
  crisol evaluate --stream --model models/mine.json --data others.jsonl.gz

A line of a file is one labelled patch: patch_id, source, tool, project, instance, language, diff, label (is
it right), replay (mitigated, refused or inconclusive: what a wargame would say). Fixes by developers and
labels from papers alone are left out. No project should be in both files.";

/// Options of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EvaluateArgs {
    /// Labelled patches to learn from (NDJSON, plain or gzip); thresholds come from these alone.
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    train: Option<PathBuf>,
    /// A model to measure in place of one that is made here.
    #[arg(long, value_name = "FILE", conflicts_with = "train")]
    model: Option<PathBuf>,
    /// Labelled patches to measure on.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Simulate the stream as in service: what is decided alone is replayed one time in ten only. Without it
    /// everything is replayed, so memory has a verdict on every earlier patch.
    #[arg(long)]
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
    let train = match &args.train {
        Some(path) => samples::load(path, &everything)?.samples,
        None => Vec::new(),
    };
    let data = samples::load(&args.data, &everything)?.samples;
    let looks = args.looks(&train, Taught::Replay)?;
    let measured = args.measure(&looks, &data, Taught::Replay);
    let knowing = args.looks(&train, Taught::Label)?;
    let report = Report {
        measured,
        upper_bound: args.measure(&knowing, &data, Taught::Label),
        thresholds: Thresholds {
            refuse: looks.first.refuse,
            accept: looks.first.accept,
        },
    };
    if as_json {
        output::json(&report)?;
    } else {
        report.print();
    }
    Ok(Exit::Done)
}

impl EvaluateArgs {
    /// Returns the looks of the model, or those that are fitted to what memory learns so.
    fn looks(&self, train: &[Sample], taught: Taught) -> Result<Looks, Failure> {
        if let Some(path) = &self.model {
            let loaded = read(path).map_err(|error| Failure::new(Exit::Config, error))?;
            let Model {
                first,
                second,
                priors,
                ..
            } = loaded.model();
            return Ok(Looks {
                first: first.clone(),
                second: second.clone(),
                priors: priors.table(),
            });
        }
        let protocol = Protocol {
            seed: self.seed,
            taught,
            ..Protocol::default()
        };
        let params = BoostParams {
            seed: self.seed,
            ..BoostParams::default()
        };
        let fitted = fitted(train, &protocol, &|rows, labels| {
            boost(rows, labels, None, &params, &mut |_| {})
        })?;
        Ok(Looks {
            first: fitted.first,
            second: fitted.second,
            priors: fitted.priors.table(),
        })
    }

    fn measure(&self, looks: &Looks, data: &[Sample], taught: Taught) -> Measured {
        let explored = if self.stream {
            Protocol::default().explored
        } else {
            1.0
        };
        let simulation = Simulation {
            orders: self.orders,
            explored,
            taught,
            seed: self.seed,
        };
        closed_loop(data, looks, &simulation)
    }
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
