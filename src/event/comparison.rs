//! Comparisons: a judge against a wargame, on one sampled patch.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::decision::{JudgeName, RiskLevel, Source};
use crate::event::facts::Severity;
use crate::event::reason::Reason;
use crate::event::verdict::WargameVerdict;

/// An event on `comparisons`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "comparisons")]
pub struct ComparisonEvent<'a> {
    /// Names the question: UUIDv5 of patch id and digest.
    pub decision_id: Uuid,
    /// The patch, by its producer's id.
    pub patch_id: Cow<'a, str>,
    /// The sha-256 of the diff, 64 hexadecimal digits.
    pub patch_digest: Cow<'a, str>,
    /// The CVE.
    pub cve_id: Cow<'a, str>,
    /// Why the case was decided as it was.
    pub outcome: Reason,
    /// The judge.
    pub judge: JudgeName,
    /// Its model, by the SHA-256 of its file; absent where it has none.
    pub model: Option<Cow<'a, str>>,
    /// The semver level of a bump; absent where it is none.
    pub level: Option<Cow<'a, str>>,
    /// P(patch is right) as it was judged, 0 to 1.
    pub p: Option<f64>,
    /// Whether the judge held the patch for right.
    pub judged_right: bool,
    /// How much damage a wrong patch of this shape could do.
    pub risk: RiskLevel,
    /// The worst severity any record states.
    pub severity: Severity,
    /// The exploit that the verdict comes from.
    pub exploit: Option<Cow<'a, str>>,
    /// The verdict.
    pub verdict: WargameVerdict,
    /// Whether the wargame holds the patch for right; null if it says nothing of it.
    pub found_right: Option<bool>,
    /// Whether an approval was taken back for it.
    pub recalled: bool,
    /// When the wargame was asked for, milliseconds since the epoch.
    pub asked_ms: i64,
    /// The input record.
    pub source: Source<'a>,
}

impl ComparisonEvent<'_> {
    /// Returns whether judge and wargame agree; `None` if the wargame says nothing of the patch.
    pub fn agrees(&self) -> Option<bool> {
        Some(self.found_right? == self.judged_right)
    }
}
