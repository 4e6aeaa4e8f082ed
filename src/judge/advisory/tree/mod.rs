//! Bumps judged on whole files: two sets of installed versions.
//!
//! Where the text of a file before the change is at hand, the diff is applied to it, and the file is read
//! whole, before and after, by a parser of its format. What is judged is then not three lines of context
//! but every place of a named package: entries of locks, overrides, aliases, properties, catalogues. A bump
//! remedies if afterwards each of them is where the fix is, its bookkeeping moved along, and nothing else
//! of the file says anything other than before.
//!
//! A text that the diff does not fit belongs to another state of the project. Then a person must look:
//! to fall back on the hunk would let whoever sends a wrong text choose how he is judged.

mod apply;
mod digest;
mod formats;
mod kind;
mod mask;
mod pair;
mod place;
mod settle;
mod sums;
mod value;

#[cfg(test)]
mod tests;

use crate::diff::{Change, Diff, FileDiff};
use crate::event::decision::Basis;

use super::foreign::located;
use super::known::Advisory;
use super::reason::UnverifiableReason;
use super::{Assessment, Unverifiable};

use kind::Kind;
use place::Document;

/// The text of a file as it was before the change.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The path in the repository.
    pub path: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// A file of the diff, or one beside it, read whole.
struct Whole<'a> {
    path: &'a str,
    kind: Kind,
    before: Document,
    /// `None` where the file stays as it is.
    after: Option<Document>,
}

/// Whether the path is of a file that is read whole where its text is at hand.
pub fn is_readable(path: &str) -> bool {
    Kind::of(path).is_some()
}

/// Returns what the facts say of this diff as a dependency bump, and what that was judged on.
///
/// Without a text of any file of the diff it is [`super::assess`]. With the texts of all of them, it is
/// judged on the whole files alone. With some, both must remedy, and the hunks are what it rests on.
pub fn assess(diff: &Diff<'_>, files: &[Before<'_>], advisory: &Advisory) -> (Assessment, Basis) {
    let hunks = || (super::assess(diff, advisory), Basis::Hunks);
    for (at, file) in files.iter().enumerate() {
        let other = files
            .iter()
            .skip(at + 1)
            .find(|other| other.path == file.path);
        if other.is_some_and(|other| other.text != file.text) {
            let open = unverifiable(UnverifiableReason::FilesDisagree, file.path);
            return (Assessment::Unverifiable(open), Basis::Files);
        }
    }
    let text_of = |path: &str| files.iter().find(|file| file.path == path);
    let touched = |path: &str| diff.files.iter().any(|file| file.path() == path);
    let readable = |file: &FileDiff<'_>| is_readable(file.path());
    if files.is_empty() || !diff.files.iter().any(|file| text_of(file.path()).is_some()) {
        return hunks();
    }
    let mut wholes = Vec::new();
    for file in &diff.files {
        let Some(before) = text_of(file.path()) else {
            continue;
        };
        match whole(file, before, advisory) {
            Ok(Some(read)) => wholes.push(read),
            Ok(None) => {}
            Err(open) => return (Assessment::Unverifiable(open), Basis::Files),
        }
    }
    // A diff of anything else is no bump, whatever its manifests say.
    if !diff.files.iter().all(readable) {
        return hunks();
    }
    for (at, beside) in files.iter().enumerate() {
        let again = files.iter().take(at).any(|file| file.path == beside.path);
        if again || touched(beside.path) {
            continue;
        }
        let Some(kind) = Kind::of(beside.path) else {
            continue;
        };
        match kind.read(beside.text, advisory) {
            Some(before) => wholes.push(Whole {
                path: beside.path,
                kind,
                before,
                after: None,
            }),
            None => {
                let open = unverifiable(UnverifiableReason::FileNotUnderstood, beside.path);
                return (Assessment::Unverifiable(open), Basis::Files);
            }
        }
    }
    let all = diff.files.iter().all(|file| text_of(file.path()).is_some());
    let settled = match settle::settle(&wholes, advisory) {
        Ok(assessment) => assessment,
        Err(refusal) => Assessment::NotABump(refusal),
    };
    match settled {
        Assessment::Remedies(_) if !all => hunks(),
        other => (other, Basis::Files),
    }
}

/// Returns a file of the diff, read before and after; `None` for one that is no manifest, whose lines
/// are only checked.
fn whole<'a>(
    file: &'a FileDiff<'_>,
    before: &Before<'a>,
    advisory: &Advisory,
) -> Result<Option<Whole<'a>>, Unverifiable> {
    let path = before.path;
    if file.change != Change::Modified || file.old_path != file.new_path {
        return Ok(None);
    }
    let after = apply::apply(before.text, file)
        .ok_or_else(|| unverifiable(UnverifiableReason::FilesDisagree, path))?;
    let Some(kind) = Kind::of(path) else {
        return Ok(None);
    };
    let not_understood = || unverifiable(UnverifiableReason::FileNotUnderstood, path);
    Ok(Some(Whole {
        path,
        kind,
        before: kind
            .read(before.text, advisory)
            .ok_or_else(not_understood)?,
        after: Some(kind.read(&after, advisory).ok_or_else(not_understood)?),
    }))
}

fn unverifiable(reason: UnverifiableReason, path: &str) -> Unverifiable {
    Unverifiable {
        reason,
        detail: located(path, ""),
        bumps: Vec::new(),
    }
}
