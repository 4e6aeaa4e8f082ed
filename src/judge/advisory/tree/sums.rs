//! Sums of Go modules move with `go.mod`, and only with it.

use super::Whole;
use super::pair::Pair;
use super::place::{Role, Sum};
use super::settle::refused;
use crate::event::facts::Ecosystem;
use crate::judge::advisory::NotABump;
use crate::judge::advisory::reason::NotABumpReason;

/// Checks what comes and goes in files of sums: sums of versions that a module leaves or reaches.
pub(super) fn check(
    wholes: &[Whole<'_>],
    moves: &[(&Whole<'_>, Pair<'_>)],
) -> Result<(), NotABump> {
    let moved: Vec<&Pair<'_>> = moves
        .iter()
        .filter(|(whole, pair)| {
            whole.ecosystem() == Ecosystem::Go && pair.after.role == Role::Requirement
        })
        .map(|(_, pair)| pair)
        .collect();
    for whole in wholes {
        let (old, new) = (&whole.before.sums, &whole.now().sums);
        let refuse = |reason, sum: &Sum| Err(refused(reason, whole.path, &sum.module));
        for sum in new.iter().filter(|sum| !old.contains(sum)) {
            let reached = moved
                .iter()
                .any(|pair| names(pair.after.package.as_str(), &pair.after.text, sum));
            let known = old
                .iter()
                .any(|old| old.module == sum.module && old.version == sum.version);
            if !reached || known {
                return refuse(NotABumpReason::IntegrityWithoutVersion, sum);
            }
            if old.iter().any(|old| old.digest == sum.digest) {
                return refuse(NotABumpReason::EntryIncomplete, sum);
            }
        }
        for sum in old.iter().filter(|sum| !new.contains(sum)) {
            let left = moved
                .iter()
                .any(|pair| names(pair.before.package.as_str(), &pair.before.text, sum));
            if !left {
                return refuse(NotABumpReason::IntegrityWithoutVersion, sum);
            }
        }
        for pair in &moved {
            let had = old
                .iter()
                .filter(|sum| names(&pair.before.package, &pair.before.text, sum));
            for sum in had {
                let version = sum.version.replace(&pair.before.text, &pair.after.text);
                let kept = new
                    .iter()
                    .any(|new| new.module == sum.module && new.version == version);
                if !kept {
                    return refuse(NotABumpReason::IntegrityDropped, sum);
                }
            }
        }
    }
    Ok(())
}

/// Whether the sum is of this version, or of its `go.mod`.
fn names(module: &str, version: &str, sum: &Sum) -> bool {
    sum.module == module && sum.version.strip_suffix("/go.mod").unwrap_or(&sum.version) == version
}
