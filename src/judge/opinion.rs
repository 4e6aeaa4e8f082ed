//! From an assessment to a probability.

use std::borrow::Cow;

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::{BumpRecord, JudgeName, JudgementRecord};
use crate::judge::advisory::{Advisory, Assessment, Bump, assess};
use crate::judge::wilson_lower_bound;

/// The advisory judge's name on events and in the keys of its evidence.
const ADVISORY: &str = "advisory";
/// The advisory judge's version: it changes whenever its rules do.
const ADVISORY_VERSION: u32 = 1;

/// What the judge says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Opinion {
    /// P(patch is right), 0 to 1.
    Probability(f64),
    /// A lower bound of it, 0 to 1: enough evidence lets it approve, but a lack of evidence is no
    /// reason to refuse.
    AtLeast(f64),
    /// No judge can judge this patch.
    Unavailable,
    /// The advisory judge could not compare.
    Inconclusive,
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
            },
        }
    }
}

/// Judges a patch by the facts of its CVE.
///
/// The p of a bump that remedies is not invented: it is the lower end of the 95 % Wilson interval
/// of how often live wargames agreed with this rule at this level. The p of a bump that the facts
/// refute is 0: that its version is affected is a fact of the table, not an estimate.
pub fn judge(diff: &Diff<'_>, advisory: &Advisory, control: &Control) -> Judgement {
    let assessment = assess(diff, advisory);
    let code = assessment.code();
    match assessment {
        Assessment::NotABump(refusal) => {
            let mut none = Judgement::none(Some(format!("{code}: {}", refusal.detail)));
            none.record.finding = Some(Cow::Borrowed("not_a_bump"));
            none
        }
        Assessment::Unverifiable(open) => {
            let mut judgement = by_advisory(Opinion::Inconclusive, "unverifiable", open.bumps);
            judgement.record.detail = Some(format!("{code}: {}", open.detail));
            judgement
        }
        Assessment::Refuted(refuted) => {
            let mut judgement = by_advisory(Opinion::Probability(0.0), "refuted", refuted.bumps);
            judgement.record.detail = Some(format!("{code}: {}", refuted.detail));
            judgement.record.level = Some(Cow::Borrowed(refuted.level.as_str()));
            judgement
        }
        Assessment::Remedies(remedies) => {
            let level = remedies.level.as_str();
            let evidence = control.evidence(ADVISORY, level);
            let p = wilson_lower_bound(evidence.agreed, evidence.n);
            let mut judgement = by_advisory(Opinion::AtLeast(p), "remedies", remedies.bumps);
            judgement.record.level = Some(Cow::Borrowed(level));
            judgement.record.evidence = Some(evidence);
            judgement
        }
    }
}

/// Returns what the advisory judge says, without what only some of its findings have.
fn by_advisory(opinion: Opinion, finding: &'static str, bumps: Vec<Bump>) -> Judgement {
    Judgement {
        opinion,
        pure_bump: true,
        record: JudgementRecord {
            judge: JudgeName::Advisory,
            version: ADVISORY_VERSION,
            p: match opinion {
                Opinion::Probability(p) | Opinion::AtLeast(p) => Some(p),
                Opinion::Unavailable | Opinion::Inconclusive => None,
            },
            finding: Some(Cow::Borrowed(finding)),
            detail: None,
            level: None,
            evidence: None,
            bumps: bumps.into_iter().map(record_of).collect(),
        },
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
