//! Route: policy's answer to each case, and the events that tell of it.

use std::borrow::Cow;

use uuid::Uuid;

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::{Facts, PatchSize, PolicyRecord, Repeat, Source};
use crate::event::facts::{ApvFacts, Severity};
use crate::event::id::decision_id;
use crate::event::patch::Patch;
use crate::event::reason::{Disposition, Reason};
use crate::event::record::{Batch, Handled, Record};
use crate::exploit::{Catalogue, Exploit, Wanted};
use crate::judge::advisory::same_package;
use crate::judge::code::Sketched;
use crate::policy::{AbConfig, Policy, Question, Sampler, blockers, decide};
use crate::stage::join::Joined;
use crate::stage::judge::Judged;
use crate::stage::recall::Recalled;
use crate::stage::telling::{Asked, Telling};
use crate::stage::{self, Refused};
use crate::table::{ANY_PACKAGE, Asking, OpenItems, Place};

/// What routing needs beside the cases.
pub struct Routing<'a> {
    /// The settings of this batch.
    pub control: &'a Control,
    /// What people have before them.
    pub open_items: &'a OpenItems,
    /// Whether approvals are on where `control` says nothing.
    pub auto_approve_default: bool,
    /// What draws the sample for A/B comparisons, and how large that is where `control` says nothing; no
    /// sample without it.
    pub sampling: Option<&'a (Sampler, AbConfig)>,
    /// What patches can be tried with; nothing without it.
    pub exploits: Option<&'a Catalogue>,
    /// The largest record that may be written, in bytes.
    pub max_output_bytes: usize,
    /// When the batch is handled, milliseconds since the epoch; it enters headers alone.
    pub now_ms: i64,
    /// The same as RFC 3339.
    pub now: String,
}

/// One record with everything the stages found of it.
pub struct Case<'a> {
    /// The record.
    pub record: &'a Record,
    /// The patch, or why there is none.
    pub patch: &'a Result<Patch<'a>, Refused>,
    /// Its diff, or why there is none.
    pub diff: &'a Result<Diff<'a>, Refused>,
    /// What is known of its CVE.
    pub joined: &'a Option<Joined>,
    /// What memory knows of this very patch.
    pub recalled: &'a Option<Recalled>,
    /// What judging found.
    pub judged: &'a Option<Judged>,
}

impl Routing<'_> {
    /// Returns the disposition of a case and the events that tell of it.
    pub fn route(&self, batch: &Batch, case: &Case<'_>) -> Handled {
        match (case.patch, case.diff, case.joined, case.judged) {
            (Ok(patch), Ok(diff), Some(joined), Some(judged)) => {
                self.outcome(batch, case, patch, diff, joined, judged)
            }
            (Err(refused), ..) | (_, Err(refused), ..) => self.dead(batch, case.record, refused),
            // Stages keep their lists aligned; if one does not, the record is kept as a letter.
            _ => self.dead(
                batch,
                case.record,
                &Refused {
                    reason: Reason::Panicked,
                    message: "the stages disagree about this record".to_owned(),
                },
            ),
        }
    }

    /// Returns the dead letter of a record.
    pub fn dead(&self, batch: &Batch, record: &Record, refused: &Refused) -> Handled {
        stage::dead(batch, record, refused, self.now_ms, self.max_output_bytes)
    }

    fn outcome(
        &self,
        batch: &Batch,
        case: &Case<'_>,
        patch: &Patch<'_>,
        diff: &Diff<'_>,
        joined: &Joined,
        judged: &Judged,
    ) -> Handled {
        let record = case.record;
        let digest = patch.digest.to_hex();
        let id = decision_id(&patch.patch_id, &digest);
        let package = package_of(patch, joined.facts(), judged);
        let asking = Asking {
            cve_id: &patch.cve_id,
            package: &package,
            patch_id: &patch.patch_id,
            decision_id: id,
            place: Place {
                partition: batch.partition,
                offset: record.offset,
            },
        };
        let standing = self.open_items.standing(&asking);
        let policy = Policy::in_force(self.control);
        let facts = joined.facts();
        let mut question = Question {
            known_by: joined.known_by,
            severity: facts.map_or(Severity::Unknown, ApvFacts::severity),
            kev: facts.is_some_and(|facts| facts.kev),
            risk: judged.risk.level,
            opinion: judged.judgement.opinion,
            has_exploit: false,
            tried: None,
            second: None,
            open_item: standing.blocked,
            auto_approve: self
                .control
                .auto_approve
                .unwrap_or(self.auto_approve_default),
            kill_switch: self.control.kill_switch,
        };
        let mut reason = decide(&policy, &question);
        let ab_sampled = self.is_sampled(id);
        // Only where one may be replayed is it looked for.
        let alone = is_alone(reason);
        let may_try = matches!(reason, Reason::NoExploit | Reason::JudgeUnavailable);
        let exploits = if may_try || (ab_sampled && alone) {
            self.exploits(&patch.cve_id, facts, diff)
        } else {
            Vec::new()
        };
        question.has_exploit = !exploits.is_empty();
        if may_try {
            reason = decide(&policy, &question);
        }
        let repeat = case
            .recalled
            .as_ref()
            .and_then(|r| r.repeats(batch, record));
        let source = Source {
            topic: Cow::Borrowed(&batch.topic),
            partition: batch.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
        };
        let event = Telling {
            now: &self.now,
            open_items: self.open_items,
            max_output_bytes: self.max_output_bytes,
            repeat: repeat.map(|first| Repeat {
                partition: first.partition,
                offset: first.offset,
            }),
            record,
            patch,
            digest,
            asking,
            proposed_by: asking.place,
            standing,
            input: source.clone(),
            source,
            reason,
        };
        let policy = self.policy_record(&policy, &question, ab_sampled);
        let facts = facts_of(patch, diff, facts, judged, &question, policy);
        let candidate = settled_candidate(reason, judged)
            .filter(|_| repeat.is_none())
            .map(|sketched| event.candidate(sketched, None));
        let compare = (ab_sampled && alone && !exploits.is_empty() && repeat.is_none())
            .then(|| event.request(Asked::ToCompare, &exploits, facts.clone()))
            .flatten();
        let asked = (reason == Reason::WargameAsked)
            .then(|| event.request(Asked::ToDecide, &exploits, facts.clone()))
            .flatten();
        let mut outputs = match (reason.disposition(), asked) {
            (Disposition::Wargame, Some(request)) => event.hand_on(request),
            (Disposition::Wargame, None) => {
                // A request that no record can hold: a person tries it.
                reason = Reason::NoExploit;
                Telling { reason, ..event }.item(facts, &question)
            }
            (Disposition::Decided, _) => event.approval(facts),
            (Disposition::Queued | Disposition::Compared | Disposition::Dead, _) => {
                event.item(facts, &question)
            }
        };
        outputs.extend(candidate);
        outputs.extend(compare);
        Handled {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            disposition: reason.disposition(),
            reason,
            outputs,
            ab_sampled,
            memo: None,
            agreement: None,
        }
    }

    fn exploits(&self, cve_id: &str, facts: Option<&ApvFacts>, diff: &Diff<'_>) -> Vec<&Exploit> {
        let wanted = Wanted {
            cve_id,
            facts,
            diff,
        };
        self.exploits
            .map_or_else(Vec::new, |catalogue| catalogue.select(&wanted))
    }

    /// Whether the question is in the sample that wargames compare.
    fn is_sampled(&self, decision_id: Uuid) -> bool {
        self.sampling.is_some_and(|(sampler, default)| {
            let ab = default.in_force(self.control);
            ab.enabled && sampler.holds(decision_id, ab.rate)
        })
    }

    fn policy_record(
        &self,
        policy: &Policy,
        question: &Question,
        ab_sampled: bool,
    ) -> PolicyRecord {
        policy_record(policy, question, self.control.version, ab_sampled)
    }
}

