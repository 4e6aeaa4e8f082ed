use clap::Args;
use crate::cli::{Exit, Failure};
use crate::role::Settings;
#[derive(Debug, Args)]
pub(super) struct CheckArgs {}
pub(super) fn check(_: &CheckArgs, _: &Settings, _: bool) -> Result<Exit, Failure> { Ok(Exit::Done) }
