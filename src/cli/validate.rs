use clap::Args;
use crate::cli::{Exit, Failure};
use crate::role::Settings;
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {}
pub(super) fn validate(_: &ValidateArgs, _: &Settings) -> Result<Exit, Failure> { Ok(Exit::Done) }
