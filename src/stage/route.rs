//! Route: policy's answer to each case, and the events that tell of it.

use std::borrow::Cow;

use uuid::Uuid;

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::{
    DecisionEvent, Facts, PatchSize, PolicyRecord, Repeat, Source, Verdict,
};
use crate::event::facts::{ApvFacts, Severity};
use crate::event::headers::cloud_event;
use crate::event::hitl::{HitlEvent, OpenItem, PatchBody, open_item_key};
use crate::event::id::{decision_id, event_id};
use crate::event::patch::Patch;
use crate::event::reason::{Disposition, Reason};
use crate::event::record::{Batch, Handled, Output, Record};
use crate::event::topic::Topic;
use crate::judge::advisory::same_package;
use crate::log::dead_letter::{Origin, dead_letter};
use crate::policy::{Policy, Question, blockers, decide, urgency};
use crate::stage::Refused;
use crate::stage::join::Joined;
use crate::stage::judge::Judged;
use crate::stage::recall::Recalled;
use crate::table::{ANY_PACKAGE, Asking, OpenItems, Place, Standing};

/// Room for an event without its diff, in bytes: nearly all need less.
const FACTS_BYTES: usize = 1_536;
/// Room for an entry among the open items, in bytes.
const OPEN_ITEM_BYTES: usize = 512;

/// What routing needs beside the cases.
pub struct Routing<'a> {
    /// The settings of this batch.
    pub control: &'a Control,
    /// What people have before them.
    pub open_items: &'a OpenItems,
    /// Whether approvals are on where `control` says nothing.
    pub auto_approve_default: bool,
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
        let origin = Origin {
            topic: &batch.topic,
            partition: batch.partition,
        };
        let letter = dead_letter(
            record,
            origin,
            refused.reason,
            &refused.message,
            self.now_ms,
            self.max_output_bytes,
        );
        Handled {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            disposition: Disposition::Dead,
            reason: refused.reason,
            outputs: vec![letter],
            memo: None,
        }
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
        let policy = Policy::in_force(self.control.policy_version);
        let facts = joined.facts();
        let question = Question {
            known_by: joined.known_by,
            severity: facts.map_or(Severity::Unknown, ApvFacts::severity),
            kev: facts.is_some_and(|facts| facts.kev),
            risk: judged.risk.level,
            opinion: judged.judgement.opinion,
            has_exploit: false,
            open_item: standing.blocked,
            auto_approve: self
                .control
                .auto_approve
                .unwrap_or(self.auto_approve_default),
            kill_switch: self.control.kill_switch,
        };
        let reason = decide(&policy, &question);
        let repeat = case
            .recalled
            .as_ref()
            .and_then(|r| r.repeats(batch, record));
        let event = Telling {
            routing: self,
            repeat: repeat.map(|first| Repeat {
                partition: first.partition,
                offset: first.offset,
            }),
            record,
            patch,
            digest,
            asking,
            standing,
            source: Source {
                topic: Cow::Borrowed(&batch.topic),
                partition: batch.partition,
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
            },
            reason,
        };
        let facts = self.facts(patch, diff, facts, judged, &policy, &question);
        let outputs = match reason.disposition() {
            Disposition::Decided => event.approval(facts),
            Disposition::Queued | Disposition::Wargame | Disposition::Dead => {
                event.item(facts, &question)
            }
        };
        Handled {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            disposition: reason.disposition(),
            reason,
            outputs,
            memo: None,
        }
    }

    fn facts<'e>(
        &self,
        patch: &'e Patch<'_>,
        diff: &Diff<'_>,
        facts: Option<&'e ApvFacts>,
        judged: &'e Judged,
        policy: &Policy,
        question: &Question,
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
            policy: PolicyRecord {
                version: policy.version,
                threshold: policy.threshold,
                control_version: self.control.version,
                auto_approve: question.auto_approve,
                kill_switch: question.kill_switch,
                has_exploit: question.has_exploit,
                open_item: question.open_item,
                blockers: blockers(policy, question),
            },
        }
    }
}

/// An outcome about to be told.
struct Telling<'e> {
    routing: &'e Routing<'e>,
    record: &'e Record,
    patch: &'e Patch<'e>,
    digest: String,
    asking: Asking<'e>,
    standing: Standing,
    source: Source<'e>,
    repeat: Option<Repeat>,
    reason: Reason,
}

