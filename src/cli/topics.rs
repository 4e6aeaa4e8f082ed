//! `crisol topics`: create, widen and check.

use clap::Subcommand;

use crate::cli::{Exit, Failure, logging, output, plan};
use crate::log::topics::{TopicsError, apply, check};
use crate::role::Settings;

/// Commands about topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum TopicsCommand {
    /// Create missing topics, add missing partitions, set settings that differ.
    Apply,
    /// Explain every difference; exit 1 if there is one.
    Check,
}

pub(super) fn topics(
    command: &TopicsCommand,
    settings: &Settings,
    json: bool,
) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let unavailable = |error: TopicsError| Failure::new(Exit::Unavailable, error);
    let plan = plan(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Internal, e))?;
    match command {
        TopicsCommand::Apply => {
            let applied = runtime
                .block_on(apply(&settings.kafka, &plan))
                .map_err(unavailable)?;
            if json {
                output::json(&applied)?;
            } else if applied.is_empty() {
                println!("all {} topics are as they must be", plan.specs().count());
            } else {
                output::table(
                    &["topic", "done"],
                    applied.into_iter().map(|a| vec![a.topic, a.done]),
                );
            }
            Ok(Exit::Done)
        }
        TopicsCommand::Check => {
            let drifts = runtime
                .block_on(check(&settings.kafka, &plan))
                .map_err(unavailable)?;
            let exit = if drifts.is_empty() {
                Exit::Done
            } else {
                Exit::Found
            };
            if json {
                output::json(&drifts)?;
            } else if drifts.is_empty() {
                println!("all {} topics are as they must be", plan.specs().count());
            } else {
                output::table(
                    &["topic", "what", "found", "wanted", "mend it with"],
                    drifts
                        .into_iter()
                        .map(|d| vec![d.topic, d.what, d.found, d.wanted, d.remedy]),
                );
            }
            Ok(exit)
        }
    }
}
