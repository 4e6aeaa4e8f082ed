//! Policy: may this patch ship by itself?
//!
//! Pure functions over recorded facts. No clock, no random number, no table: what policy looks at
//! is in [`Question`], and the same question has the same answer for ever.

mod risk;
mod sampling;
mod urgency;

pub use risk::{RiskConfig, assess_risk};
pub use sampling::{AbConfig, InvalidRate, Sampler};
pub use urgency::{Urgency, urgency};

use crate::event::decision::{Facts, KnownBy, RiskLevel};
use crate::event::facts::Severity;
use crate::event::reason::Reason;
use crate::judge::Opinion;

/// One version of the policy. Every change of a number is a new version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// The version, as it stands on events.
    pub version: u32,
    /// The least p that approves, 0 to 1; 1 minus it refuses, where a judge has no threshold of its own.
    pub threshold: f64,
    /// The highest patch risk that may ship unseen.
    pub max_risk: RiskLevel,
}

/// The policies there are, strictest first. Later steps need a lower bound of measured precision
/// from live comparisons, which nothing counts yet, so there is one.
const POLICIES: [Policy; 1] = [Policy {
    version: 1,
    threshold: 0.95,
    max_risk: RiskLevel::Low,
}];

impl Policy {
    /// Returns the policy of a version; `None` if this build does not know it.
    pub fn of_version(version: u32) -> Option<Self> {
        POLICIES
            .into_iter()
            .find(|policy| policy.version == version)
    }

    /// Returns the policy that `control` names, or the strictest.
    pub fn in_force(version: Option<u32>) -> Self {
        version
            .and_then(Self::of_version)
            .unwrap_or_else(Self::strictest)
    }

