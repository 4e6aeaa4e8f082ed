//! `crisol train`: a model from labelled patches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::model::tell;
use crate::cli::samples::{self, Loaded, Wanted};
use crate::cli::{Exit, Failure, progress};
use crate::judge::forest::{BagParams, BoostParams, Forest, Matrix, TrainError, bag, boost};
use crate::judge::model::{self, Family, Measures, Model, Training};
use crate::judge::train::measure::{auc, brier, calibration_error};
use crate::judge::train::{Fit, Fitted, Protocol, Sample, fit};

const EXAMPLES: &str = "\
Examples:
  crisol train known.jsonl.gz --out models/mine.json
  crisol train known.jsonl.gz --out models/mine.json --family bagged --trees 100 --seed 7
  crisol train known.jsonl.gz --out models/free.json --sources llm-vul --json

A line of the file is one labelled patch, as crisol evaluate --help says. The same file, options and seed give
the same model, byte for byte.";

/// Options of `train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrainArgs {
    /// Labelled patches (NDJSON, plain or gzip).
    file: PathBuf,
    /// Where the model goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How trees are fitted.
    #[arg(long, value_enum, default_value_t = FamilyArg::Boosted)]
    family: FamilyArg,
    /// Trees of each look; 200 boosted ones or 100 bagged ones without it.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=2000))]
    trees: Option<u32>,
    #[command(flatten)]
    wanted: Wanted,
    /// Groups of columns that no tree may read; none with --without-groups=.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "GROUP,...",
        default_value = "word,operator"
    )]
    without_groups: Vec<String>,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FamilyArg {
    /// Trees that each correct the ones before.
    Boosted,
    /// Trees grown apart on parts of the rows.
    Bagged,
}

pub(super) fn train(args: &TrainArgs, as_json: bool) -> Result<Exit, Failure> {
    let Loaded { samples, digest } = samples::load(&args.file, &args.wanted)?;
    let protocol = Protocol {
        without: groups(&args.without_groups)?,
        seed: args.seed,
        ..Protocol::default()
    };
    let (family, trees, trainer) = args.trainer();
    let fitted = fitted(&samples, &protocol, &*trainer)?;
    let mut sources = BTreeMap::new();
    for sample in &samples {
        *sources.entry(sample.source.clone()).or_default() += 1;
    }
    let projects: BTreeSet<&str> = samples.iter().map(|s| s.project.as_str()).collect();
    let scored = &fitted.out_of_fold;
    let model = Model {
        form: model::FORM.to_owned(),
        schema: model::schema(),
        training: Training {
            family,
            trees,
            patches: samples.len(),
            projects: projects.len(),
            sources,
            digest,
            protocol,
        },
        measured: Measures {
            auc: auc(scored),
            ece: calibration_error(scored),
            brier: brier(scored),
            decided_share: fitted.decided.0,
            decided_right: fitted.decided.1,
        },
        reference: fitted.reference,
        priors: fitted.priors,
        first: fitted.first,
        second: fitted.second,
    };
    let file = model
        .to_file()
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    std::fs::write(&args.out, &file).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("cannot write {}: {error}", args.out.display()),
        )
    })?;
    tell(&model, &file, as_json)
}

/// Fits both looks, with a bar.
pub(super) fn fitted(
    samples: &[Sample],
    protocol: &Protocol,
    trainer: Fit<'_>,
) -> Result<Fitted, Failure> {
    let steps = progress::bar(Fitted::STEPS, "{bar:30} {pos} of {len}: {msg}");
    let fitted = fit(samples, protocol, trainer, &mut |step| {
        steps.inc(1);
        steps.set_message(step.to_owned());
    })
    .map_err(|error| Failure::new(Exit::Usage, error))?;
    steps.finish_and_clear();
    Ok(fitted)
}

/// Returns the groups of columns that were named.
fn groups(named: &[String]) -> Result<Vec<String>, Failure> {
    let known: BTreeSet<&str> = model::columns().iter().map(|column| column.group).collect();
    let named = named.iter().filter(|name| !name.is_empty());
    let named: Vec<String> = named.cloned().collect();
    match named.iter().find(|name| !known.contains(name.as_str())) {
        Some(name) => {
            let known: Vec<&str> = known.into_iter().collect();
            let known = known.join(", ");
            let message = format!("--without-groups: no group {name:?}; there are {known}");
            Err(Failure::new(Exit::Usage, message))
        }
        None => Ok(named),
    }
}

type Trainer = Box<dyn Fn(&Matrix, &[bool]) -> Result<Forest, TrainError> + Sync>;

impl TrainArgs {
    fn trainer(&self) -> (Family, usize, Trainer) {
        let asked = self.trees.map(|trees| trees as usize);
        match self.family {
            FamilyArg::Boosted => {
                let default = BoostParams::default();
                let params = BoostParams {
                    trees: asked.unwrap_or(default.trees),
                    seed: self.seed,
                    ..default
                };
                let trees = params.trees;
                let trainer = move |rows: &Matrix, labels: &[bool]| {
                    boost(rows, labels, None, &params, &mut |_| {})
                };
                (Family::Boosted, trees, Box::new(trainer))
            }
            FamilyArg::Bagged => {
                let default = BagParams::default();
                let params = BagParams {
                    trees: asked.unwrap_or(default.trees),
                    seed: self.seed,
                    ..default
                };
                let trees = params.trees;
                let trainer =
                    move |rows: &Matrix, labels: &[bool]| bag(rows, labels, &params, &mut |_| {});
                (Family::Bagged, trees, Box::new(trainer))
            }
        }
    }
}
