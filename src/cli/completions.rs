//! `crisol completions`: what a shell needs to complete commands and options.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Cli, Exit, Failure};

const AFTER_HELP: &str = "\
Examples:
  crisol completions bash > /etc/bash_completion.d/crisol
  crisol completions zsh > \"${fpath[1]}/_crisol\"
  crisol completions fish > ~/.config/fish/completions/crisol.fish";

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "crisol", &mut script);
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::new(Exit::Unavailable, format!("cannot write: {error}")))?;
    Ok(Exit::Done)
}
