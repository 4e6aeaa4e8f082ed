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
    assert_eq!(
        answer(|q| q.known_by = KnownBy::Withdrawn),
        Reason::ApvWithdrawn
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
        Just(KnownBy::Unknown),
        Just(KnownBy::Withdrawn)
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
