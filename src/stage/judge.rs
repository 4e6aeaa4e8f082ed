//! Judge: p for each case, and patch risk.

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::RiskRecord;
use crate::judge::{self, Judgement};
use crate::policy::{RiskConfig, assess_risk};
use crate::stage::Refused;
use crate::stage::join::Joined;

/// What judging found of one case.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What the judge says.
    pub judgement: Judgement,
    /// What the patch touches that must not ship unseen.
    pub risk: RiskRecord,
}

/// Returns what judging finds of each case; `None` for what was refused.
pub fn judge(
    diffs: &[Result<Diff<'_>, Refused>],
    joined: &[Option<Joined>],
    control: &Control,
    risk: &RiskConfig,
) -> Vec<Option<Judged>> {
    diffs
        .iter()
        .zip(joined)
        .map(|(diff, joined)| {
            let (Ok(diff), Some(joined)) = (diff, joined) else {
                return None;
            };
            let judgement = match &joined.advisory {
                Some(advisory) => judge::judge(diff, advisory, control),
                None => Judgement::none(None),
            };
            let risk = assess_risk(diff, judgement.pure_bump, risk);
            Some(Judged { judgement, risk })
        })
        .collect()
}
