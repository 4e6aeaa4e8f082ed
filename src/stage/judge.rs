//! Judge: p for each case, and patch risk.

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::RiskRecord;
use crate::judge::{self, Judgement};
use crate::policy::{RiskConfig, assess_risk};
use crate::stage::Refused;
use crate::stage::join::Joined;
use crate::stage::recall::Recalled;

/// What judging found of one case.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What the judge says.
    pub judgement: Judgement,
    /// What the patch touches that must not ship unseen.
    pub risk: RiskRecord,
}

/// Returns what judging finds of each case; `None` for what was refused. What memory knows is not
/// judged again, and says the same.
pub fn judge(
    diffs: &[Result<Diff<'_>, Refused>],
    joined: &[Option<Joined>],
    recalled: &[Option<Recalled>],
    control: &Control,
    risk: &RiskConfig,
) -> Vec<Option<Judged>> {
    diffs
        .iter()
        .zip(joined)
        .zip(recalled)
        .map(|((diff, joined), recalled)| {
            let (Ok(diff), Some(joined)) = (diff, joined) else {
                return None;
            };
            if let Some(known) = recalled.as_ref().and_then(|r| again(r, control)) {
                return Some(known);
            }
            let judgement = match &joined.advisory {
                Some(advisory) => judge::judge(diff, advisory, control),
                None => Judgement::none(None),
            };
            let risk = assess_risk(diff, judgement.pure_bump, risk);
            Some(Judged { judgement, risk })
        })
        .collect()
}

/// Returns what memory knows of a case, with the evidence of now.
fn again(recalled: &Recalled, control: &Control) -> Option<Judged> {
    let known = recalled.known.as_ref()?;
    Some(Judged {
        judgement: Judgement::of_lasting(known.judgement.clone(), control)?,
        risk: known.risk.clone(),
    })
}
