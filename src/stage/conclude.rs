//! Conclude: policy's answer once a wargame is over, and the events that tell of it.
//!
//! Everything is looked at again as it stands now, and what was stricter when the wargame was asked for still counts.

use std::borrow::Cow;

use crate::diff::Diff;
use crate::event::comparison::ComparisonEvent;
use crate::event::control::Control;
use crate::event::decision::{JudgeName, JudgementRecord, Source, Verdict};
use crate::event::facts::{ApvFacts, Severity};
use crate::event::patch::Patch;
use crate::event::reason::{Disposition, Reason};
use crate::event::record::{Agreement, Batch, Handled, Output, Record};
use crate::event::trial;
use crate::event::verdict::WargameVerdict;
use crate::event::wargame::{Purpose, SecondLookRecord, Unheld, WargameRecord, WargameRequest};
use crate::judge::code::sketched;
use crate::judge::models::{Models, Picked};
use crate::judge::{ADVISORY, evidence_of, is_remedied};
use crate::policy::{Policy, Question, SecondLook, Tried, decide, steps_of};
use crate::stage::fight::Fought;
use crate::stage::join::Joined;
use crate::stage::judge::Judged;
use crate::stage::route::{facts_of, policy_record};
use crate::stage::telling::Telling;
use crate::table::{Asking, OpenItems, Place};

/// What concluding needs beside the case.
pub struct Concluding<'a> {
    /// The settings of now.
    pub control: &'a Control,
    /// What people have before them.
    pub open_items: &'a OpenItems,
    /// The breaker before the models, and what they count.
    pub models: Option<&'a Models>,
    /// The models in force.
    pub picked: &'a Picked,
    /// Whether approvals are on where `control` says nothing.
    pub auto_approve_default: bool,
    /// The largest record that may be written, in bytes.
    pub max_output_bytes: usize,
    /// When it is concluded, RFC 3339; it enters headers alone.
    pub now: String,
}

/// A request with everything that was found.
pub struct Contest<'a> {
    /// The record.
    pub record: &'a Record,
    /// What it asks.
    pub request: &'a WargameRequest<'a>,
    /// Its patch.
    pub patch: &'a Patch<'a>,
    /// The patch's diff.
    pub diff: &'a Diff<'a>,
    /// What is known of its CVE now.
    pub joined: &'a Joined,
    /// What the judge says now.
    pub judged: &'a Judged,
    /// What became of the wargame.
    pub fought: &'a Fought,
    /// What an earlier wargame of this very patch says.
    pub known: Option<bool>,
    /// Whether all its exploits are for a class of weaknesses, picked because the patch looks like one of theirs.
    pub by_class: bool,
}

