//! From an assessment to a probability.

use std::borrow::Cow;

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::{Basis, BumpRecord, JudgeName, JudgementRecord};
use crate::judge::advisory::tree::{self, Before};
use crate::judge::advisory::{Advisory, Assessment, Bump, UnverifiableReason};
use crate::judge::code;
use crate::judge::wilson_lower_bound;

/// The advisory judge's name on events and in the keys of its evidence.
pub const ADVISORY: &str = "advisory";
/// Its name in the keys of the evidence of bumps that it judged on whole files.
pub const ADVISORY_FILES: &str = "advisory-files";
/// The advisory judge's version: it changes whenever its rules do.
const ADVISORY_VERSION: u32 = 1;
/// Its findings, as they stand on events.
const REMEDIES: &str = "remedies";
const REFUTED: &str = "refuted";
const UNVERIFIABLE: &str = "unverifiable";

/// What the judge says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Opinion {
    /// P(patch is right), 0 to 1.
    Probability(f64),
    /// A lower bound of it, 0 to 1: enough evidence lets it approve, but a lack of evidence is no
    /// reason to refuse.
    AtLeast(f64),
    /// An estimate by a model that has thresholds of its own, beside policy's.
    Estimate {
        /// P(patch is right), 0 to 1; the lower one, if it was estimated twice.
        p: f64,
        /// Whether the model holds it for sure enough to approve.
        approves: bool,
        /// Whether the model holds the patch for wrong.
        refuses: bool,
    },
    /// No judge can judge this patch.
    Unavailable,
    /// The advisory judge could not compare.
    Inconclusive,
}

impl Opinion {
    /// Returns the probability, or the lower bound of one; `None` for no opinion.
    pub fn p(self) -> Option<f64> {
        match self {
            Self::Probability(p) | Self::AtLeast(p) | Self::Estimate { p, .. } => Some(p),
            Self::Unavailable | Self::Inconclusive => None,
        }
    }
}

/// What the judge says, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What policy looks at.
    pub opinion: Opinion,
    /// Whether every changed line is a version change of a package that the APV names.
    pub pure_bump: bool,
    /// What goes on the event.
    pub record: JudgementRecord,
}

impl Judgement {
    /// Returns the judgement of a patch that no judge can judge.
    pub fn none(detail: Option<String>) -> Self {
        Self {
            opinion: Opinion::Unavailable,
            pure_bump: false,
            record: JudgementRecord {
                judge: JudgeName::None,
                version: 0,
                p: None,
                finding: None,
                detail,
                level: None,
                evidence: None,
                bumps: Vec::new(),
                basis: None,
                forest: None,
            },
        }
    }

    /// Returns what of this lasts: all but the evidence it rests on, which grows by itself, and a p that
    /// follows from that.
    pub fn lasting(&self) -> JudgementRecord {
        JudgementRecord {
            p: self.record.p.filter(|_| self.record.forest.is_some()),
            evidence: None,
            ..self.record.clone()
        }
    }

    /// Returns the judgement that stands on an event, with the evidence of then; `None` if it is of no judge
    /// that this build knows.
    pub fn recorded(record: JudgementRecord) -> Option<Self> {
        let opinion = match record.judge {
            JudgeName::Forest => code::opinion_of(&record)?,
            JudgeName::None => Opinion::Unavailable,
            JudgeName::Advisory if record.version != ADVISORY_VERSION => return None,
            JudgeName::Advisory => match (record.finding.as_deref()?, record.p) {
                (REMEDIES, Some(p)) => Opinion::AtLeast(p),
                (REFUTED, _) => Opinion::Probability(0.0),
                (UNVERIFIABLE, _) => Opinion::Inconclusive,
                _ => return None,
            },
        };
        Some(Self {
            opinion,
            pure_bump: record.judge == JudgeName::Advisory && !files_disagree(&record),
            record,
        })
    }

    /// Returns the judgement that [`Judgement::lasting`] was taken of, with the evidence of now; `None`
    /// if it is of no judge that this build knows.
    pub fn of_lasting(record: JudgementRecord, control: &Control) -> Option<Self> {
        if let Some(opinion) = code::opinion_of(&record) {
            return Some(Self {
                opinion,
                pure_bump: false,
                record,
            });
        }
        if record.judge != JudgeName::Advisory || record.version != ADVISORY_VERSION {
            return None;
        }
        let (opinion, evidence) = match (record.finding.as_deref()?, record.level.as_deref()) {
            (REMEDIES, Some(level)) => {
                let evidence = control.evidence(evidence_of(&record), level);
                let p = wilson_lower_bound(evidence.agreed, evidence.n);
                (Opinion::AtLeast(p), Some(evidence))
            }
            (REFUTED, _) => (Opinion::Probability(0.0), None),
            (UNVERIFIABLE, _) => (Opinion::Inconclusive, None),
            _ => return None,
        };
        Some(Self {
            opinion,
            pure_bump: !files_disagree(&record),
            record: JudgementRecord {
                p: opinion.p(),
                evidence,
                ..record
            },
        })
    }
}

