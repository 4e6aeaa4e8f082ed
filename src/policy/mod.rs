//! Policy: may this patch ship by itself?
//!
//! Pure functions over recorded facts. No clock, no random number, no table: what policy looks at
//! is in [`Question`], and the same question has the same answer for ever.

mod risk;
mod sampling;
mod steps;
mod urgency;

pub use risk::{RiskConfig, assess_risk};
pub use sampling::{AbConfig, InvalidRate, Sampler};
pub use steps::{Policy, steps_of};
pub use urgency::{Urgency, urgency};

use crate::event::decision::{Facts, KnownBy, RiskLevel};
use crate::event::facts::Severity;
use crate::event::reason::Reason;
use crate::event::verdict::WargameVerdict;
use crate::event::wargame::{SecondLookRecord, Unheld, WargameRecord};
use crate::judge::Opinion;

/// What came of a wargame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It was held.
    Found(WargameVerdict),
    /// It was not over by its deadline.
    Overdue,
    /// None can be held here.
    Unavailable,
    /// The exploit that was picked for its class is none for this target.
    NoTarget,
}

/// What is said of a patch that passed its wargame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SecondLook {
    /// The advisory's facts: the bump reaches a fixed version, and the replay agrees. Two witnesses that do not
    /// know of each other.
    Remedied,
    /// A model's estimate.
    Estimate {
        /// P(patch is right), 0 to 1.
        p: f64,
        /// Whether the model holds it for sure enough to accept.
        accepts: bool,
    },
}

/// Everything policy looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// How the vulnerability is known.
    pub known_by: KnownBy,
    /// The worst severity any record states.
    pub severity: Severity,
    /// Listed as known to be exploited.
    pub kev: bool,
    /// How much damage a wrong patch of this shape could do.
    pub risk: RiskLevel,
    /// What the judge says.
    pub opinion: Opinion,
    /// Whether an exploit exists to try the patch with.
    pub has_exploit: bool,
    /// What came of the wargame, if one was asked for.
    pub tried: Option<Tried>,
    /// What is said of a patch that passed its wargame.
    pub second: Option<SecondLook>,
    /// Whether a person still has another item of this CVE and package before them.
    pub open_item: bool,
    /// Whether approvals are switched on.
    pub auto_approve: bool,
    /// Whether approvals are stopped.
    pub kill_switch: bool,
}

impl Question {
    /// Returns the question that was asked, from the facts on its event, with the opinion that a judge has.
    pub fn recorded(facts: &Facts<'_>, opinion: Opinion) -> Self {
        let policy = &facts.policy;
        Self {
            known_by: facts.known_by,
            severity: facts.severity,
            kev: facts.kev,
            risk: facts.risk.level,
            opinion,
            has_exploit: policy.has_exploit,
            tried: facts.wargame.as_deref().map(Tried::recorded),
            second: facts
                .wargame
                .as_deref()
                .and_then(|wargame| wargame.second.as_ref().map(SecondLook::of)),
            open_item: policy.open_item,
            auto_approve: policy.auto_approve,
            kill_switch: policy.kill_switch,
        }
    }

    /// Returns the question of now, made no less strict by what it was before: a worse severity, a listing, a higher
    /// risk, a switch and an open item count, whenever they were there.
    #[must_use]
    pub fn stricter(self, before: &Self) -> Self {
        Self {
            severity: self.severity.max(before.severity),
            kev: self.kev || before.kev,
            risk: self.risk.max(before.risk),
            open_item: self.open_item || before.open_item,
            auto_approve: self.auto_approve && before.auto_approve,
            kill_switch: self.kill_switch || before.kill_switch,
            known_by: if before.known_by == KnownBy::Table {
                self.known_by
            } else {
                before.known_by
            },
            ..self
        }
    }
}

impl Tried {
    /// Returns what to make of a wargame that was not held.
    pub fn of(why: Option<Unheld>) -> Self {
        match why {
            Some(Unheld::Overdue) => Self::Overdue,
            Some(Unheld::NoTarget) => Self::NoTarget,
            Some(Unheld::Unavailable) | None => Self::Unavailable,
        }
    }

    /// Returns what came of a wargame, from its record.
    pub fn recorded(wargame: &WargameRecord) -> Self {
        match wargame.verdict {
            Some(verdict) => Self::Found(verdict),
            None => Self::of(wargame.unheld),
        }
    }
}

impl SecondLook {
    /// Returns what the second look said, from its record.
    pub fn of(record: &SecondLookRecord) -> Self {
        match (record.p, record.accept) {
            (Some(p), Some(accept)) => Self::Estimate {
                p,
                accepts: p >= accept,
            },
            _ => Self::Remedied,
        }
    }
}

