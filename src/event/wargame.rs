//! Requests to replay exploits, and what came of it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::decision::{Facts, Repeat, Source};
use crate::event::facts::Ecosystem;
use crate::event::json_text::JsonText;
use crate::event::reason::Reason;
use crate::event::verdict::WargameVerdict;

/// What a wargame is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To decide: its outcome is the case's.
    Decide,
    /// To compare with what was decided without it.
    Compare,
}

/// An event on `wargames`: everything that the worker needs of the case, and what was known of it when it was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "wargames")]
pub struct WargameRequest<'a> {
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
    /// What for.
    pub purpose: Purpose,
    /// Why it was asked; of a comparison, the reason of the outcome that it is compared with.
    pub reason: Reason,
    /// The exploits to replay, by their ids, in order.
    pub exploits: Vec<Cow<'a, str>>,
    /// The unified diff.
    #[serde(deserialize_with = "JsonText::without_literal")]
    #[schemars(with = "String")]
    pub diff: JsonText<'a>,
    /// The package that the producer says it is for, where the APV names that.
    #[serde(default)]
    pub claimed: Option<ClaimRecord<'a>>,
    /// The files that came with the patch, as they were before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRecord<'a>>,
    /// The commit that the patch is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginRecord<'a>>,
    /// What Crisol knew.
    pub facts: Facts<'a>,
    /// The input record.
    pub source: Source<'a>,
    /// Where the same question was first answered, if memory knows that.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

/// A file that came with a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileRecord<'a> {
    /// Its path in the repository.
    pub path: Cow<'a, str>,
    /// Its whole text before the change.
    #[serde(deserialize_with = "JsonText::without_literal")]
    #[schemars(with = "String")]
    pub before: JsonText<'a>,
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OriginRecord<'a> {
    /// The repository.
    pub repository: Cow<'a, str>,
    /// The commit, 40 or 64 hexadecimal digits.
    pub commit: Cow<'a, str>,
}

/// The package that a producer says a patch is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ClaimRecord<'a> {
    /// Where it lives.
    pub ecosystem: Option<Ecosystem>,
    /// Its name.
    pub name: Cow<'a, str>,
}

/// What a wargame found, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WargameRecord {
    /// The verdict; null if it was not held to its end.
    pub verdict: Option<WargameVerdict>,
    /// Why it was not; null if it was.
    pub unheld: Option<Unheld>,
    /// The exploit that it comes from.
    pub exploit: Option<String>,
    /// All exploits that were replayed, in order.
    pub replayed: Vec<String>,
    /// The variant that still works, the check that broke, or why it came to no end.
    pub detail: Option<String>,
    /// What the evidence that the exploit worked before the patch is worth: `own_output` is what the target
    /// printed itself, `outside` is what it left behind elsewhere or answered.
    pub evidence: Option<String>,
    /// What bounded the runs: `cgroup_v2`, `cgroup_v1` or `rlimits`.
    pub bounds: Option<String>,
    /// Whether phase 1 and the checks before it are those of an earlier wargame of the same exploit and target.
    pub reused: bool,
    /// Milliseconds in all.
    pub took_ms: u64,
    /// Its runs, in order, at most 64.
    pub runs: Vec<RunRecord>,
    /// What the second look says; absent where it was not taken.
    pub second: Option<SecondLookRecord>,
}

/// Why a wargame has no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unheld {
    /// It was not over by its deadline.
    Overdue,
    /// No arena, no exploit of that name, or the breaker is open.
    Unavailable,
    /// The exploits were picked for their class, and the patch is of none of their targets.
    NoTarget,
}

/// One run of a wargame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RunRecord {
    /// `phase1`, `benign_before`, `phase2`, `benign_after`.
    pub phase: String,
    /// The variant of the attack, or the benign check.
    pub name: String,
    /// `exploited`, `blocked`, `passed`, `failed`, `inconclusive`.
    pub outcome: String,
    /// Milliseconds, walls included.
    pub took_ms: u64,
    /// Bounds that it met.
    pub met: Vec<String>,
    /// The end of what it printed, escaped; of runs that tell against the patch or came to no end.
    pub output: Option<String>,
}

/// What was said of a patch that passed its wargame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecondLookRecord {
    /// What looked: a model by its digest, or `advisory`.
    pub by: String,
    /// P(patch is right), 0 to 1; absent where facts of the advisory stand for it.
    pub p: Option<f64>,
    /// P from which the model accepts.
    pub accept: Option<f64>,
}
