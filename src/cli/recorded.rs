//! An event of hitl or decisions, as it was recorded.

use crate::event::decision::{DecisionEvent, Facts};
use crate::event::hitl::{HitlEvent, PatchBody};
use crate::event::reason::Reason;

/// What an event of either topic says.
pub(super) struct Recorded {
    /// The patch, by its producer's id.
    pub patch_id: String,
    /// The SHA-256 of its diff, 64 hexadecimal digits.
    pub digest: String,
    /// Why it became what it became.
    pub reason: Reason,
    /// What that rests on.
    pub facts: Facts<'static>,
    /// The diff, if the event carries it or it was put beside it.
    pub diff: Option<String>,
    /// Where the input record stands: partition and offset.
    pub source: (i32, i64),
}

impl Recorded {
    /// Reads an event of either topic.
    ///
    /// # Errors
    /// Why it is none of `hitl`, if it is none of `decisions` either.
    pub(super) fn read(event: &[u8]) -> Result<Self, serde_json::Error> {
        match serde_json::from_slice::<HitlEvent<'static>>(event) {
            Ok(event) => Ok(Self {
                patch_id: event.patch_id.into_owned(),
                digest: event.patch_digest.into_owned(),
                reason: event.reason,
                facts: event.facts,
                diff: match &event.patch {
                    PatchBody::Diff(diff) => Some(diff.to_string()),
                    PatchBody::Omitted { .. } => None,
                },
                source: (event.source.partition, event.source.offset),
            }),
            Err(problem) => {
                let event: DecisionEvent<'static> =
                    serde_json::from_slice(event).map_err(|_| problem)?;
                Ok(Self {
                    patch_id: event.patch_id.into_owned(),
                    digest: event.patch_digest.into_owned(),
                    reason: event.reason,
                    facts: event.facts,
                    diff: None,
                    source: (event.source.partition, event.source.offset),
                })
            }
        }
    }
}
