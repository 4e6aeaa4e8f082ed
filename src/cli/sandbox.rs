//! `crisol sandbox`: the walls around what is run here.

use clap::Subcommand;
use serde_json::json;

use crate::arena::Sandbox;
use crate::cli::{Exit, Failure, logging, output};
use crate::role::Settings;

/// Commands about the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum SandboxCommand {
    /// Try each wall of the sandbox from inside on this machine; exit 1 if one does not hold.
    Check,
}

pub(super) fn sandbox(
    command: &SandboxCommand,
    settings: &Settings,
    as_json: bool,
) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let SandboxCommand::Check = command;
    let (bounds, walls) =
        Sandbox::check(&settings.arena).map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let all_hold = walls.iter().all(|wall| wall.holds);
    if as_json {
        output::json(&json!({"bounds": bounds, "walls": walls, "all_hold": all_hold}))?;
    } else {
        let rows = walls.iter().map(|wall| {
            let holds = if wall.holds { "yes" } else { "NO" };
            vec![
                wall.name.to_owned(),
                holds.to_owned(),
                wall.protects.to_owned(),
            ]
        });
        output::table(&["wall", "holds", "protects"], rows);
        println!("bounds on memory and processes: {}", output::word(&bounds));
        for wall in walls.iter().filter(|wall| !wall.holds) {
            println!("{}: a probe from inside printed: {}", wall.name, wall.said);
        }
    }
    Ok(if all_hold { Exit::Done } else { Exit::Found })
}
