//! Items for the human-in-the-loop queue, and the table of those still open.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::decision::{Facts, Repeat, Source};
use crate::event::json_text::JsonText;
use crate::event::reason::Reason;

/// An event on `hitl`: a patch that a person must see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "hitl")]
pub struct HitlEvent<'a> {
    /// Names the question: UUIDv5 of patch id and digest.
    pub decision_id: Uuid,
    /// The patch, by its producer's id.
    pub patch_id: Cow<'a, str>,
    /// The sha-256 of the diff, 64 hexadecimal digits.
    pub patch_digest: Cow<'a, str>,
    /// The CVE.
    pub cve_id: Cow<'a, str>,
    /// The package it is for; `*` where the case does not tell.
    pub package: Cow<'a, str>,
    /// Why a person must see it.
    pub reason: Reason,
    /// 1 (first) to 5 (last).
    pub priority: u8,
    /// Minutes within which a person should have looked.
    pub sla_minutes: u32,
    /// The diff, or where it stands.
    pub patch: PatchBody<'a>,
    /// What Crisol knows.
    pub facts: Facts<'a>,
    /// The input record.
    pub source: Source<'a>,
    /// Where the same question was first answered, if memory knows that: the first outcome stands.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

/// The diff of an item, or the word that it would not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(deny_unknown_fields)]
pub enum PatchBody<'a> {
    /// The unified diff.
    Diff(
        #[serde(deserialize_with = "JsonText::without_literal")]
        #[schemars(with = "String")]
        JsonText<'a>,
    ),
    /// The diff does not fit into an event; `source` and `patch_digest` tell where it stands.
    Omitted {
        /// The diff's size in bytes.
        bytes: usize,
    },
}

/// A value on `hitl-open`: an item that a person has before them. Its key is
/// [`open_item_key`]; a tombstone says that it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "hitl-open")]
pub struct OpenItem<'a> {
    /// Names the question.
    pub decision_id: Uuid,
    /// The patch, by its producer's id.
    pub patch_id: Cow<'a, str>,
    /// The sha-256 of the diff.
    pub patch_digest: Cow<'a, str>,
    /// The CVE.
    pub cve_id: Cow<'a, str>,
    /// The package; `*` where the case does not tell.
    pub package: Cow<'a, str>,
    /// Why it is open.
    pub reason: Reason,
    /// Whether a person might still approve it: refusals do not block other candidates.
    pub blocking: bool,
    /// The input record that opened it first.
    pub source: Source<'a>,
}

/// Returns the key of an open item. The parts cannot hold `|`, so keys do not collide.
pub fn open_item_key(cve_id: &str, package: &str, patch_id: &str) -> String {
    [cve_id, package, patch_id].join("|")
}

/// Returns CVE, package and patch id of a key that [`open_item_key`] made.
pub fn parse_open_item_key(key: &str) -> Option<(&str, &str, &str)> {
    let (cve_id, rest) = key.split_once('|')?;
    let (package, patch_id) = rest.split_once('|')?;
    Some((cve_id, package, patch_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_items_key_comes_apart_as_it_was_put_together() {
        let key = open_item_key("CVE-2020-1", "@scope/name", "p:1");
        assert_eq!(
            parse_open_item_key(&key),
            Some(("CVE-2020-1", "@scope/name", "p:1"))
        );
        assert_eq!(parse_open_item_key("CVE-2020-1"), None);
    }
}