/// Returns the reason that a verdict is for a person; `None` for the one that may lead to an approval.
fn refusal(verdict: WargameVerdict) -> Option<Reason> {
    Some(match verdict {
        WargameVerdict::Mitigated => return None,
        WargameVerdict::ApplyFailed => Reason::ApplyFailed,
        WargameVerdict::BuildFailed => Reason::BuildFailed,
        WargameVerdict::NotReproduced => Reason::NotReproduced,
        WargameVerdict::BaselineBroken => Reason::BaselineBroken,
        WargameVerdict::StillExploitable => Reason::StillExploitable,
        WargameVerdict::Regression => Reason::Regression,
        WargameVerdict::PatchedHangs => Reason::PatchedHangs,
        WargameVerdict::HarnessTampered => Reason::HarnessTampered,
        WargameVerdict::Inconclusive => Reason::WargameInconclusive,
        WargameVerdict::Error => Reason::WargameError,
    })
}

/// Returns whether a person might still approve an item of this reason, so that it stands against other candidates:
/// refusals do not, because several bad candidates before a good one are normal; nor does an item about nothing.
pub fn is_blocking(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::JudgeRefuses
            | Reason::ApvWithdrawn
            | Reason::ApplyFailed
            | Reason::BuildFailed
            | Reason::NotReproduced
            | Reason::BaselineBroken
            | Reason::StillExploitable
            | Reason::Regression
            | Reason::PatchedHangs
            | Reason::HarnessTampered
            | Reason::WargameInconclusive
            | Reason::WargameError
            | Reason::ComparisonRefutes
    )
}

/// Returns what stands against approval, in the order in which it is told.
pub fn blockers(policy: &Policy, question: &Question) -> Vec<Reason> {
    let mut found = Vec::new();
    let mut block = |stands: bool, reason: Reason| {
        if stands {
            found.push(reason);
        }
    };
    block(question.kill_switch, Reason::KillSwitch);
    block(!question.auto_approve, Reason::AutoApproveOff);
    block(
        question.severity == Severity::Unknown,
        Reason::SeverityUnknown,
    );
    block(
        question.severity == Severity::Critical,
        Reason::SeverityCritical,
    );
    block(question.risk > policy.max_risk, Reason::PatchRisk);
    block(question.kev, Reason::KevListed);
    block(question.open_item, Reason::OpenItem);
    found
}

/// Returns the answer: the reason, whose disposition is the outcome.
///
/// A p below the threshold is never approved; a p that is not a number is no opinion.
pub fn decide(policy: &Policy, question: &Question) -> Reason {
    match question.known_by {
        KnownBy::Table => {}
        KnownBy::Embedded => return Reason::ApvEmbeddedOnly,
        KnownBy::Invalid => return Reason::ApvInvalid,
        KnownBy::Stale => return Reason::ApvTableStale,
        KnownBy::Unknown => return Reason::ApvUnknown,
        KnownBy::Withdrawn => return Reason::ApvWithdrawn,
    }
    match question.tried {
        None => first_look(policy, question),
        Some(Tried::Unavailable) => Reason::WargameUnavailable,
        Some(Tried::Overdue) => Reason::WargameOverdue,
        Some(Tried::NoTarget) => Reason::NoExploit,
        Some(Tried::Found(verdict)) => match refusal(verdict) {
            Some(reason) => reason,
            None => second_look(policy, question),
        },
    }
}

/// The answer before a wargame.
fn first_look(policy: &Policy, question: &Question) -> Reason {
    // Between the two a wargame decides; without an exploit a person does.
    let try_it = |otherwise| {
        if question.has_exploit {
            Reason::WargameAsked
        } else {
            otherwise
        }
    };
    let (p, approves) = match question.opinion {
        Opinion::Inconclusive => return Reason::AdvisoryInconclusive,
        Opinion::Unavailable => return try_it(Reason::JudgeUnavailable),
        _ if refuses(policy, question.opinion) => return Reason::JudgeRefuses,
        Opinion::Probability(p) | Opinion::AtLeast(p) => (p, true),
        Opinion::Estimate { p, approves, .. } => (p, approves),
    };
    if p.is_nan() {
        return Reason::JudgeUnavailable;
    }
    if approves && p >= policy.threshold {
        let standing = blockers(policy, question);
        return standing.first().copied().unwrap_or(Reason::JudgeConfident);
    }
    try_it(Reason::NoExploit)
}

/// The answer to a patch that passed its wargame.
fn second_look(policy: &Policy, question: &Question) -> Reason {
    if refuses(policy, question.opinion) {
        return Reason::JudgeRefuses;
    }
    let holds = match question.second {
        None => false,
        Some(SecondLook::Remedied) => true,
        Some(SecondLook::Estimate { p, accepts }) => accepts && p >= policy.threshold,
    };
    if !holds {
        return Reason::SecondLookUnsure;
    }
    let standing = blockers(policy, question);
    standing
        .first()
        .copied()
        .unwrap_or(Reason::WargameMitigated)
}

/// Whether the judge holds the patch for wrong. A p that is not a number holds nothing.
fn refuses(policy: &Policy, opinion: Opinion) -> bool {
    match opinion {
        Opinion::Probability(p) => p <= 1.0 - policy.threshold,
        Opinion::Estimate { p, refuses, .. } => refuses && !p.is_nan(),
        Opinion::AtLeast(_) | Opinion::Unavailable | Opinion::Inconclusive => false,
    }
}

#[cfg(test)]
mod tests;