impl Concluding<'_> {
    /// Returns the disposition of a request and the events that tell of it.
    pub fn conclude(&self, batch: &Batch, contest: &Contest<'_>) -> Handled {
        let request = contest.request;
        let mut wargame = contest.fought.record();
        // A class was guessed: that the patch does not fit its target says nothing of the patch.
        if contest.by_class && wargame.verdict == Some(WargameVerdict::ApplyFailed) {
            wargame.verdict = None;
            wargame.unheld = Some(Unheld::NoTarget);
        }
        if wargame.verdict == Some(WargameVerdict::Mitigated) {
            wargame.second = self.second_look(contest);
        }
        let place = Place {
            partition: request.source.partition,
            offset: request.source.offset,
        };
        let asking = Asking {
            cve_id: &request.cve_id,
            package: &request.package,
            patch_id: &request.patch_id,
            decision_id: request.decision_id,
            place,
        };
        let standing = self.open_items.standing(&asking);
        let then = Policy::of_version(request.facts.policy.version);
        let policy =
            Policy::in_force(self.control).stricter(then.unwrap_or_else(Policy::strictest));
        let question = self.question(contest, &wargame, standing.blocked);
        let (reason, recalls) = match request.purpose {
            Purpose::Decide => (decide(&policy, &question), false),
            Purpose::Compare => compared(request.reason, &wargame),
        };
        let telling = Telling {
            now: &self.now,
            open_items: self.open_items,
            max_output_bytes: self.max_output_bytes,
            record: contest.record,
            patch: contest.patch,
            digest: request.patch_digest.clone().into_owned(),
            asking,
            proposed_by: Place {
                partition: batch.partition,
                offset: contest.record.offset,
            },
            standing,
            input: Source {
                topic: Cow::Borrowed(&batch.topic),
                partition: batch.partition,
                offset: contest.record.offset,
                timestamp_ms: contest.record.timestamp_ms,
            },
            source: request.source.clone(),
            repeat: request.repeat,
            reason,
        };
        let learnt = wargame
            .verdict
            .filter(|verdict| is_news(contest.known, *verdict))
            .map(|verdict| telling.candidate(&sketched(contest.diff), Some(verdict)));
        let agreement = self.agreement(contest, &wargame, recalls);
        let policy = policy_record(
            &policy,
            &question,
            self.control.version,
            request.facts.policy.ab_sampled,
        );
        let mut facts = facts_of(
            contest.patch,
            contest.diff,
            contest.joined.facts(),
            contest.judged,
            &question,
            policy,
        );
        let comparison = (request.purpose == Purpose::Compare)
            .then(|| telling.comparison(&comparison(contest, &wargame, recalls)));
        facts.wargame = Some(Cow::Owned(wargame));
        let mut outputs: Vec<Output> = match reason.disposition() {
            Disposition::Decided => telling.approval(facts),
            Disposition::Compared if recalls => {
                let recalled = telling.decision(Verdict::Recalled, facts.clone());
                let mut outputs = telling.item(facts, &question);
                outputs.push(recalled);
                outputs
            }
            Disposition::Compared => Vec::new(),
            Disposition::Queued | Disposition::Wargame | Disposition::Dead => {
                telling.item(facts, &question)
            }
        };
        outputs.extend(comparison);
        outputs.extend(learnt);
        Handled {
            offset: contest.record.offset,
            timestamp_ms: contest.record.timestamp_ms,
            disposition: reason.disposition(),
            reason,
            outputs,
            ab_sampled: request.purpose == Purpose::Compare,
            memo: None,
            agreement,
        }
    }

    fn question(&self, contest: &Contest<'_>, wargame: &WargameRecord, blocked: bool) -> Question {
        let facts = contest.joined.facts();
        let auto_approve = self.control.auto_approve;
        let now = Question {
            known_by: contest.joined.known_by,
            severity: facts.map_or(Severity::Unknown, ApvFacts::severity),
            kev: facts.is_some_and(|facts| facts.kev),
            risk: contest.judged.risk.level,
            opinion: contest.judged.judgement.opinion,
            has_exploit: true,
            tried: Some(Tried::recorded(wargame)),
            second: wargame.second.as_ref().map(SecondLook::of),
            open_item: blocked,
            auto_approve: auto_approve.unwrap_or(self.auto_approve_default),
            kill_switch: self.control.kill_switch,
        };
        now.stricter(&Question::recorded(
            &contest.request.facts,
            contest.judged.judgement.opinion,
        ))
    }

    /// What is said of a patch that passed: of a bump the advisory's facts, then and now; of code a model.
    fn second_look(&self, contest: &Contest<'_>) -> Option<SecondLookRecord> {
        let now = &contest.judged.judgement.record;
        let then: &JudgementRecord = &contest.request.facts.judgement;
        if is_remedied(now) && is_remedied(then) {
            return Some(SecondLookRecord {
                by: ADVISORY.to_owned(),
                p: None,
                accept: None,
            });
        }
        let forest = now.forest.as_ref()?;
        let loaded = self.picked.active.as_deref()?;
        let generator = contest.request.facts.generator.as_deref();
        self.models?
            .second_look(loaded, contest.diff, forest, generator)
    }

    fn agreement(
        &self,
        contest: &Contest<'_>,
        wargame: &WargameRecord,
        recalls: bool,
    ) -> Option<Agreement> {
        let found_right = wargame.verdict?.says()?;
        let then: &JudgementRecord = &contest.request.facts.judgement;
        let request = contest.request;
        // The same move in another repository tries nothing new of the rule; another patch does of a model.
        let mut trial = trial::of_code(&request.cve_id, &request.patch_digest);
        let evidence = if is_remedied(then) {
            trial = trial::of_bump(&request.cve_id, &then.bumps);
            // The rule is counted, not its refusals: those are facts of the table.
            let level = then.level.clone();
            let named = level.map(|level| (evidence_of(then), level.into_owned()));
            named.into_iter().collect()
        } else {
            let p = then.p.filter(|_| then.judge == JudgeName::Forest);
            let steps = p.map_or_else(Vec::new, |p| steps_of(p, contest.request.facts.risk.level));
            let named = steps
                .into_iter()
                .map(|(judge, level)| (judge, level.to_owned()));
            named.collect()
        };
        Some(Agreement {
            evidence,
            trial,
            found_right,
            recalls,
        })
    }
}

/// Whether memory must hear of a verdict: not if that says less than what it knows. A patch that failed once does not
/// become right by another try.
fn is_news(known: Option<bool>, verdict: WargameVerdict) -> bool {
    match known {
        None => true,
        Some(true) => verdict.says() == Some(false),
        Some(false) => false,
    }
}

/// Returns the reason of a comparison, and whether it takes an approval back.
fn compared(outcome: Reason, wargame: &WargameRecord) -> (Reason, bool) {
    let found = wargame.verdict.and_then(WargameVerdict::says);
    let recalls = outcome.disposition() == Disposition::Decided && found == Some(false);
    if recalls {
        (Reason::ComparisonRefutes, true)
    } else {
        (Reason::ComparisonMade, false)
    }
}

fn comparison<'e>(
    contest: &'e Contest<'_>,
    wargame: &'e WargameRecord,
    recalled: bool,
) -> ComparisonEvent<'e> {
    let request = contest.request;
    let judgement: &JudgementRecord = &request.facts.judgement;
    // One that was not held says as little as one that came to no end.
    let verdict = wargame.verdict.unwrap_or(WargameVerdict::Inconclusive);
    ComparisonEvent {
        decision_id: request.decision_id,
        patch_id: Cow::Borrowed(&request.patch_id),
        patch_digest: Cow::Borrowed(&request.patch_digest),
        cve_id: Cow::Borrowed(&request.cve_id),
        outcome: request.reason,
        judge: judgement.judge,
        model: judgement
            .forest
            .as_ref()
            .map(|forest| Cow::Borrowed(forest.model.as_str())),
        level: judgement.level.as_deref().map(Cow::Borrowed),
        p: judgement.p,
        judged_right: request.reason.disposition() == Disposition::Decided,
        risk: request.facts.risk.level,
        severity: request.facts.severity,
        exploit: wargame.exploit.as_deref().map(Cow::Borrowed),
        verdict,
        found_right: verdict.says(),
        recalled,
        asked_ms: contest.record.timestamp_ms,
        source: request.source.clone(),
    }
}