    /// Returns the strictest policy: in force until `control` says otherwise, and whenever it names
    /// a version that this build does not know.
    pub fn strictest() -> Self {
        let [first, ..] = POLICIES;
        first
    }
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
            open_item: policy.open_item,
            auto_approve: policy.auto_approve,
            kill_switch: policy.kill_switch,
        }
    }
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
    }
    let (p, approves, refuses) = match question.opinion {
        Opinion::Inconclusive => return Reason::AdvisoryInconclusive,
        Opinion::Unavailable => return Reason::JudgeUnavailable,
        Opinion::Probability(p) => (p, true, p <= 1.0 - policy.threshold),
        Opinion::AtLeast(p) => (p, true, false),
        Opinion::Estimate {
            p,
            approves,
            refuses,
        } => (p, approves, refuses),
    };
    if p.is_nan() {
        return Reason::JudgeUnavailable;
    }
    if refuses {
        return Reason::JudgeRefuses;
    }
    if approves && p >= policy.threshold {
        let standing = blockers(policy, question);
        return standing.first().copied().unwrap_or(Reason::JudgeConfident);
    }
    // Between the two a wargame would decide; without an exploit a person does.
    Reason::NoExploit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::reason::Disposition;
    use proptest::prelude::*;

    fn clear() -> Question {
        Question {
            known_by: KnownBy::Table,
            severity: Severity::Medium,
            kev: false,
            risk: RiskLevel::Low,
            opinion: Opinion::Probability(0.96),
            has_exploit: false,
            open_item: false,
            auto_approve: true,
            kill_switch: false,
        }
    }

    fn answer(change: impl Fn(&mut Question)) -> Reason {
        let mut question = clear();
        change(&mut question);
        decide(&Policy::strictest(), &question)
    }

    #[test]
    fn a_sure_judge_approves_only_if_nothing_stands_against_it() {
        assert_eq!(answer(|_| {}), Reason::JudgeConfident);
        assert_eq!(answer(|q| q.kill_switch = true), Reason::KillSwitch);
        assert_eq!(answer(|q| q.auto_approve = false), Reason::AutoApproveOff);
        assert_eq!(
            answer(|q| q.severity = Severity::Unknown),
            Reason::SeverityUnknown
        );
        assert_eq!(
            answer(|q| q.severity = Severity::Critical),
            Reason::SeverityCritical
        );
        assert_eq!(answer(|q| q.risk = RiskLevel::Medium), Reason::PatchRisk);
        assert_eq!(answer(|q| q.kev = true), Reason::KevListed);
        assert_eq!(answer(|q| q.open_item = true), Reason::OpenItem);
    }

    #[test]
    fn without_facts_of_the_table_nothing_is_approved() {
        assert_eq!(
            answer(|q| q.known_by = KnownBy::Embedded),
            Reason::ApvEmbeddedOnly
        );
        assert_eq!(
            answer(|q| q.known_by = KnownBy::Unknown),
            Reason::ApvUnknown
        );
        assert_eq!(
            answer(|q| q.known_by = KnownBy::Stale),
            Reason::ApvTableStale
        );
        assert_eq!(
            answer(|q| q.known_by = KnownBy::Invalid),
            Reason::ApvInvalid
        );
    }

    #[test]
    fn the_threshold_is_inclusive_on_both_sides() {
        assert_eq!(
            answer(|q| q.opinion = Opinion::Probability(0.95)),
            Reason::JudgeConfident
        );
        assert_eq!(
            answer(|q| q.opinion = Opinion::Probability(0.949_999)),
            Reason::NoExploit
        );
        assert_eq!(
            answer(|q| q.opinion = Opinion::Probability(0.0)),
            Reason::JudgeRefuses
        );
        assert_eq!(
            answer(|q| q.opinion = Opinion::Probability(0.5)),
            Reason::NoExploit
        );
        assert_eq!(
            answer(|q| q.opinion = Opinion::Probability(f64::NAN)),
            Reason::JudgeUnavailable
        );
    }

    #[test]
    fn a_lack_of_evidence_neither_approves_nor_refuses() {
        assert_eq!(
            answer(|q| q.opinion = Opinion::AtLeast(0.0)),
            Reason::NoExploit
        );
        assert_eq!(
            answer(|q| q.opinion = Opinion::AtLeast(0.949)),
            Reason::NoExploit
        );
        assert_eq!(
            answer(|q| q.opinion = Opinion::AtLeast(0.95)),
            Reason::JudgeConfident
        );
    }

    #[test]
    fn a_model_goes_by_its_own_thresholds_as_well_as_by_policys() {
        let of = |p, approves, refuses| {
            answer(|q| {
                q.opinion = Opinion::Estimate {
                    p,
                    approves,
                    refuses,
                }
            })
        };
        assert_eq!(of(0.96, true, false), Reason::JudgeConfident);
        assert_eq!(of(0.94, true, false), Reason::NoExploit);
        assert_eq!(of(0.96, false, false), Reason::NoExploit);
        assert_eq!(of(0.96, true, true), Reason::JudgeRefuses);
        assert_eq!(of(0.08, false, true), Reason::JudgeRefuses);
        assert_eq!(of(0.01, false, false), Reason::NoExploit);
        assert_eq!(of(f64::NAN, true, false), Reason::JudgeUnavailable);
    }

    fn any_question() -> impl Strategy<Value = Question> {
        let known = prop_oneof![
            Just(KnownBy::Table),
            Just(KnownBy::Embedded),
            Just(KnownBy::Invalid),
            Just(KnownBy::Stale),
            Just(KnownBy::Unknown)
        ];
        let severity = prop_oneof![
            Just(Severity::Low),
            Just(Severity::Medium),
            Just(Severity::High),
            Just(Severity::Unknown),
            Just(Severity::Critical)
        ];
        let risk = prop_oneof![
            Just(RiskLevel::Low),
            Just(RiskLevel::Medium),
            Just(RiskLevel::High),
            Just(RiskLevel::Critical)
        ];
        let opinion = prop_oneof![
            (0.0..=1.0).prop_map(Opinion::Probability),
            (0.94..=0.96).prop_map(Opinion::Probability),
            (0.0..=1.0).prop_map(Opinion::AtLeast),
            (0.0..=1.0, any::<bool>(), any::<bool>()).prop_map(|(p, approves, refuses)| {
                Opinion::Estimate {
                    p,
                    approves,
                    refuses,
                }
            }),
            Just(Opinion::Unavailable),
            Just(Opinion::Inconclusive)
        ];
        (known, severity, risk, opinion, any::<[bool; 5]>()).prop_map(
            |(known_by, severity, risk, opinion, flags)| {
                let [kev, has_exploit, open_item, auto_approve, kill_switch] = flags;
                Question {
                    known_by,
                    severity,
                    kev,
                    risk,
                    opinion,
                    has_exploit,
                    open_item,
                    auto_approve,
                    kill_switch,
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_p_below_the_threshold_is_ever_approved(question in any_question()) {
            let policy = Policy::strictest();
            let reason = decide(&policy, &question);
            if reason.disposition() == Disposition::Decided {
                let Some(p) = question.opinion.p() else {
                    return Err(TestCaseError::fail("approved without an opinion"));
                };
                prop_assert!(p >= policy.threshold);
                let objects = matches!(
                    question.opinion,
                    Opinion::Estimate { approves: false, .. } | Opinion::Estimate { refuses: true, .. }
                );
                prop_assert!(!objects);
                prop_assert!(blockers(&policy, &question).is_empty());
                prop_assert_eq!(question.known_by, KnownBy::Table);
            }
        }

        #[test]
        fn a_new_blocker_never_turns_a_queued_patch_into_an_approval(question in any_question()) {
            let policy = Policy::strictest();
            let worse = Question { kill_switch: true, ..question };
            prop_assert_ne!(decide(&policy, &worse).disposition(), Disposition::Decided);
        }
    }
}
