//! Requirements of npm and cargo, which differ in separators and in what a bare version means.
//!
//! Sources: the README of node-semver ("Ranges", "Advanced Range Syntax") and "Specifying
//! Dependencies" of the Cargo book.

use std::ops::Bound;

use super::{Admitted, MAX_PARTS, operator};
use crate::diff::cut::parts;
use crate::event::facts::Ecosystem;
use crate::judge::advisory::interval::Interval;
use crate::judge::advisory::version::Version;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Exact,
    Caret,
    Tilde,
    AtLeast,
    Above,
    AtMost,
    Below,
}

/// Longest sign first.
const SIGNS: [(&str, Op); 8] = [
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("~>", Op::Tilde),
    (">", Op::Above),
    ("<", Op::Below),
    ("=", Op::Exact),
    ("^", Op::Caret),
    ("~", Op::Tilde),
];

/// Reads an npm range: alternatives by `||`, comparators by spaces, hyphen ranges.
pub(super) fn npm(text: &str) -> Option<Admitted> {
    // Nearly all have one alternative, and to search for a text costs more than to read it.
    if !text.as_bytes().contains(&b'|') {
        return npm_part(text.trim()).map(Admitted::one);
    }
    Admitted::alternatives(
        text.split("||")
            .map(|part| npm_part(part.trim()).map(Admitted::one)),
    )
}

/// Reads a cargo requirement: comparators by commas, a bare version is a caret.
pub(super) fn cargo(text: &str) -> Option<Admitted> {
    let mut all = Interval::all();
    for (index, part) in parts(text, b',').enumerate() {
        let (op, rest) = operator(part.trim(), &SIGNS, Op::Caret);
        if index >= MAX_PARTS || rest.is_empty() {
            return None;
        }
        let partial = Partial::parse(Ecosystem::CratesIo, rest)?;
        // `1.*` is a wildcard, not a caret of 1.
        let op = if op == Op::Caret && partial.wildcard {
            Op::Exact
        } else {
            op
        };
        all = all.and(partial.interval(op)?);
    }
    Some(Admitted::one(all))
}

fn npm_part(part: &str) -> Option<Interval> {
    if part.is_empty() {
        return Some(Interval::all());
    }
    if part.as_bytes().contains(&b' ')
        && let Some((low, high)) = part.split_once(" - ")
    {
        let low = Partial::parse(Ecosystem::Npm, low.trim())?.interval(Op::AtLeast)?;
        let high = Partial::parse(Ecosystem::Npm, high.trim())?.interval(Op::AtMost)?;
        return Some(low.and(high));
    }
    let mut all = Interval::all();
    let mut waiting = None;
    for (index, word) in part.split_ascii_whitespace().enumerate() {
        if index >= 2 * MAX_PARTS {
            return None;
        }
        let (op, rest) = match waiting.take() {
            Some(op) => (op, word),
            None => operator(word, &SIGNS, Op::Exact),
        };
        // A sign may stand apart from its version: `>= 1.2.3`.
        if rest.is_empty() {
            waiting = Some(op);
            continue;
        }
        all = all.and(Partial::parse(Ecosystem::Npm, rest)?.interval(op)?);
    }
    waiting.is_none().then_some(all)
}

/// A version of which only the first parts may be given.
struct Partial {
    ecosystem: Ecosystem,
    numbers: [u64; 3],
    /// How many numbers are given.
    given: usize,
    /// Whether the rest is an explicit `x`, `X` or `*`.
    wildcard: bool,
    /// The whole version, where all three are given.
    whole: Option<Version>,
}

