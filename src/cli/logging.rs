//! Logs: to standard error, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::{Exit, Failure};
use crate::role::settings::{LogConfig, LogFormat};

/// Starts logging.
pub(super) fn start(config: &LogConfig) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.level).map_err(|error| {
        Failure::new(
            Exit::Config,
            format!("log.level {:?}: {error}", config.level),
        )
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| Failure::new(Exit::Internal, error))
}