/// Returns what policy went by, for the record.
pub(super) fn policy_record(
    policy: &Policy,
    question: &Question,
    control_version: i64,
    ab_sampled: bool,
) -> PolicyRecord {
    PolicyRecord {
        version: policy.version,
        threshold: policy.threshold,
        control_version,
        auto_approve: question.auto_approve,
        kill_switch: question.kill_switch,
        has_exploit: question.has_exploit,
        open_item: question.open_item,
        blockers: blockers(policy, question),
        ab_sampled,
    }
}

/// Returns the facts that an outcome rests on, for the record.
pub(super) fn facts_of<'e>(
    patch: &'e Patch<'_>,
    diff: &Diff<'_>,
    facts: Option<&'e ApvFacts>,
    judged: &'e Judged,
    question: &Question,
    policy: PolicyRecord,
) -> Facts<'e> {
    Facts {
        known_by: question.known_by,
        severity: question.severity,
        kev: question.kev,
        epss: facts.and_then(|facts| facts.epss),
        cwes: Cow::Borrowed(facts.map_or(&[], |facts| &facts.cwes)),
        strategy: patch.strategy.as_deref().map(Cow::Borrowed),
        generator: patch.generator.as_deref().map(Cow::Borrowed),
        size: PatchSize {
            files: diff.files.len(),
            added: diff.added_lines,
            removed: diff.removed_lines,
        },
        risk: Cow::Borrowed(&judged.risk),
        judgement: Cow::Borrowed(&judged.judgement.record),
        wargame: None,
        policy,
    }
}

/// Whether the judge decided alone, either way.
fn is_alone(reason: Reason) -> bool {
    matches!(reason, Reason::JudgeConfident | Reason::JudgeRefuses)
}

/// Returns what memory must learn of a case that the forest decides alone: no wargame will tell of it, but later
/// candidates are still compared with it. One that memory knows is left as it is, with its verdict.
fn settled_candidate(reason: Reason, judged: &Judged) -> Option<&Sketched> {
    let sketched = judged.sketched.as_deref()?;
    (is_alone(reason) && !sketched.known).then_some(sketched)
}

/// Returns the package a case is for: the one it claims, if the APV names it; else the one it moves;
/// else the only one the APV names; else `*`.
pub(super) fn package_of<'c>(
    patch: &'c Patch<'_>,
    facts: Option<&'c ApvFacts>,
    judged: &'c Judged,
) -> Cow<'c, str> {
    let named = facts.map_or(&[][..], |facts| &facts.packages);
    if let Some(claim) = &patch.package {
        let known = named.iter().find(|package| {
            claim
                .ecosystem
                .is_none_or(|ecosystem| ecosystem == package.ecosystem)
                && same_package(package.ecosystem, &package.name, &claim.name)
        });
        if let Some(package) = known {
            return Cow::Borrowed(&package.name);
        }
    }
    let moved = &judged.judgement.record.bumps;
    if let Some(first) = moved.first()
        && moved.iter().all(|bump| bump.package == first.package)
    {
        return Cow::Borrowed(&first.package);
    }
    match named {
        [only] => Cow::Borrowed(&only.name),
        _ => Cow::Borrowed(ANY_PACKAGE),
    }
}