impl Telling<'_> {
    /// The decision, and the end of an older item of the same patch that it supersedes.
    fn approval(self, facts: Facts<'_>) -> Vec<Output> {
        let event = DecisionEvent {
            decision_id: self.asking.decision_id,
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            cve_id: Cow::Borrowed(self.asking.cve_id),
            package: Cow::Borrowed(self.asking.package),
            decision: Verdict::AutoApproved,
            reason: self.reason,
            facts,
            source: self.source.clone(),
            repeat: self.repeat,
        };
        let mut outputs = vec![self.output(Topic::Decisions, json(&event, FACTS_BYTES))];
        if self.standing.patch_is_open {
            outputs.push(self.open_item(None));
        }
        outputs
    }

    /// The item, and its entry among the open ones.
    fn item(self, facts: Facts<'_>, question: &Question) -> Vec<Output> {
        let blocking = self.reason != Reason::JudgeRefuses;
        let opened_at = self.standing.opened_at.unwrap_or(self.asking.place);
        let urgency = urgency(self.reason, question.severity, question.kev, facts.epss);
        let mut event = HitlEvent {
            decision_id: self.asking.decision_id,
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            cve_id: Cow::Borrowed(self.asking.cve_id),
            package: Cow::Borrowed(self.asking.package),
            reason: self.reason,
            priority: urgency.priority,
            sla_minutes: urgency.sla_minutes,
            patch: PatchBody::Diff(self.patch.diff.as_borrowed()),
            facts,
            source: self.source.clone(),
            repeat: self.repeat,
        };
        // One byte in eight escaped is more than most diffs need.
        let room = FACTS_BYTES + self.patch.diff.len() / 8 * 9;
        let mut item = self.output(Topic::Hitl, json(&event, room));
        if item.size_bytes() > self.routing.max_output_bytes {
            event.patch = PatchBody::Omitted {
                bytes: self.patch.diff.len(),
            };
            item.value = Some(json(&event, FACTS_BYTES));
        }
        let open = OpenItem {
            decision_id: self.asking.decision_id,
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            cve_id: Cow::Borrowed(self.asking.cve_id),
            package: Cow::Borrowed(self.asking.package),
            reason: self.reason,
            blocking,
            source: Source {
                partition: opened_at.partition,
                offset: opened_at.offset,
                ..self.source.clone()
            },
        };
        let entry = self.open_item(Some(json(&open, OPEN_ITEM_BYTES)));
        self.routing
            .open_items
            .propose(&self.asking, blocking, opened_at);
        vec![item, entry]
    }

    fn output(&self, topic: Topic, value: Vec<u8>) -> Output {
        Output {
            topic,
            partition_by: None,
            key: Some(self.asking.patch_id.as_bytes().to_vec()),
            value: Some(value),
            headers: cloud_event(
                topic,
                self.event_id(topic),
                self.asking.patch_id,
                &self.routing.now,
                self.record,
            ),
        }
    }

    fn open_item(&self, value: Option<Vec<u8>>) -> Output {
        let Asking {
            cve_id,
            package,
            patch_id,
            ..
        } = self.asking;
        Output {
            topic: Topic::HitlOpen,
            partition_by: Some(cve_id.to_owned()),
            key: Some(open_item_key(cve_id, package, patch_id).into_bytes()),
            value,
            headers: Vec::new(),
        }
    }

    fn event_id(&self, topic: Topic) -> Uuid {
        event_id(
            &self.source.topic,
            self.source.partition,
            self.source.offset,
            topic.as_str(),
        )
    }
}

/// Returns the package a case is for: the one it claims, if the APV names it; else the one it moves;
/// else the only one the APV names; else `*`.
fn package_of<'c>(
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

/// Serialises an event, which likely takes no more than `room` bytes. Its types have string keys only
/// and hold no map, so this cannot fail; if it did, the empty value would be refused by every schema.
fn json<T: serde::Serialize>(event: &T, room: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(room);
    match serde_json::to_writer(&mut value, event) {
        Ok(()) => value,
        Err(_) => Vec::new(),
    }
}
