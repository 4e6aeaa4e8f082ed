//! Steps of a build that run foreign code or read foreign files: in the arena.

use super::BuildError;
use super::download::SAID_BYTES;
use crate::arena::excerpt::end_of;
use crate::arena::sandbox::{Ended, Run, Sandbox};

/// Runs a step that must end with status 0.
///
/// # Errors
/// [`BuildError::Refused`] with what it printed or which bound it met, or that the arena failed.
pub(super) fn in_arena(doing: &str, sandbox: &Sandbox, run: &Run<'_>) -> Result<(), BuildError> {
    let (ran, ()) = sandbox.run(run, |_, _| ())?;
    if ran.ended == Ended::Exited(0) {
        return Ok(());
    }
    let said = match ran.ended {
        Ended::Exited(_) => end_of(ran.stderr.trim(), SAID_BYTES),
        Ended::TimedOut => format!("took longer than {} s", run.limits.time_s),
        Ended::TooMuchOutput => format!("printed more than {} KiB", run.limits.output_kb),
    };
    Err(BuildError::Refused {
        doing: doing.to_owned(),
        said,
    })
}
