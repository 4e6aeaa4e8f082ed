//! `crisol run`: the service.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::{Exit, Failure, logging};
use crate::engine::{EngineError, FAILPOINT_ENV, Failpoints};
use crate::role::Settings;
use crate::role::error::RunError;
use crate::role::process;

/// Options of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The role to run; all of them without it.
    #[arg(long, value_enum)]
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Read patches, publish decisions, queue items and requests for wargames.
    Validate,
    /// Replay exploits, publish decisions, queue items, verdicts and comparisons.
    Wargame,
}

pub(super) fn run(args: &RunArgs, settings: &Settings) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let failpoints = armed()?;
    let stop = stop_on_signals()?;
    let roles: &[process::Role] = match args.role {
        None => &process::Role::ALL,
        Some(Role::Validate) => &[process::Role::Validate],
        Some(Role::Wargame) => &[process::Role::Wargame],
    };
    let ran = process::run(settings, roles, failpoints, &stop);
    ran.map(|_| Exit::Done).map_err(|error| failure(&error))
}

/// Returns a flag that a termination signal sets; a second signal ends the process at once.
pub(super) fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        let internal =
            |error| Failure::new(Exit::Internal, format!("cannot watch signals: {error}"));
        // In this order: the first signal sets the flag, the second finds it set and ends.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .map_err(internal)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(internal)?;
    }
    Ok(stop)
}

pub(super) fn failure(error: &RunError) -> Failure {
    let exit = match error {
        RunError::Engine(
            EngineError::InstanceTaken { .. } | EngineError::InstanceFenced { .. },
        ) => Exit::InstanceTaken,
        RunError::Topics(_)
        | RunError::Drifted(_)
        | RunError::Table(_)
        | RunError::Listen { .. }
        | RunError::Engine(
            EngineError::Start { .. }
            | EngineError::Register { .. }
            | EngineError::Offsets { .. }
            | EngineError::Consumer(_),
        ) => Exit::Unavailable,
        RunError::SecretKey(_) | RunError::Token(_) | RunError::Memory(_) | RunError::Model(_) => {
            Exit::Config
        }
        RunError::Metrics(_) | RunError::Pulse(_) | RunError::Start(_) | RunError::Engine(_) => {
            Exit::Internal
        }
    };
    Failure::new(exit, error)
}

fn armed() -> Result<Failpoints, Failure> {
    match std::env::var(FAILPOINT_ENV) {
        Err(_) => Ok(Failpoints::default()),
        Ok(text) => text
            .parse()
            .map_err(|error| Failure::new(Exit::Usage, error)),
    }
}
