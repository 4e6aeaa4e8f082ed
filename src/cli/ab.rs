//! `crisol ab`: the sample for A/B comparisons by what `control` says of it, and what it says of the judges.

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use crate::cli::control::{read, write};
use crate::cli::{Exit, Failure, logging, output, plan, unreadable};
use crate::event::control::{ControlKey, ControlValue};
use crate::event::topic::Topic;
use crate::judge::confusion::Share;
use crate::log::table::Table;
use crate::role::Settings;
use crate::role::process::wall_clock_ms;
use crate::table::{Comparisons, JudgeResults, results_json, since_ms};

/// Commands about A/B comparisons.
#[derive(Debug, Subcommand)]
pub(super) enum AbCommand {
    /// Sample outcomes from now on, on every replica.
    Enable {
        /// The share of outcomes, 0 to 1; as it was without it.
        #[arg(long)]
        rate: Option<f64>,
    },
    /// Sample none from now on, on every replica.
    Disable,
    /// Tell whether outcomes are sampled, and which share.
    Status,
    /// Tell what comparisons say of the judges.
    Results {
        /// Only those of the last so many days.
        #[arg(long)]
        days: Option<f64>,
    },
}

pub(super) fn ab(command: &AbCommand, settings: &Settings, as_json: bool) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    match command {
        AbCommand::Enable { rate } => {
            if let Some(rate) = rate {
                // The rate first: nothing is sampled at a rate that nobody meant.
                let share = ControlValue::Share(*rate);
                write(settings, &ControlKey::AbRate, Some(&share))?;
            }
            write(
                settings,
                &ControlKey::AbEnabled,
                Some(&ControlValue::Switch(true)),
            )?;
        }
        AbCommand::Disable => {
            write(
                settings,
                &ControlKey::AbEnabled,
                Some(&ControlValue::Switch(false)),
            )?;
        }
        AbCommand::Status => {}
        AbCommand::Results { days } => return results(settings, *days, as_json),
    }
    status(settings, as_json)
}

fn status(settings: &Settings, as_json: bool) -> Result<Exit, Failure> {
    let control = read(settings)?;
    let ab = settings.ab.in_force(&control);
    let origin = |said: bool| {
        if said {
            "control"
        } else {
            "this configuration"
        }
    };
    if as_json {
        output::json(&json!({
            "enabled": ab.enabled,
            "rate": ab.rate,
            "control_version": control.version,
        }))?;
    } else {
        let row =
            |name: &str, value: String, said| vec![name.to_owned(), value, origin(said).to_owned()];
        output::table(
            &["setting", "value", "said by"],
            [
                row(
                    "ab_enabled",
                    ab.enabled.to_string(),
                    control.ab_enabled.is_some(),
                ),
                row("ab_rate", ab.rate.to_string(), control.ab_rate.is_some()),
            ],
        );
    }
    Ok(Exit::Done)
}

/// How long the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(30);

fn results(settings: &Settings, days: Option<f64>, as_json: bool) -> Result<Exit, Failure> {
    let since = match days {
        None => i64::MIN,
        Some(days) => since_ms(wall_clock_ms(), days)
            .ok_or_else(|| Failure::new(Exit::Usage, "--days must be above 0"))?,
    };
    let plan = plan(settings)?;
    let names = plan.names(&settings.kafka.topic_prefix);
    let table = Arc::new(Comparisons::new(settings.limits.clone()));
    let sink = Arc::clone(&table);
    let tail = Table::start(
        &settings.kafka,
        names.of(Topic::Comparisons).to_owned(),
        names.partitions(Topic::Comparisons),
        Box::new(move |_, _, value| sink.apply(value)),
    )
    .map_err(unreadable)?;
    tail.wait_ready(TIMEOUT).map_err(unreadable)?;
    let all = table.results(since);
    if as_json {
        output::json(&results_json(&all))?;
    } else if all.is_empty() {
        println!("no comparisons; crisol ab status tells whether any are made");
    } else {
        output::table(
            &[
                "judge",
                "model",
                "compared",
                "right, found right",
                "right, found wrong",
                "wrong, found right",
                "wrong, found wrong",
                "no word",
                "precision",
                "recall",
                "F1",
                "accuracy",
                "calibration error",
            ],
            all.iter().map(row),
        );
        for results in &all {
            for one in &results.disagreements {
                println!(
                    "{}: {} times {} was contradicted by {}",
                    results.judge.as_str(),
                    one.n,
                    one.outcome,
                    output::word(&one.verdict)
                );
            }
        }
    }
    Ok(Exit::Done)
}

fn row(results: &JudgeResults) -> Vec<String> {
    let matrix = &results.confusion;
    let share = |share: Option<Share>| {
        share.map_or_else(String::new, |share| {
            format!(
                "{:.3} ({:.3} to {:.3})",
                share.value, share.lower, share.upper
            )
        })
    };
    let number = |number: Option<f64>| number.map_or_else(String::new, |n| format!("{n:.3}"));
    let model = results.model.as_deref().unwrap_or_default();
    let cells = [
        matrix.right_right,
        matrix.right_wrong,
        matrix.wrong_right,
        matrix.wrong_wrong,
        matrix.silent,
    ];
    let mut row = vec![
        results.judge.as_str().to_owned(),
        model.get(..12).unwrap_or(model).to_owned(),
        cells.iter().sum::<u64>().to_string(),
    ];
    row.extend(cells.map(|cell| cell.to_string()));
    row.extend([
        share(matrix.precision()),
        share(matrix.recall()),
        number(matrix.f1()),
        share(matrix.accuracy()),
        number(results.calibration_error),
    ]);
    row
}
