//! `crisol ab`: the sample for A/B comparisons, by what `control` says of it.

use clap::Subcommand;
use serde_json::json;

use crate::cli::control::{read, write};
use crate::cli::{Exit, Failure, logging, output};
use crate::event::control::{ControlKey, ControlValue};
use crate::role::Settings;

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
