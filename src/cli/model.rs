//! `crisol model`: looking at a model.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::input::cannot_read;
use crate::cli::{Exit, Failure, output};
use crate::judge::model::{Model, summary};

/// Commands about models.
#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Tell what a model was made from, what was measured of it, and whether this build can use it.
    Show(ShowArgs),
}

/// Options of `model show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The model's file.
    file: PathBuf,
}

pub(super) fn model(command: &ModelCommand, as_json: bool) -> Result<Exit, Failure> {
    let ModelCommand::Show(args) = command;
    let file = std::fs::read(&args.file).map_err(|error| cannot_read(&args.file, &error))?;
    let model = Model::read(&file)
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", args.file.display())))?;
    tell(&model, &file, as_json)
}

/// Prints what a model and its file are.
pub(super) fn tell(model: &Model, file: &[u8], as_json: bool) -> Result<Exit, Failure> {
    let told = summary(model, file);
    if as_json {
        output::json(&told)?;
    } else {
        output::table(
            &["", ""],
            told.lines()
                .map(|(name, value)| vec![name.to_owned(), value]),
        );
    }
    Ok(Exit::Done)
}
