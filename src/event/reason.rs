//! Dispositions and reasons: what became of a record, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of an input record. Every record gets exactly one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Crisol decided alone; the event is on `decisions`.
    Decided,
    /// A person must see it; the event is on `hitl`.
    Queued,
    /// A wargame was asked to decide; the request is on `wargames`.
    Wargame,
    /// A wargame that was asked for to compare came to its end; the event, if there is one, is on `comparisons`.
    Compared,
    /// The record could not be taken as a patch; the letter is on `dlq`.
    Dead,
}

impl Disposition {
    /// Every disposition.
    pub const ALL: [Self; 5] = [
        Self::Decided,
        Self::Queued,
        Self::Wargame,
        Self::Compared,
        Self::Dead,
    ];

    /// Returns the name used on metrics and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Queued => "queued",
            Self::Wargame => "wargame",
            Self::Compared => "compared",
            Self::Dead => "dead",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal => $disposition:ident,)+) => {
        /// Why a record got its disposition; stands on every event.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Reason {
            /// Every reason, in the order policy considers them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name that stands on events, metrics and tables.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the one disposition that this reason goes with.
            pub const fn disposition(self) -> Disposition {
                match self { $(Self::$variant => Disposition::$disposition,)+ }
            }
        }
    };
}

reasons! {
    /// The judge is as sure as policy asks, and nothing stands against approval.
    JudgeConfident = "judge_confident" => Decided,
    /// The CVE is not in the APV table, nor on the patch.
    ApvUnknown = "apv_unknown" => Queued,
    /// The newest APV record of the CVE could not be read.
    ApvInvalid = "apv_invalid" => Queued,
    /// The APV table did not catch up within its bound.
    ApvTableStale = "apv_table_stale" => Queued,
    /// Only the facts that came with the patch are known; those never approve.
    ApvEmbeddedOnly = "apv_embedded_only" => Queued,
    /// The advisory was withdrawn: there is nothing to mend, as far as its authors know now.
    ApvWithdrawn = "apv_withdrawn" => Queued,
    /// No judge can judge this patch.
    JudgeUnavailable = "judge_unavailable" => Queued,
    /// The advisory judge could not compare: no fixed version, unknown version form.
    AdvisoryInconclusive = "advisory_inconclusive" => Queued,
    /// The judge holds the patch for wrong.
    JudgeRefuses = "judge_refuses" => Queued,
    /// The judge is not sure and no exploit exists to try.
    NoExploit = "no_exploit" => Queued,
    /// Approvals are stopped by the kill switch.
    KillSwitch = "kill_switch" => Queued,
    /// Approvals are not switched on here.
    AutoApproveOff = "auto_approve_off" => Queued,
    /// Neither CVSS nor priority tells the severity.
    SeverityUnknown = "severity_unknown" => Queued,
    /// Critical vulnerabilities are decided by people.
    SeverityCritical = "severity_critical" => Queued,
    /// The patch touches more than may ship unseen.
    PatchRisk = "patch_risk" => Queued,
    /// The vulnerability is known to be exploited.
    KevListed = "kev_listed" => Queued,
    /// A person still has another item of this CVE and package before them.
    OpenItem = "open_item" => Queued,
    /// The judge is not sure; an exploit is replayed to find out.
    WargameAsked = "wargame_asked" => Wargame,
    /// The exploit worked before the patch and not after it, the second look holds, and nothing stands against approval.
    WargameMitigated = "wargame_mitigated" => Decided,
    /// The wargame was passed, but the second look is not as sure as policy asks, or there is none.
    SecondLookUnsure = "second_look_unsure" => Queued,
    /// A variant of the exploit still works.
    StillExploitable = "still_exploitable" => Queued,
    /// The exploit is blocked, but a benign check broke.
    Regression = "regression" => Queued,
    /// The patched target takes all the time that it has, where the vulnerable one came to an end.
    PatchedHangs = "patched_hangs" => Queued,
    /// The patch touches what is to judge it.
    HarnessTampered = "harness_tampered" => Queued,
    /// The patch does not apply to the target.
    ApplyFailed = "apply_failed" => Queued,
    /// The patched target does not build.
    BuildFailed = "build_failed" => Queued,
    /// The exploit does not work on the vulnerable target either.
    NotReproduced = "not_reproduced" => Queued,
    /// A benign check fails on the vulnerable target already.
    BaselineBroken = "baseline_broken" => Queued,
    /// The wargame came to no end: not delivered, crashed, timed out.
    WargameInconclusive = "wargame_inconclusive" => Queued,
    /// The arena failed.
    WargameError = "wargame_error" => Queued,
    /// No wargame can be held here: no arena, or its breaker is open.
    WargameUnavailable = "wargame_unavailable" => Queued,
    /// The wargame was not over by its deadline.
    WargameOverdue = "wargame_overdue" => Queued,
    /// The judge and a wargame held to compare agree, or the wargame says nothing.
    ComparisonMade = "comparison_made" => Compared,
    /// A wargame contradicts an approval, which is taken back.
    ComparisonRefutes = "comparison_refutes" => Compared,
    /// The record has no value.
    EmptyValue = "empty_value" => Dead,
    /// A limit of size, depth or count is exceeded.
    LimitExceeded = "limit_exceeded" => Dead,
    /// The value is not UTF-8.
    InvalidUtf8 = "invalid_utf8" => Dead,
    /// The value is not JSON.
    InvalidJson = "invalid_json" => Dead,
    /// A field is missing, of the wrong type or out of bounds.
    SchemaViolation = "schema_violation" => Dead,
    /// The diff does not parse.
    DiffInvalid = "diff_invalid" => Dead,
    /// Judging the record panicked; a defect of Crisol's.
    Panicked = "panicked" => Dead,
    /// The process died twice at this record; the third start gives it up.
    Crashed = "crashed" => Dead,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
