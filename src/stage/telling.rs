//! The events that tell of an outcome.

use std::borrow::Cow;

use uuid::Uuid;

use crate::event::comparison::ComparisonEvent;
use crate::event::decision::{DecisionEvent, Facts, Repeat, Source, Verdict};
use crate::event::headers::cloud_event;
use crate::event::hitl::{HitlEvent, OpenItem, PatchBody, open_item_key};
use crate::event::id::event_id;
use crate::event::patch::Patch;
use crate::event::reason::Reason;
use crate::event::record::{Output, Record};
use crate::event::topic::Topic;
use crate::event::verdict::{VerdictEvent, WargameVerdict, verdict_key};
use crate::event::wargame::{ClaimRecord, FileRecord, OriginRecord, Purpose, WargameRequest};
use crate::exploit::Exploit;
use crate::judge::code::Sketched;
use crate::policy::{Question, is_blocking, urgency};
use crate::table::{Asking, OpenItems, Place, Standing};

/// Room for an event without its diff, in bytes: nearly all need less.
const FACTS_BYTES: usize = 1_536;
/// Room for an entry among the open items, in bytes.
const OPEN_ITEM_BYTES: usize = 512;

/// What a wargame is asked for, about to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    ToDecide,
    ToCompare,
}

/// An outcome about to be told.
pub(super) struct Telling<'e> {
    /// When, RFC 3339; it enters headers alone.
    pub(super) now: &'e str,
    pub(super) open_items: &'e OpenItems,
    pub(super) max_output_bytes: usize,
    /// The record that is the cause, whose place names the events.
    pub(super) record: &'e Record,
    pub(super) patch: &'e Patch<'e>,
    pub(super) digest: String,
    pub(super) asking: Asking<'e>,
    /// The record that opens an item, where that is not the one it is about.
    pub(super) proposed_by: Place,
    pub(super) standing: Standing,
    /// Where the cause stands.
    pub(super) input: Source<'e>,
    /// Where the patch stands.
    pub(super) source: Source<'e>,
    pub(super) repeat: Option<Repeat>,
    pub(super) reason: Reason,
}

impl Telling<'_> {
    /// The decision, and the end of an older item of the same patch that it supersedes.
    pub(super) fn approval(self, facts: Facts<'_>) -> Vec<Output> {
        let mut outputs = vec![self.decision(Verdict::AutoApproved, facts)];
        if self.standing.patch_is_open {
            outputs.push(self.open_item(None));
        }
        outputs
    }

    /// A decision.
    pub(super) fn decision(&self, decision: Verdict, facts: Facts<'_>) -> Output {
        let event = DecisionEvent {
            decision_id: self.asking.decision_id,
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            cve_id: Cow::Borrowed(self.asking.cve_id),
            package: Cow::Borrowed(self.asking.package),
            decision,
            reason: self.reason,
            facts,
            source: self.source.clone(),
            repeat: self.repeat,
        };
        self.output(Topic::Decisions, json(&event, FACTS_BYTES))
    }

    /// A request to replay exploits; `None` if no record can hold it.
    pub(super) fn request(
        &self,
        asked: Asked,
        exploits: &[&Exploit],
        facts: Facts<'_>,
    ) -> Option<Output> {
        let request = WargameRequest {
            decision_id: self.asking.decision_id,
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            cve_id: Cow::Borrowed(self.asking.cve_id),
            package: Cow::Borrowed(self.asking.package),
            purpose: match asked {
                Asked::ToDecide => Purpose::Decide,
                Asked::ToCompare => Purpose::Compare,
            },
            reason: self.reason,
            exploits: exploits
                .iter()
                .map(|exploit| Cow::Borrowed(exploit.id.as_str()))
                .collect(),
            diff: self.patch.diff.as_borrowed(),
            claimed: self.patch.package.as_ref().map(|claim| ClaimRecord {
                ecosystem: claim.ecosystem,
                name: Cow::Borrowed(&claim.name),
            }),
            files: self
                .patch
                .files
                .iter()
                .map(|file| FileRecord {
                    path: Cow::Borrowed(&file.path),
                    before: file.before.as_borrowed(),
                })
                .collect(),
            origin: self.patch.origin.as_ref().map(|origin| OriginRecord {
                repository: Cow::Borrowed(&origin.repository),
                commit: Cow::Borrowed(&origin.commit),
            }),
            facts,
            source: self.source.clone(),
            repeat: self.repeat,
        };
        let room = FACTS_BYTES + self.patch.diff.len() / 8 * 9;
        let value = json(&request, room);
        let output = Output {
            // Beside the CVE, as its patches are.
            key: Some(self.asking.cve_id.as_bytes().to_vec()),
            ..self.output(Topic::Wargames, value)
        };
        (output.size_bytes() <= self.max_output_bytes).then_some(output)
    }

    /// The request, and the end of an older item of the same patch that it supersedes.
    pub(super) fn hand_on(&self, request: Output) -> Vec<Output> {
        let mut outputs = vec![request];
        if self.standing.patch_is_open && self.standing.opened_at.is_none() {
            outputs.push(self.open_item(None));
        }
        outputs
    }

    /// A comparison.
    pub(super) fn comparison(&self, event: &ComparisonEvent<'_>) -> Output {
        self.output(Topic::Comparisons, json(event, FACTS_BYTES))
    }

    /// The item, and its entry among the open ones.
    pub(super) fn item(self, facts: Facts<'_>, question: &Question) -> Vec<Output> {
        let blocking = is_blocking(self.reason);
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
        if item.size_bytes() > self.max_output_bytes {
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
        self.open_items
            .propose(&self.asking, blocking, opened_at, self.proposed_by);
        vec![item, entry]
    }

    /// The patch as a candidate, with what its wargame found.
    pub(super) fn candidate(&self, sketched: &Sketched, verdict: Option<WargameVerdict>) -> Output {
        let cve_id = self.asking.cve_id;
        let event = VerdictEvent {
            cve_id: Cow::Borrowed(cve_id),
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            verdict,
            language: Cow::Borrowed(sketched.language.as_str()),
            generator: self.patch.generator.as_deref().map(Cow::Borrowed),
            sketch: Cow::Owned(sketched.sketch.to_text()),
            source: self.source.clone(),
        };
        Output {
            partition_by: Some(cve_id.to_owned()),
            key: Some(verdict_key(cve_id, &self.digest).into_bytes()),
            ..self.output(Topic::Verdicts, json(&event, FACTS_BYTES))
        }
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
                self.now,
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
            &self.input.topic,
            self.input.partition,
            self.input.offset,
            topic.as_str(),
        )
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
