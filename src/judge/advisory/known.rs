//! What the facts know of one package, parsed once.

use std::ops::{Bound, Deref};
use std::sync::OnceLock;

use super::affected;
use super::interval::Interval;
use super::name;
use super::reason::{RefutedReason, UnverifiableReason};
use super::requirement::Admitted;
use super::version::Version;
use crate::event::facts::{ApvFacts, Ecosystem, PackageFacts};

/// More ranges or fixes of one package than the judge compares.
const MAX_ENTRIES: usize = 1_024;

/// The facts of a CVE, read as versions and ranges where somebody asks, and only once: they are asked
/// again with each patch of the CVE.
#[derive(Debug)]
pub struct Advisory {
    facts: ApvFacts,
    /// By the facts' packages; what is never asked takes two words.
    known: Box<[OnceLock<Box<Known>>]>,
    digest: OnceLock<Box<[u8; 32]>>,
}

/// The parsed facts of one package.
#[derive(Debug)]
pub(super) struct Known {
    /// Each begins before the pre-releases of the release that it begins with: they hold the flaw already.
    affected: Vec<Interval>,
    fixed: Vec<(Version, Box<str>)>,
    /// Whether an affected range could not be read.
    affected_unread: bool,
    /// Whether a fixed version could not be read.
    fixed_unread: bool,
}

/// What the facts say of what a place admits, from bad to good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding<'f> {
    /// It does not remedy.
    Refuted(RefutedReason),
    /// It cannot be told.
    Open(UnverifiableReason),
    /// It reaches this fixed version and touches nothing affected.
    Reaches(&'f str),
}

impl From<ApvFacts> for Advisory {
    fn from(facts: ApvFacts) -> Self {
        let known = facts.packages.iter().map(|_| OnceLock::new()).collect();
        Self {
            facts,
            known,
            digest: OnceLock::new(),
        }
    }
}

impl Deref for Advisory {
    type Target = ApvFacts;

    fn deref(&self) -> &ApvFacts {
        &self.facts
    }
}

impl Advisory {
    /// Returns the digest of the facts: other facts have another.
    pub fn digest(&self) -> [u8; 32] {
        **self.digest.get_or_init(|| Box::new(self.facts.digest()))
    }

    /// Returns the first package that answers to a question, as the APV spells it, and what all facts
    /// of it say together.
    pub(super) fn known(&self, is_it: impl Fn(&PackageFacts) -> bool) -> Option<(&str, &Known)> {
        let (package, known) = self
            .facts
            .packages
            .iter()
            .zip(&self.known)
            .find(|(package, _)| !package.withdrawn && is_it(package))?;
        let parse = || Box::new(Known::of(&self.facts, package.ecosystem, &package.name));
        Some((&package.name, known.get_or_init(parse)))
    }
}

impl Known {
    /// Returns what all facts of the package say together.
    fn of(facts: &ApvFacts, ecosystem: Ecosystem, package: &str) -> Self {
        let mut known = Self {
            affected: Vec::new(),
            fixed: Vec::new(),
            affected_unread: false,
            fixed_unread: false,
        };
        let same = |fact: &&PackageFacts| {
            !fact.withdrawn
                && fact.ecosystem == ecosystem
                && name::same(ecosystem, &fact.name, package)
        };
        for fact in facts.packages.iter().filter(same) {
            for entry in &fact.affected {
                match affected::range(ecosystem, entry) {
                    Some(range) if known.affected.len() < MAX_ENTRIES => {
                        known.affected.push(range.begun_by_pre_releases());
                    }
                    _ => known.affected_unread = true,
                }
            }
            for text in &fact.fixed {
                match Version::parse_fact(ecosystem, text) {
                    Some(version) if known.fixed.len() < MAX_ENTRIES => {
                        known.fixed.push((version, text.clone()))
                    }
                    _ => known.fixed_unread = true,
                }
            }
            if let Some(last) = &fact.last_affected {
                match Version::parse_fact(ecosystem, last) {
                    Some(version) => known.affected.push(Interval::point(version)),
                    None => known.affected_unread = true,
                }
            }
        }
        known
    }

