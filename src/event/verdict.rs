//! What is known of earlier candidates for a CVE: a value each on `verdicts`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::decision::Source;

/// What a wargame found. Only `mitigated` can lead to an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WargameVerdict {
    /// The patch does not apply.
    ApplyFailed,
    /// The patched target does not build.
    BuildFailed,
    /// The exploit does not work on the vulnerable target either.
    NotReproduced,
    /// A benign check fails on the vulnerable target already.
    BaselineBroken,
    /// A variant of the exploit still works.
    StillExploitable,
    /// The exploit is blocked, but a benign check broke.
    Regression,
    /// The patched target takes all the time that it has, where the vulnerable one came to an end.
    PatchedHangs,
    /// The patch touches what is to judge it.
    HarnessTampered,
    /// It came to no end: not delivered, crashed, cut off.
    Inconclusive,
    /// The arena failed.
    Error,
    /// The exploit fails and the benign checks pass.
    Mitigated,
}

impl WargameVerdict {
    /// Returns whether it says that the patch works; `None` if it says nothing of the patch.
    pub fn says(self) -> Option<bool> {
        match self {
            Self::Mitigated => Some(true),
            Self::ApplyFailed
            | Self::BuildFailed
            | Self::StillExploitable
            | Self::Regression
            | Self::PatchedHangs
            | Self::HarnessTampered => Some(false),
            Self::NotReproduced | Self::BaselineBroken | Self::Inconclusive | Self::Error => None,
        }
    }
}

/// A value on `verdicts`: a candidate that was wargamed, or decided without one. Its key is [`verdict_key`];
/// a tombstone says that it is no longer remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "verdicts")]
pub struct VerdictEvent<'a> {
    /// The CVE.
    pub cve_id: Cow<'a, str>,
    /// The patch, by its producer's id.
    pub patch_id: Cow<'a, str>,
    /// The sha-256 of the diff, 64 hexadecimal digits.
    pub patch_digest: Cow<'a, str>,
    /// What its wargame found; null for what the judge decided alone and nobody tried.
    pub verdict: Option<WargameVerdict>,
    /// The language of most of its changed lines, as the features name it.
    pub language: Cow<'a, str>,
    /// The tool that made it, if its producer says.
    pub generator: Option<Cow<'a, str>>,
    /// What later candidates are compared with, in base64; of no use to write the patch again.
    pub sketch: Cow<'a, str>,
    /// The input record.
    pub source: Source<'a>,
}

/// Returns the key of a candidate. The parts cannot hold `|`, so keys do not collide.
pub fn verdict_key(cve_id: &str, patch_digest: &str) -> String {
    [cve_id, patch_digest].join("|")
}

/// Returns CVE and patch digest of a key that [`verdict_key`] made.
pub fn parse_verdict_key(key: &str) -> Option<(&str, &str)> {
    key.split_once('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidates_key_comes_apart_as_it_was_put_together() {
        let key = verdict_key("CVE-2020-1", "ab01");
        assert_eq!(parse_verdict_key(&key), Some(("CVE-2020-1", "ab01")));
        assert_eq!(parse_verdict_key("CVE-2020-1"), None);
    }

    #[test]
    fn what_failed_for_other_reasons_says_nothing_of_the_patch() {
        assert_eq!(WargameVerdict::Mitigated.says(), Some(true));
        assert_eq!(WargameVerdict::StillExploitable.says(), Some(false));
        assert_eq!(WargameVerdict::NotReproduced.says(), None);
    }
}
