//! Decisions, and the facts that every outcome carries so that it can be derived again.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::facts::{Ecosystem, Severity};
use crate::event::reason::Reason;
use crate::event::wargame::WargameRecord;

/// What a decision says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The patch may ship; no person looked.
    AutoApproved,
    /// An earlier approval of this patch is taken back: a wargame contradicts it.
    Recalled,
}

/// An event on `decisions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "decisions")]
pub struct DecisionEvent<'a> {
    /// Names the question: UUIDv5 of patch id and digest.
    pub decision_id: Uuid,
    /// The patch, by its producer's id.
    pub patch_id: Cow<'a, str>,
    /// The sha-256 of the diff, 64 hexadecimal digits: an approval is of these bytes alone.
    pub patch_digest: Cow<'a, str>,
    /// The CVE.
    pub cve_id: Cow<'a, str>,
    /// The package it is decided for; `*` where the case does not tell.
    pub package: Cow<'a, str>,
    /// What is decided.
    pub decision: Verdict,
    /// Why.
    pub reason: Reason,
    /// What it rests on.
    pub facts: Facts<'a>,
    /// The input record.
    pub source: Source<'a>,
    /// Where the same question was first answered, if memory knows that: the first outcome stands.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

/// An earlier record of the same topic that asked the same question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Repeat {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// The recorded facts of an outcome. Policy evaluated on them gives the outcome again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Facts<'a> {
    /// How the vulnerability is known.
    pub known_by: KnownBy,
    /// The worst severity any record states.
    pub severity: Severity,
    /// Listed as known to be exploited.
    pub kev: bool,
    /// Probability of exploitation within 30 days, 0 to 1.
    pub epss: Option<f32>,
    /// CWE numbers, ascending.
    pub cwes: Cow<'a, [u16]>,
    /// What kind of remedy the producer calls it.
    pub strategy: Option<Cow<'a, str>>,
    /// The tool that made it.
    pub generator: Option<Cow<'a, str>>,
    /// Size of the patch.
    pub size: PatchSize,
    /// What the patch touches that must not ship unseen.
    pub risk: Cow<'a, RiskRecord>,
    /// What the judge says.
    pub judgement: Cow<'a, JudgementRecord>,
    /// What a wargame found; absent where none was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wargame: Option<Cow<'a, WargameRecord>>,
    /// The policy and the switches it was evaluated under.
    pub policy: PolicyRecord,
}

/// How a vulnerability is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// From the APV table.
    Table,
    /// Only from facts that came with the patch.
    Embedded,
    /// The table holds an unreadable record.
    Invalid,
    /// The table did not catch up in time.
    Stale,
    /// Every record of it was withdrawn.
    Withdrawn,
    /// Not at all.
    Unknown,
}

/// Size of a patch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PatchSize {
    /// Files it touches.
    pub files: usize,
    /// Lines it adds.
    pub added: usize,
    /// Lines it removes.
    pub removed: usize,
}

/// How much damage a wrong patch of this shape could do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RiskLevel {
    /// Small and plain.
    Low,
    /// Larger than a reviewer takes in at a glance.
    Medium,
    /// Touches what builds, runs or reaches out.
    High,
    /// Hides something.
    Critical,
}

/// Patch risk as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RiskRecord {
    /// The worst factor's level.
    pub level: RiskLevel,
    /// Each factor and where it stands, worst first, at most 16.
    pub factors: Vec<String>,
}

/// Which judge spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgeName {
    /// Advisory facts, for pure dependency bumps.
    Advisory,
    /// The forest, for code.
    Forest,
    /// None could: code without a forest, or no facts.
    None,
}

impl JudgeName {
    /// Returns the name that stands on events, metrics and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Forest => "forest",
            Self::None => "none",
        }
    }
}

/// What a bump was judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The whole files, before and after.
    Files,
    /// The lines that the diff shows.
    Hunks,
}

/// What the judge said, and the evidence it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct JudgementRecord {
    /// Which judge.
    pub judge: JudgeName,
    /// Its version: it changes whenever its rules do.
    pub version: u32,
    /// P(patch is right), 0 to 1; absent where the judge has none.
    pub p: Option<f64>,
    /// What the judge found. Advisory: `remedies`, `refuted`, `unverifiable`, `not_a_bump`; forest: `approves`,
    /// `refuses`, `unsure`, `refuted_by_wargame`.
    pub finding: Option<Cow<'static, str>>,
    /// Why, in a stable code and words.
    pub detail: Option<String>,
    /// The semver level moved: `patch`, `minor`, `major`.
    pub level: Option<Cow<'static, str>>,
    /// How often live wargames and comparisons agreed with this rule at this level.
    pub evidence: Option<EvidenceRecord>,
    /// The packages whose version moves.
    pub bumps: Vec<BumpRecord>,
    /// What a bump was judged on; absent where no bump was judged, and on events older than whole files, where
    /// it was hunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// What the forest judged by; absent where another judge spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forest: Option<ForestRecord>,
}

/// What the forest judged by, beside the diff: enough to score it again to the bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ForestRecord {
    /// The SHA-256 of the model's file, 64 hexadecimal digits.
    pub model: String,
    /// P from which the model approves.
    pub accept: f64,
    /// P up to which it refuses.
    pub refuse: f64,
    /// P without the generator's name, where the model would approve with it: the lower of both counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<f64>,
    /// What memory knew, as the model read it, in base64: 8 bytes of which bit n says that feature n is not 0, then 4
    /// bytes for each that is not; lowest first.
    pub recalled: String,
}

/// A count of agreement: `agreed` of `n`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EvidenceRecord {
    /// How often they agreed.
    pub agreed: u64,
    /// How often they were asked.
    pub n: u64,
}

/// One package whose version moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BumpRecord {
    /// Where the package lives.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub package: String,
    /// The version or requirement before.
    pub from: Option<String>,
    /// The version or requirement after.
    pub to: String,
    /// The file that says so.
    pub file: String,
}

/// The policy and the switches an outcome was evaluated under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PolicyRecord {
    /// The policy's version.
    pub version: u32,
    /// The least p that approves.
    pub threshold: f64,
    /// The version of the control table: the offset after its last record.
    pub control_version: i64,
    /// Whether approvals are switched on here.
    pub auto_approve: bool,
    /// Whether the kill switch stops them.
    pub kill_switch: bool,
    /// Whether an exploit exists to try the patch with.
    pub has_exploit: bool,
    /// Whether a person still has another item of this CVE and package.
    pub open_item: bool,
    /// Everything that stood against approval, in policy's order.
    pub blockers: Vec<Reason>,
    /// Whether the outcome is in the sample for A/B comparisons.
    #[serde(default)]
    pub ab_sampled: bool,
}

/// The input record an outcome is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Source<'a> {
    /// Its topic.
    pub topic: Cow<'a, str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, milliseconds since the epoch.
    pub timestamp_ms: i64,
}
