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

use crate::event::control::Control;
use crate::event::decision::{Facts, KnownBy, RiskLevel};
use crate::event::facts::Severity;
use crate::event::reason::Reason;
use crate::event::verdict::WargameVerdict;
use crate::event::wargame::{SecondLookRecord, Unheld, WargameRecord};
use crate::judge::{Opinion, wilson_lower_bound};

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

/// The policies there are, strictest first.
const POLICIES: [Policy; 4] = [
    Policy {
        version: 1,
        threshold: 0.95,
        max_risk: RiskLevel::Low,
    },
    Policy {
        version: 2,
        threshold: 0.90,
        max_risk: RiskLevel::Low,
    },
    Policy {
        version: 3,
        threshold: 0.85,
        max_risk: RiskLevel::Low,
    },
    Policy {
        version: 4,
        threshold: 0.85,
        max_risk: RiskLevel::Medium,
    },
];
/// What each step after the first would newly approve, as evidence is counted of it.
const STEPS: [&str; 3] = ["p90", "p85", "medium"];
/// The judge whose evidence the steps need: the other's p is a bound of its own.
const STEPPING: &str = "forest";
/// Live wargames that a step needs at least.
const STEP_NEEDS: u64 = 100;

/// Returns the steps whose new approvals a patch would be among, as evidence is counted of them.
pub fn steps_of(p: f64, risk: RiskLevel) -> Vec<(&'static str, &'static str)> {
    let [high, low, medium] = STEPS;
    let level = match risk {
        RiskLevel::Low if (0.90..0.95).contains(&p) => high,
        RiskLevel::Low if (0.85..0.90).contains(&p) => low,
        RiskLevel::Medium if p >= 0.85 => medium,
        _ => return Vec::new(),
    };
    vec![(STEPPING, level)]
}

impl Policy {
    /// Returns the policy of a version; `None` if this build does not know it.
    pub fn of_version(version: u32) -> Option<Self> {
        POLICIES
            .into_iter()
            .find(|policy| policy.version == version)
    }

    /// Returns the policy in force: what `control` names, as far as live wargames bear it out, or the strictest.
    ///
    /// A step is borne out by at least 100 wargames of patches that it would newly approve, of which the lower end of
    /// the 95 % Wilson interval is right as often as the step's threshold says. One that no longer is ends by itself.
    pub fn in_force(control: &Control) -> Self {
        let wanted = control.policy_version.unwrap_or(1);
        let steps = POLICIES.into_iter().skip(1).zip(STEPS);
        let borne_out = steps
            .take_while(|(policy, _)| policy.version <= wanted)
            .take_while(|(policy, level)| {
                let evidence = control.evidence(STEPPING, level);
                evidence.n >= STEP_NEEDS
                    && wilson_lower_bound(evidence.agreed, evidence.n) >= policy.threshold
            });
        borne_out
            .last()
            .map_or_else(Self::strictest, |(policy, _)| policy)
    }

    /// Returns the stricter of two policies.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        if (other.threshold, self.max_risk) > (self.threshold, other.max_risk) {
            other
        } else {
            self
        }
    }

    /// Returns the strictest policy: in force until `control` and evidence say otherwise.
    pub fn strictest() -> Self {
        let [first, ..] = POLICIES;
        first
    }
}

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
        WargameVerdict::HarnessTampered => Reason::HarnessTampered,
        WargameVerdict::Inconclusive => Reason::WargameInconclusive,
        WargameVerdict::Error => Reason::WargameError,
    })
}