/// Judges a patch by the facts of its CVE.
///
/// The p of a bump that remedies is not invented: it is the lower end of the 95 % Wilson interval
/// of how often live wargames agreed with this rule at this level. The p of a bump that the facts
/// refute is 0: that its version is affected is a fact of the table, not an estimate. Where texts of its
/// files before the change are at hand, it is judged on the whole files, and its agreement is counted apart.
pub fn judge(
    diff: &Diff<'_>,
    files: &[Before<'_>],
    advisory: &Advisory,
    control: &Control,
) -> Judgement {
    let (assessment, basis) = tree::assess(diff, files, advisory);
    let code = assessment.code();
    let not_a_bump = |detail: String| {
        let mut none = Judgement::none(Some(detail));
        none.record.finding = Some(Cow::Borrowed("not_a_bump"));
        none
    };
    let found = match assessment {
        Assessment::NotABump(refusal) => return not_a_bump(format!("{code}: {}", refusal.detail)),
        Assessment::Unverifiable(open) => JudgementRecord {
            detail: Some(format!("{code}: {}", open.detail)),
            ..by_advisory(UNVERIFIABLE, open.bumps, basis)
        },
        Assessment::Refuted(refuted) => JudgementRecord {
            detail: Some(format!("{code}: {}", refuted.detail)),
            level: Some(Cow::Borrowed(refuted.level.as_str())),
            ..by_advisory(REFUTED, refuted.bumps, basis)
        },
        Assessment::Remedies(remedies) => JudgementRecord {
            level: Some(Cow::Borrowed(remedies.level.as_str())),
            ..by_advisory(REMEDIES, remedies.bumps, basis)
        },
    };
    // What was found and what is remembered become a probability in one and the same place.
    Judgement::of_lasting(found, control).unwrap_or_else(|| Judgement::none(None))
}

/// Returns the name under which agreement with a judgement of the advisory judge is counted.
pub fn evidence_of(record: &JudgementRecord) -> &'static str {
    match record.basis {
        Some(Basis::Files) => ADVISORY_FILES,
        Some(Basis::Hunks) | None => ADVISORY,
    }
}

/// Whether a diff and the text that came as its file's are of different states: then nothing was read of it.
fn files_disagree(record: &JudgementRecord) -> bool {
    let code = UnverifiableReason::FilesDisagree.as_str();
    record.judge == JudgeName::Advisory
        && record
            .detail
            .as_deref()
            .is_some_and(|detail| detail.starts_with(code))
}

/// Whether the advisory judge found that a bump reaches a fixed version of everything it must.
pub fn is_remedied(record: &JudgementRecord) -> bool {
    record.judge == JudgeName::Advisory
        && record.version == ADVISORY_VERSION
        && record.finding.as_deref() == Some(REMEDIES)
}

/// Returns the judgement of a bump that a wargame of this very patch speaks against, whatever the facts say.
pub fn refuted_by_wargame(judgement: Judgement) -> Judgement {
    Judgement {
        opinion: Opinion::Probability(0.0),
        record: JudgementRecord {
            p: Some(0.0),
            finding: Some(Cow::Borrowed(REFUTED)),
            detail: Some(
                "refuted_by_wargame: an exploit works on it, or it breaks what worked".to_owned(),
            ),
            evidence: None,
            ..judgement.record
        },
        ..judgement
    }
}

/// Returns what the advisory judge found, without what only some of its findings have.
fn by_advisory(finding: &'static str, bumps: Vec<Bump>, basis: Basis) -> JudgementRecord {
    JudgementRecord {
        judge: JudgeName::Advisory,
        version: ADVISORY_VERSION,
        p: None,
        finding: Some(Cow::Borrowed(finding)),
        detail: None,
        level: None,
        evidence: None,
        bumps: bumps.into_iter().map(record_of).collect(),
        basis: Some(basis),
        forest: None,
    }
}

fn record_of(bump: Bump) -> BumpRecord {
    BumpRecord {
        ecosystem: bump.ecosystem,
        package: bump.package,
        from: (!bump.from.is_empty()).then_some(bump.from),
        to: bump.to,
        file: bump.file,
    }
}