impl Partial {
    fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        let bare = match ecosystem {
            Ecosystem::Npm => text.strip_prefix('v').unwrap_or(text),
            _ => text,
        };
        let mut partial = Self {
            ecosystem,
            numbers: [0; 3],
            given: 0,
            wildcard: false,
            whole: None,
        };
        if let Some(whole) = Version::parse(ecosystem, bare) {
            partial.numbers = whole.three_numbers()?;
            partial.given = 3;
            partial.whole = Some(whole);
            return Some(partial);
        }
        let mut parts = bare.split('.');
        for slot in &mut partial.numbers {
            match parts.next() {
                None => break,
                Some("x" | "X" | "*") => partial.wildcard = true,
                Some(_) if partial.wildcard => return None,
                Some(part)
                    if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    *slot = part.parse().ok()?;
                    partial.given += 1;
                }
                Some(_) => return None,
            }
        }
        // Three numbers that are no version (leading zeros), or more than three parts.
        (parts.next().is_none() && partial.given < 3 && (partial.given > 0 || partial.wildcard))
            .then_some(partial)
    }

    /// Returns the first version of what is given.
    fn first(&self) -> Version {
        let [major, minor, patch] = self.numbers;
        self.whole
            .clone()
            .unwrap_or_else(|| Version::from_numbers(self.ecosystem, major, minor, patch))
    }

    /// Whether the version is given whole and is no pre-release.
    fn is_release(&self) -> bool {
        let [major, minor, patch] = self.numbers;
        let release = Version::from_numbers(self.ecosystem, major, minor, patch);
        self.whole.as_ref().is_some_and(|whole| *whole == release)
    }

    /// Returns the numbers that follow everything which shares the first `kept` ones.
    fn next(&self, kept: usize) -> Option<[u64; 3]> {
        let [major, minor, patch] = self.numbers;
        Some(match kept {
            1 => [major.checked_add(1)?, 0, 0],
            2 => [major, minor.checked_add(1)?, 0],
            _ => [major, minor, patch.checked_add(1)?],
        })
    }

    /// Returns the exclusive end of what shares the first `kept` numbers.
    fn end(&self, kept: usize) -> Option<Version> {
        let [major, minor, patch] = self.next(kept)?;
        Some(Version::before_numbers(self.ecosystem, major, minor, patch))
    }

    fn interval(&self, op: Op) -> Option<Interval> {
        let [major, minor, _] = self.numbers;
        if self.given == 0 {
            return matches!(
                op,
                Op::Exact | Op::Caret | Op::Tilde | Op::AtLeast | Op::AtMost
            )
            .then(Interval::all);
        }
        let whole = self.given == 3;
        let from = |lower| Interval {
            lower,
            upper: Bound::Unbounded,
        };
        let to = |upper| Interval {
            lower: Bound::Unbounded,
            upper,
        };
        Some(match op {
            Op::Exact if whole => Interval::point(self.first()),
            Op::Exact => Interval::half_open(self.first(), self.end(self.given)?),
            Op::Caret => {
                let kept = if major > 0 || self.given == 1 {
                    1
                } else if minor > 0 || self.given == 2 {
                    2
                } else {
                    3
                };
                Interval::half_open(self.first(), self.end(kept)?)
            }
            Op::Tilde => Interval::half_open(self.first(), self.end(self.given.min(2))?),
            Op::AtLeast => from(Bound::Included(self.first())),
            Op::Above if whole => from(Bound::Excluded(self.first())),
            Op::Above => {
                let [major, minor, patch] = self.next(self.given)?;
                from(Bound::Included(Version::from_numbers(
                    self.ecosystem,
                    major,
                    minor,
                    patch,
                )))
            }
            Op::AtMost if whole => to(Bound::Included(self.first())),
            Op::AtMost => to(Bound::Excluded(self.end(self.given)?)),
            // A pre-release is admitted only beside one of the same three numbers.
            Op::Below if whole && !self.is_release() => to(Bound::Excluded(self.first())),
            Op::Below => {
                let [major, minor, patch] = self.numbers;
                to(Bound::Excluded(Version::before_numbers(
                    self.ecosystem,
                    major,
                    minor,
                    patch,
                )))
            }
        })
    }
}
