//! The events that tell of an outcome.

use std::borrow::Cow;

use uuid::Uuid;

use crate::event::decision::{DecisionEvent, Facts, Repeat, Source, Verdict};
use crate::event::headers::cloud_event;
use crate::event::hitl::{HitlEvent, OpenItem, PatchBody, open_item_key};
use crate::event::id::event_id;
use crate::event::patch::Patch;
use crate::event::reason::Reason;
use crate::event::record::{Output, Record};
use crate::event::topic::Topic;
use crate::event::verdict::{VerdictEvent, verdict_key};
use crate::judge::code::Sketched;
use crate::policy::{Question, urgency};
use crate::stage::route::Routing;
use crate::table::{Asking, Standing};

/// Room for an event without its diff, in bytes: nearly all need less.
const FACTS_BYTES: usize = 1_536;
/// Room for an entry among the open items, in bytes.
const OPEN_ITEM_BYTES: usize = 512;

/// An outcome about to be told.
pub(super) struct Telling<'e> {
    pub(super) routing: &'e Routing<'e>,
    pub(super) record: &'e Record,
    pub(super) patch: &'e Patch<'e>,
    pub(super) digest: String,
    pub(super) asking: Asking<'e>,
    pub(super) standing: Standing,
    pub(super) source: Source<'e>,
    pub(super) repeat: Option<Repeat>,
    pub(super) reason: Reason,
}

impl Telling<'_> {
    /// The decision, and the end of an older item of the same patch that it supersedes.
    pub(super) fn approval(self, facts: Facts<'_>) -> Vec<Output> {
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
    pub(super) fn item(self, facts: Facts<'_>, question: &Question) -> Vec<Output> {
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

    /// The patch as a candidate without a verdict.
    pub(super) fn candidate(&self, sketched: &Sketched) -> Output {
        let cve_id = self.asking.cve_id;
        let event = VerdictEvent {
            cve_id: Cow::Borrowed(cve_id),
            patch_id: Cow::Borrowed(self.asking.patch_id),
            patch_digest: Cow::Borrowed(&self.digest),
            verdict: None,
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

/// Serialises an event, which likely takes no more than `room` bytes. Its types have string keys only
/// and hold no map, so this cannot fail; if it did, the empty value would be refused by every schema.
fn json<T: serde::Serialize>(event: &T, room: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(room);
    match serde_json::to_writer(&mut value, event) {
        Ok(()) => value,
        Err(_) => Vec::new(),
    }
}
