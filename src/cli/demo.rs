use crate::cli::{Exit, Failure};
use crate::role::Settings;
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct DemoArgs {}
pub(super) fn demo(_: &DemoArgs, _: &Settings, _: bool) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
