//! What a line admits: a requirement read as intervals of versions.

mod pep440;
mod semver_like;

use std::ops::Bound;

use super::interval::Interval;
use super::version::Version;
use crate::event::facts::Ecosystem;

/// More alternatives or comparators than any real requirement has.
const MAX_PARTS: usize = 16;

/// The grammar that a requirement is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// One complete version, as lock files and `go.mod` write it.
    Exact,
    /// npm's ranges; a bare version is exact, an incomplete one a wildcard.
    Npm,
    /// PEP 440 specifiers, comma-joined; empty admits everything.
    Pip,
    /// Poetry's: PEP 440 plus caret, tilde, wildcard and `||`; a bare version is exact.
    Poetry,
    /// Cargo's; a bare version is a caret.
    Cargo,
    /// Maven's: a bare version, or ranges in brackets.
    Maven,
}

/// The versions that a requirement admits.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    /// The first alternative.
    pub first: Interval,
    /// Further alternatives (`||`).
    pub rest: Vec<Interval>,
    /// Whether exclusions (`!=`) were left out, so that less is admitted than is said here.
    pub widened: bool,
}

/// Why a requirement gives no intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It names a source, a path or a tag of something other than the registry.
    Foreign,
    /// It may be a requirement, but not one that is understood.
    NotUnderstood,
}

/// Returns what `text` admits.
///
/// # Errors
/// [`Unread::Foreign`] where a character is outside those that versions and comparators are made of;
/// [`Unread::NotUnderstood`] for tags, local versions, contradictions and anything else.
pub(super) fn admitted(
    ecosystem: Ecosystem,
    syntax: Syntax,
    text: &str,
) -> Result<Admitted, Unread> {
    if text.len() > 256 || !text.bytes().all(is_requirement_byte) {
        return Err(Unread::Foreign);
    }
    let parsed = match syntax {
        Syntax::Exact => {
            Version::parse(ecosystem, text).map(|version| Admitted::one(Interval::point(version)))
        }
        Syntax::Npm => semver_like::npm(text),
        Syntax::Cargo => semver_like::cargo(text),
        Syntax::Pip => pep440::pip(text),
        Syntax::Poetry => pep440::poetry(text),
        Syntax::Maven => maven(text),
    };
    let found = parsed.ok_or(Unread::NotUnderstood)?;
    // A local version is on no index, whatever its order says.
    let unusable = |interval: &Interval| {
        interval.is_empty()
            || matches!(&interval.lower, Bound::Included(version) | Bound::Excluded(version) if version.is_local())
    };
    if found.intervals().any(unusable) {
        return Err(Unread::NotUnderstood);
    }
    Ok(found)
}

impl Admitted {
    fn one(first: Interval) -> Self {
        Self {
            first,
            rest: Vec::new(),
            widened: false,
        }
    }

    /// Joins alternatives; `None` if there are none or too many.
    fn alternatives(mut parts: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        let mut all = parts.next()??;
        for part in parts {
            let part = part?;
            all.rest.push(part.first);
            all.widened |= part.widened;
            if all.rest.len() >= MAX_PARTS {
                return None;
            }
        }
        Some(all)
    }

    /// Returns the alternatives.
    pub fn intervals(&self) -> impl Iterator<Item = &Interval> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Returns the lowest bound of all alternatives; `None` if nothing bounds them below.
    pub fn lowest(&self) -> Option<&Version> {
        let mut lowest: Option<&Version> = None;
        for interval in self.intervals() {
            let (Bound::Included(bound) | Bound::Excluded(bound)) = &interval.lower else {
                return None;
            };
            lowest = Some(lowest.map_or(bound, |known| known.min(bound)));
        }
        lowest
    }
}

/// `:`, `/`, `@`, `#` and `$` are not here: they begin sources, aliases, paths and variables.
fn is_requirement_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'-'
                | b'_'
                | b'+'
                | b'!'
                | b'*'
                | b'^'
                | b'~'
                | b'<'
                | b'>'
                | b'='
                | b'|'
                | b','
                | b' '
                | b'['
                | b']'
                | b'('
                | b')'
        )
}

/// Splits a leading operator off; the operators are tried in the order given.
fn operator<'t, T: Copy>(text: &'t str, table: &[(&str, T)], bare: T) -> (T, &'t str) {
    table
        .iter()
        .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?.trim_start())))
        .unwrap_or((bare, text))
}

/// Maven: `1.2`, `[1.2]`, `[1.0,2.0)`, `(,1.0],[1.2,)`. A bare version is a recommendation that
/// nearest-wins mediation follows: taken as exact.
fn maven(text: &str) -> Option<Admitted> {
    let text = text.trim();
    if !text.starts_with(['[', '(']) {
        // Not versions but "whatever is newest".
        if text == "LATEST" || text == "RELEASE" {
            return None;
        }
        return Version::parse(Ecosystem::Maven, text)
            .map(|version| Admitted::one(Interval::point(version)));
    }
    let mut rest = text;
    Admitted::alternatives(std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (interval, left) = maven_range(rest)?;
            rest = left;
            Some(Admitted::one(interval))
        })
    }))
}

/// Reads one bracketed range and the comma after it; on failure `rest` stays and the caller stops.
fn maven_range(text: &str) -> Option<(Interval, &str)> {
    let version = |part: &str| Version::parse(Ecosystem::Maven, part.trim());
    let inclusive_lower = text.starts_with('[');
    let (inside, after) = text.strip_prefix(['[', '('])?.split_once([']', ')'])?;
    let inclusive_upper = text
        .as_bytes()
        .get(inside.len() + 1)
        .is_some_and(|byte| *byte == b']');
    let left = after.trim_start();
    let left = match left.strip_prefix(',') {
        Some(more) => more.trim_start(),
        None if left.is_empty() => left,
        None => return None,
    };
    let Some((low, high)) = inside.split_once(',') else {
        return (inclusive_lower && inclusive_upper)
            .then(|| version(inside).map(|exact| (Interval::point(exact), left)))?;
    };
    let bound = |part: &str, inclusive: bool| {
        if part.trim().is_empty() {
            Some(Bound::Unbounded)
        } else if inclusive {
            version(part).map(Bound::Included)
        } else {
            version(part).map(Bound::Excluded)
        }
    };
    let interval = Interval {
        lower: bound(low, inclusive_lower)?,
        upper: bound(high, inclusive_upper)?,
    };
    Some((interval, left))
}

#[cfg(test)]
mod tests;
