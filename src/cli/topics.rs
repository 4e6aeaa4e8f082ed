//! `crisol topics`: create, widen and check.

use clap::Subcommand;

use crate::cli::{Exit, Failure, logging, output, plan};
use crate::event::topic::Topic;
use crate::log::topics::{Drift, TopicPlan, TopicsError, apply, check, check_one};
use crate::role::Settings;

/// Commands about topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum TopicsCommand {
    /// Create missing topics, add missing partitions, set settings that differ; exit 1 if something
    /// differs all the same.
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
    let runtime = runtime()?;
    match command {
        TopicsCommand::Apply => {
            let outcome = runtime
                .block_on(apply(&settings.kafka, &plan))
                .map_err(unavailable)?;
            let exit = exit_of(&outcome.left);
            if json {
                output::json(&outcome)?;
                return Ok(exit);
            }
            if !outcome.applied.is_empty() {
                output::table(
                    &["topic", "done"],
                    outcome.applied.into_iter().map(|a| vec![a.topic, a.done]),
                );
            }
            print_drifts(outcome.left, &plan);
            Ok(exit)
        }
        TopicsCommand::Check => {
            let drifts = runtime
                .block_on(check(&settings.kafka, &plan))
                .map_err(unavailable)?;
            let exit = exit_of(&drifts);
            if json {
                output::json(&drifts)?;
            } else {
                print_drifts(drifts, &plan);
            }
            Ok(exit)
        }
    }
}

/// Refuses to rely on a topic that is missing or not as it must be; the message says what mends it.
pub(super) fn require(settings: &Settings, topic: Topic) -> Result<(), Failure> {
    let unavailable = |message: String| Failure::new(Exit::Unavailable, message);
    let plan = plan(settings)?;
    let drifts = runtime()?
        .block_on(check_one(&settings.kafka, &plan, topic))
        .map_err(|error| unavailable(error.to_string()))?;
    if drifts.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = drifts.iter().map(ToString::to_string).collect();
    Err(unavailable(lines.join("\n")))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, error))
}

fn exit_of(drifts: &[Drift]) -> Exit {
    if drifts.is_empty() {
        Exit::Done
    } else {
        Exit::Found
    }
}

fn print_drifts(drifts: Vec<Drift>, plan: &TopicPlan) {
    if drifts.is_empty() {
        println!("all {} topics are as they must be", plan.specs().count());
        return;
    }
    output::table(
        &["topic", "what", "found", "wanted", "mend it with"],
        drifts
            .into_iter()
            .map(|d| vec![d.topic, d.what, d.found, d.wanted, d.remedy]),
    );
}
