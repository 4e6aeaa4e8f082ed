//! The advisory judge: does a pure dependency bump reach the fix that the advisory names?
//!
//! *In*: a parsed diff and the facts of its CVE. *Out*: one [`Assessment`]. The diff is hostile data:
//! every changed line must be understood, a changed pair of lines must be equal but for the version,
//! and whatever is not understood makes the patch somebody else's business ([`Assessment::NotABump`])
//! or a person's ([`Assessment::Unverifiable`]), never a remedy.
//!
//! A line that stays counts as much: where it names an affected package and is not understood, the bump
//! is open, whatever its versions are.
//!
//! What it does not know: whether a version exists on its registry; whether the package is pinned
//! elsewhere in the project, in files or lines that the diff does not show; and, where a section opens
//! above the hunk and neither the hunk nor its heading shows it, whether a line `name: range` has any
//! effect. In each case a bump is at worst without effect: nothing but the version of a named package can
//! change. Where a section could turn the meaning round (Go's `exclude`), the line is not understood.

mod affected;
mod foreign;
mod hunk;
mod interval;
mod known;
mod level;
mod manifest;
mod moved;
mod name;
mod pair;
mod path;
mod place;
mod reason;
mod requirement;
pub mod tree;
mod verdict;
mod version;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::Diff;
use crate::event::facts::Ecosystem;

pub use affected::is_affected;
pub use known::Advisory;
pub use level::Level;
pub use moved::{Moved, NotMoved, moved};
pub use name::{pypi_name, same as same_package};
pub use reason::{NotABumpReason, RefutedReason, UnverifiableReason};

/// The longest foreign text in an assessment, in characters after escaping.
pub const MAX_TEXT_CHARS: usize = 200;

/// What the facts say of a patch as a dependency bump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "assessment", rename_all = "snake_case")]
pub enum Assessment {
    /// Not a pure bump of packages that the APV names: the business of the judge of code.
    NotABump(NotABump),
    /// Versions or ranges do not settle it: a person must look.
    Unverifiable(Unverifiable),
    /// The facts say that it does not remedy.
    Refuted(Refuted),
    /// Every bumped package reaches a fixed version, and nothing that the new lines admit lies in an
    /// affected range that the facts know.
    Remedies(Remedies),
}

/// Why a patch is not a pure dependency bump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotABump {
    /// The stable code.
    pub reason: NotABumpReason,
    /// Path, and line or package where there is one; escaped, at most [`MAX_TEXT_CHARS`] characters.
    pub detail: String,
}

/// A bump that the facts cannot settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unverifiable {
    /// The stable code of the first thing that could not be settled.
    pub reason: UnverifiableReason,
    /// What it concerns; escaped, at most [`MAX_TEXT_CHARS`] characters.
    pub detail: String,
    /// The packages that move.
    pub bumps: Vec<Bump>,
}

/// A bump that does not remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refuted {
    /// The stable code of the first contradiction.
    pub reason: RefutedReason,
    /// What it concerns; escaped, at most [`MAX_TEXT_CHARS`] characters.
    pub detail: String,
    /// The widest level moved.
    pub level: Level,
    /// The packages that move.
    pub bumps: Vec<Bump>,
}

/// A bump that reaches a fix everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedies {
    /// The widest level moved; never [`Level::Downgrade`].
    pub level: Level,
    /// The packages that move; never empty.
    pub bumps: Vec<Bump>,
}

/// One package whose version moves in one file.
///
/// Places of one file with the same package and the same texts are one bump. All texts are escaped
/// and at most [`MAX_TEXT_CHARS`] characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bump {
    /// The ecosystem, told by the file's name.
    pub ecosystem: Ecosystem,
    /// The package as the APV spells it.
    pub package: String,
    /// The path of the manifest or lock file.
    pub file: String,
    /// The requirement or version before, as the line writes it; empty where it named none.
    pub from: String,
    /// The requirement or version after, as the line writes it.
    pub to: String,
    /// Whether what was admitted before touches an affected range; `None` where it cannot be told.
    pub from_affected: Option<bool>,
    /// The highest fixed version at or below the lowest version now admitted, as the APV spells it.
    pub reaches_fix: Option<String>,
    /// How far the version moves.
    pub level: Level,
}

/// Returns what the facts say of this diff as a dependency bump.
///
/// Deterministic, linear in diff and facts, and without panic on any input. A diff that touches any
/// file but a manifest or lock file is refused by its paths alone.
pub fn assess(diff: &Diff<'_>, advisory: &Advisory) -> Assessment {
    let reading = match pair::read(diff, advisory) {
        Ok(reading) => reading,
        Err(refusal) => return Assessment::NotABump(refusal),
    };
    match verdict::settle(&reading, advisory) {
        Ok(assessment) => assessment,
        Err(refusal) => Assessment::NotABump(refusal),
    }
}

impl Assessment {
    /// Returns the stable code for events and metrics: `remedies`, or the code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotABump(refusal) => refusal.reason.as_str(),
            Self::Unverifiable(open) => open.reason.as_str(),
            Self::Refuted(refuted) => refuted.reason.as_str(),
            Self::Remedies(_) => "remedies",
        }
    }

    /// Returns the packages that move; empty for what is no bump.
    pub fn bumps(&self) -> &[Bump] {
        match self {
            Self::NotABump(_) => &[],
            Self::Unverifiable(open) => &open.bumps,
            Self::Refuted(refuted) => &refuted.bumps,
            Self::Remedies(remedies) => &remedies.bumps,
        }
    }
}