/// Returns whether a person might still approve an item of this reason, so that it stands against other candidates:
/// refusals do not, because several bad candidates before a good one are normal.
pub fn is_blocking(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::JudgeRefuses
            | Reason::ApplyFailed
            | Reason::BuildFailed
            | Reason::NotReproduced
            | Reason::BaselineBroken
            | Reason::StillExploitable
            | Reason::Regression
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
mod tests {
    use super::*;
    use crate::event::control::{ControlKey, ControlValue};
    use crate::event::decision::EvidenceRecord;
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
            tried: None,
            second: None,
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

    #[test]
    fn a_step_is_in_force_only_while_live_wargames_bear_it_out() {
        let version = |wanted: u32, counts: &[(&str, u64, u64)]| {
            let mut control = Control {
                policy_version: Some(wanted),
                ..Control::default()
            };
            for (level, agreed, n) in counts {
                let key = ControlKey::parse(&format!("evidence.forest.{level}.w0")).unwrap();
                let count = EvidenceRecord {
                    agreed: *agreed,
                    n: *n,
                };
                let value = ControlValue::Evidence(count);
                control.apply(&key, Some(&value)).unwrap();
            }
            Policy::in_force(&control).version
        };
        assert_eq!(version(4, &[]), 1);
        assert_eq!(version(2, &[("p90", 99, 99)]), 1, "too few");
        assert_eq!(version(2, &[("p90", 200, 200)]), 2);
        assert_eq!(version(2, &[("p90", 180, 200)]), 1, "too often wrong");
        assert_eq!(version(1, &[("p90", 200, 200)]), 1, "nobody asked for it");
        assert_eq!(version(4, &[("p90", 200, 200), ("medium", 200, 200)]), 2);
        assert_eq!(version(99, &[("p90", 200, 200), ("p85", 190, 200)]), 3);
        let all = [("p90", 200, 200), ("p85", 200, 200), ("medium", 200, 200)];
        assert_eq!(version(4, &all), 4);
    }

    #[test]
    fn evidence_of_a_step_is_of_what_it_would_newly_approve() {
        let of = |p, risk| steps_of(p, risk).first().map(|(_, level)| *level);
        assert_eq!(of(0.94, RiskLevel::Low), Some("p90"));
        assert_eq!(of(0.85, RiskLevel::Low), Some("p85"));
        assert_eq!(of(0.99, RiskLevel::Medium), Some("medium"));
        assert_eq!(of(0.99, RiskLevel::Low), None);
        assert_eq!(of(0.84, RiskLevel::Medium), None);
        assert_eq!(of(0.99, RiskLevel::High), None);
        assert_eq!(of(f64::NAN, RiskLevel::Low), None);
    }

    #[test]
    fn an_exploit_is_replayed_where_the_judge_is_not_sure_or_not_there() {
        let asked = |opinion| {
            answer(|q| {
                q.opinion = opinion;
                q.has_exploit = true;
            })
        };
        assert_eq!(asked(Opinion::AtLeast(0.5)), Reason::WargameAsked);
        assert_eq!(asked(Opinion::Unavailable), Reason::WargameAsked);
        assert_eq!(asked(Opinion::Inconclusive), Reason::AdvisoryInconclusive);
        assert_eq!(asked(Opinion::Probability(0.0)), Reason::JudgeRefuses);
        assert_eq!(asked(Opinion::Probability(0.96)), Reason::JudgeConfident);
    }

    #[test]
    fn a_passed_wargame_approves_only_with_a_second_look_and_nothing_against_it() {
        let passed = |change: fn(&mut Question)| {
            answer(|q| {
                q.opinion = Opinion::AtLeast(0.0);
                q.tried = Some(Tried::Found(WargameVerdict::Mitigated));
                q.second = Some(SecondLook::Remedied);
                change(q);
            })
        };
        let estimate = |p, accepts| Some(SecondLook::Estimate { p, accepts });
        assert_eq!(passed(|_| {}), Reason::WargameMitigated);
        assert_eq!(passed(|q| q.second = None), Reason::SecondLookUnsure);
        assert_eq!(passed(|q| q.kill_switch = true), Reason::KillSwitch);
        assert_eq!(
            passed(|q| q.opinion = Opinion::Probability(0.0)),
            Reason::JudgeRefuses
        );
        for (p, accepts, reason) in [
            (0.96, true, Reason::WargameMitigated),
            (0.96, false, Reason::SecondLookUnsure),
            (0.94, true, Reason::SecondLookUnsure),
            (f64::NAN, true, Reason::SecondLookUnsure),
        ] {
            let mut question = clear();
            question.tried = Some(Tried::Found(WargameVerdict::Mitigated));
            question.second = estimate(p, accepts);
            assert_eq!(decide(&Policy::strictest(), &question), reason, "{p}");
        }
    }

    #[test]
    fn what_a_wargame_says_against_a_patch_outweighs_every_judge() {
        for (tried, reason) in [
            (
                Tried::Found(WargameVerdict::StillExploitable),
                Reason::StillExploitable,
            ),
            (Tried::Overdue, Reason::WargameOverdue),
            (Tried::Unavailable, Reason::WargameUnavailable),
            (Tried::NoTarget, Reason::NoExploit),
        ] {
            assert_eq!(
                answer(|q| {
                    q.tried = Some(tried);
                    q.second = Some(SecondLook::Remedied);
                }),
                reason
            );
        }
    }

    fn any_tried() -> impl Strategy<Value = Option<Tried>> {
        prop_oneof![
            Just(None),
            Just(Some(Tried::Found(WargameVerdict::Mitigated))),
            Just(Some(Tried::Found(WargameVerdict::StillExploitable))),
            Just(Some(Tried::Found(WargameVerdict::Inconclusive))),
            Just(Some(Tried::Overdue)),
            Just(Some(Tried::Unavailable)),
        ]
    }

    fn any_second() -> impl Strategy<Value = Option<SecondLook>> {
        prop_oneof![
            Just(None),
            Just(Some(SecondLook::Remedied)),
            (0.9..=1.0, any::<bool>())
                .prop_map(|(p, accepts)| Some(SecondLook::Estimate { p, accepts })),
        ]
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
        let wargame = (any_tried(), any_second());
        (known, severity, risk, opinion, wargame, any::<[bool; 5]>()).prop_map(
            |(known_by, severity, risk, opinion, (tried, second), flags)| {
                let [kev, has_exploit, open_item, auto_approve, kill_switch] = flags;
                Question {
                    known_by,
                    severity,
                    kev,
                    risk,
                    opinion,
                    has_exploit,
                    tried,
                    second,
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
                let enough = match (question.tried, question.second) {
                    (None, _) => {
                        let objects = matches!(
                            question.opinion,
                            Opinion::Estimate { approves: false, .. } | Opinion::Estimate { refuses: true, .. }
                        );
                        !objects && question.opinion.p().is_some_and(|p| p >= policy.threshold)
                    }
                    (Some(Tried::Found(WargameVerdict::Mitigated)), Some(SecondLook::Remedied)) => true,
                    (
                        Some(Tried::Found(WargameVerdict::Mitigated)),
                        Some(SecondLook::Estimate { p, accepts }),
                    ) => accepts && p >= policy.threshold,
                    _ => false,
                };
                prop_assert!(enough);
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

        #[test]
        fn what_was_stricter_before_stays_so(now in any_question(), before in any_question()) {
            let policy = Policy::strictest();
            let both = now.clone().stricter(&before);
            if decide(&policy, &both).disposition() == Disposition::Decided {
                prop_assert_eq!(decide(&policy, &now).disposition(), Disposition::Decided);
                prop_assert!(blockers(&policy, &before).is_empty());
            }
        }
    }
}
