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
                set(settings, &ControlKey::AbRate, &ControlValue::Share(*rate))?;
            }
            set(
                settings,
                &ControlKey::AbEnabled,
                &ControlValue::Switch(true),
            )?;
        }
        AbCommand::Disable => {
            set(
                settings,
                &ControlKey::AbEnabled,
                &ControlValue::Switch(false),
            )?;
        }
        AbCommand::Status => {}
    }
    status(settings, as_json)
}

fn set(settings: &Settings, key: &ControlKey, value: &ControlValue) -> Result<(), Failure> {
    key.check(value)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let bytes = serde_json::to_vec(value).map_err(|e| Failure::new(Exit::Internal, e))?;
    write(settings, key, Some(&bytes))
}

fn status(settings: &Settings, as_json: bool) -> Result<Exit, Failure> {
    let control = read(settings)?;
    let enabled = control.ab_enabled.unwrap_or(settings.ab.enabled);
    let rate = control.ab_rate.unwrap_or(settings.ab.rate);
    let origin = |said: bool| {
        if said {
            "control"
        } else {
            "this configuration"
        }
    };
    if as_json {
        output::json(&json!({
            "enabled": enabled,
            "rate": rate,
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
                    enabled.to_string(),
                    control.ab_enabled.is_some(),
                ),
                row("ab_rate", rate.to_string(), control.ab_rate.is_some()),
            ],
        );
    }
    Ok(Exit::Done)
}
