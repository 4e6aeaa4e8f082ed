//! Requirements of PyPI: PEP 440 specifiers, and Poetry's additions to them.
//!
//! Sources: PEP 440 "Version specifiers" and "Dependency specification" of Poetry's documentation.

use std::ops::Bound;

use super::{Admitted, MAX_PARTS, operator};
use crate::diff::cut::parts;
use crate::judge::advisory::interval::Interval;
use crate::judge::advisory::version::Version;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    /// No operator at all.
    Bare,
    Exact,
    Not,
    Compatible,
    AtLeast,
    Above,
    AtMost,
    Below,
    Caret,
    Tilde,
}

/// Longest sign first.
const SIGNS: [(&str, Op); 10] = [
    ("===", Op::Exact),
    ("==", Op::Exact),
    ("!=", Op::Not),
    ("~=", Op::Compatible),
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    (">", Op::Above),
    ("<", Op::Below),
    ("^", Op::Caret),
    ("~", Op::Tilde),
];

/// Reads comma-joined PEP 440 specifiers; the empty text admits everything.
pub(super) fn pip(text: &str) -> Option<Admitted> {
    if text.trim().is_empty() {
        return Some(Admitted::one(Interval::all()));
    }
    joined(text, |op| !matches!(op, Op::Bare | Op::Caret | Op::Tilde))
}

/// Reads a Poetry requirement: alternatives by `||`, comparators by commas.
pub(super) fn poetry(text: &str) -> Option<Admitted> {
    Admitted::alternatives(text.split("||").map(|part| joined(part, |_| true)))
}

fn joined(text: &str, known: impl Fn(Op) -> bool) -> Option<Admitted> {
    let mut all = Admitted::one(Interval::all());
    for (index, part) in parts(text, b',').enumerate() {
        let (op, rest) = operator(part.trim(), &SIGNS, Op::Bare);
        if index >= MAX_PARTS || !known(op) {
            return None;
        }
        match interval(op, rest)? {
            Some(interval) => all.first = all.first.and(interval),
            None => all.widened = true,
        }
    }
    Some(all)
}

/// Returns the interval of one comparator; `Some(None)` for an exclusion.
fn interval(op: Op, text: &str) -> Option<Option<Interval>> {
    if text == "*" {
        return (op == Op::Bare || op == Op::Exact).then(|| Some(Interval::all()));
    }
    if let Some(prefix) = text.strip_suffix(".*") {
        let version = parse(prefix)?;
        return match op {
            Op::Bare | Op::Exact => same_prefix(&version, version.release().len()).map(Some),
            Op::Not => Some(None),
            _ => None,
        };
    }
    let version = parse(text)?;
    let given = version.release().len();
    let from = |lower| Interval {
        lower,
        upper: Bound::Unbounded,
    };
    let to = |upper| Interval {
        lower: Bound::Unbounded,
        upper,
    };
    let found = match op {
        Op::Bare | Op::Exact => Interval::point(Version::PyPi(version)),
        Op::Not => return Some(None),
        // `~=2.2` is `>=2.2, ==2.*`; one number alone is not allowed.
        Op::Compatible if given < 2 => return None,
        Op::Compatible => from_version(version, given - 1)?,
        Op::Tilde => from_version(version, given.min(2))?,
        Op::Caret => {
            let zeros = version
                .release()
                .iter()
                .take_while(|number| **number == 0)
                .count();
            from_version(version, (zeros + 1).min(given))?
        }
        Op::AtLeast => from(Bound::Included(Version::PyPi(version))),
        Op::Above => from(Bound::Excluded(Version::PyPi(version))),
        Op::AtMost => to(Bound::Included(Version::PyPi(version))),
        // PEP 440: `<V` leaves out the pre-releases of V, unless V is one.
        Op::Below if version.is_stable() => {
            to(Bound::Excluded(Version::PyPi(version.with_dev(Some(0)))))
        }
        Op::Below => to(Bound::Excluded(Version::PyPi(version))),
    };
    Some(Some(found))
}

fn parse(text: &str) -> Option<pep440_rs::Version> {
    match Version::parse(crate::event::facts::Ecosystem::PyPi, text)? {
        Version::PyPi(version) => Some(version),
        _ => None,
    }
}

/// Returns `[version, end)` where `end` is the first version that differs in the first `kept` numbers.
fn from_version(version: pep440_rs::Version, kept: usize) -> Option<Interval> {
    let end = end_of_prefix(&version, kept)?;
    Some(Interval::half_open(Version::PyPi(version), end))
}

/// Returns all versions with the first `kept` numbers of `version`, development releases included.
fn same_prefix(version: &pep440_rs::Version, kept: usize) -> Option<Interval> {
    if version.any_prerelease() || version.is_post() || version.is_local() {
        return None;
    }
    let first = pep440_rs::Version::new(version.release().iter().take(kept).copied())
        .with_epoch(version.epoch())
        .with_dev(Some(0));
    Some(Interval::half_open(
        Version::PyPi(first),
        end_of_prefix(version, kept)?,
    ))
}

fn end_of_prefix(version: &pep440_rs::Version, kept: usize) -> Option<Version> {
    let mut release: Vec<u64> = version.release().iter().take(kept).copied().collect();
    let last = release.last_mut()?;
    *last = last.checked_add(1)?;
    let end = pep440_rs::Version::new(release)
        .with_epoch(version.epoch())
        .with_dev(Some(0));
    Some(Version::PyPi(end))
}