    /// Whether any of what was admitted is affected; `None` if it cannot be told.
    pub fn touches(&self, admitted: &Admitted) -> Option<bool> {
        if self.affected.is_empty() && !self.affected_unread && !self.fixed_unread {
            // Fixes without ranges: what lies at or above all of them is not affected.
            let highest = self.fixed.iter().map(|(fixed, _)| fixed).max()?;
            return Some(admitted.lowest().is_none_or(|lowest| lowest < highest));
        }
        let touched = admitted
            .intervals()
            .any(|interval| self.affected.iter().any(|range| range.touches(interval)));
        let complete = !self.affected_unread && !self.affected.is_empty();
        (touched || complete).then_some(touched)
    }

    /// Returns what the facts say of everything that is admitted: the worst of its alternatives.
    pub fn judge(&self, admitted: &Admitted) -> Finding<'_> {
        let findings = admitted
            .intervals()
            .map(|interval| self.judge_interval(interval));
        let worst = findings.min_by(|left, right| left.rank().cmp(&right.rank()));
        match worst {
            // The exclusion might be the very version that refutes.
            Some(Finding::Refuted(_)) if admitted.widened => {
                Finding::Open(UnverifiableReason::AdmitsAffected)
            }
            Some(finding) => finding,
            None => Finding::Open(UnverifiableReason::RequirementNotUnderstood),
        }
    }

    fn judge_interval(&self, interval: &Interval) -> Finding<'_> {
        if self.fixed.is_empty() {
            return Finding::Open(if self.fixed_unread {
                UnverifiableReason::FactsNotUnderstood
            } else {
                UnverifiableReason::NoFixKnown
            });
        }
        let (lowest, included) = match &interval.lower {
            // Everything down to the first release is admitted.
            Bound::Unbounded => return Finding::Refuted(RefutedReason::BelowEveryFix),
            Bound::Included(version) => (version, true),
            Bound::Excluded(version) => (version, false),
        };
        if included && self.affected.iter().any(|range| range.contains(lowest)) {
            return Finding::Refuted(RefutedReason::InsideAffected);
        }
        let below = self.fixed.iter().filter(|(fixed, _)| fixed <= lowest);
        let Some((reached_version, reached)) = below.max_by(|left, right| left.0.cmp(&right.0))
        else {
            // `>2.0.0` with a fix in 2.0.1 may be right: nothing need lie between.
            return match (self.fixed_unread, included) {
                (true, _) => Finding::Open(UnverifiableReason::FactsNotUnderstood),
                (false, false) => Finding::Open(UnverifiableReason::AdmitsAffected),
                // Ranges that leave the version out do not say that it does not remedy.
                (false, true) if self.affected_unread => {
                    Finding::Open(UnverifiableReason::FactsNotUnderstood)
                }
                (false, true) if self.affected.is_empty() => {
                    Finding::Refuted(RefutedReason::BelowEveryFix)
                }
                (false, true) => Finding::Open(UnverifiableReason::NotAffectedBelowFix),
            };
        };
        // Hosts serve commits of forks under the name of the original: a commit is no release.
        if lowest.is_commit() && !self.fixed.iter().any(|(fixed, _)| fixed == lowest) {
            return Finding::Open(UnverifiableReason::CommitVersion);
        }
        if self.affected_unread {
            return Finding::Open(UnverifiableReason::FactsNotUnderstood);
        }
        // Above an older fix, in no range, and not yet the fix of its own line.
        let early = |(fixed, _): &(Version, Box<str>)| {
            lowest.is_pre_release_of(fixed) && !reached_version.is_pre_release_of(fixed)
        };
        if self.fixed.iter().any(early) {
            return Finding::Open(UnverifiableReason::PreReleaseOfFix);
        }
        if self.affected.is_empty() && self.fixed.iter().any(|(fixed, _)| fixed > lowest) {
            return Finding::Open(UnverifiableReason::RangesUnknown);
        }
        // The lower bound is fixed, but a resolver may choose what lies above: not ours to approve.
        if self.affected.iter().any(|range| range.touches(interval)) {
            return Finding::Open(UnverifiableReason::AdmitsAffected);
        }
        Finding::Reaches(reached)
    }
}

impl Finding<'_> {
    /// Returns the order of badness, 0 the worst.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Refuted(_) => 0,
            Self::Open(_) => 1,
            Self::Reaches(_) => 2,
        }
    }
}
