//! Read: the diff of each patch, parsed.

use crate::diff::{Diff, DiffError, DiffLimits, parse};
use crate::event::patch::Patch;
use crate::event::reason::Reason;
use crate::stage::Refused;

/// Returns the parsed diff of each patch; what was refused before stays refused. Diffs borrow from
/// the patches.
pub fn read<'p>(
    patches: &'p [Result<Patch<'_>, Refused>],
    limits: &DiffLimits,
) -> Vec<Result<Diff<'p>, Refused>> {
    patches
        .iter()
        .map(|patch| {
            let patch = patch.as_ref().map_err(Clone::clone)?;
            parse(&patch.diff, limits).map_err(|error| Refused {
                reason: reason_of(&error),
                message: format!("diff_content: {}: {error}", error.code()),
            })
        })
        .collect()
}

fn reason_of(error: &DiffError) -> Reason {
    match error {
        DiffError::TooManyFiles { .. }
        | DiffError::TooManyHunks { .. }
        | DiffError::TooManyChangedLines { .. }
        | DiffError::LineTooLong { .. } => Reason::LimitExceeded,
        _ => Reason::DiffInvalid,
    }
}
