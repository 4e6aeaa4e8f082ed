//! `crisol config`: look at the configuration.

use clap::Subcommand;

use crate::cli::{Exit, Failure, output};
use crate::role::Settings;

/// Commands about the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check file, environment and flags together and print what is in force; secrets are redacted.
    Check,
}

pub(super) fn config(
    command: &ConfigCommand,
    settings: &Settings,
    json: bool,
) -> Result<Exit, Failure> {
    // Getting here means that every layer was read and cross-checked.
    match command {
        ConfigCommand::Check if json => output::json(settings)?,
        ConfigCommand::Check => {
            let text = toml::to_string(settings).map_err(|e| Failure::new(Exit::Internal, e))?;
            print!("{text}");
        }
    }
    Ok(Exit::Done)
}
