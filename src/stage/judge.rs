//! Judge: p for each case, and patch risk.

use crate::diff::Diff;
use crate::event::control::Control;
use crate::event::decision::RiskRecord;
use crate::event::patch::Patch;
use crate::judge::advisory::tree::Before;
use crate::judge::code::{Asked, Scorer, Seen, Sketched};
use crate::judge::models::{Models, Picked};
use crate::judge::precedent::generator_hash;
use crate::judge::{self, Judgement, Opinion, is_remedied, refuted_by_wargame};
use crate::policy::{RiskConfig, assess_risk};
use crate::stage::Refused;
use crate::stage::join::Joined;
use crate::stage::recall::Recalled;
use crate::stage::sources::Sources;
use crate::table::VerdictTable;

/// What judging found of one case.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What the judge says.
    pub judgement: Judgement,
    /// What the patch touches that must not ship unseen.
    pub risk: RiskRecord,
    /// What later candidates are compared with, if the forest has looked at it now.
    pub sketched: Option<Box<Sketched>>,
    /// Whether more of the patch's files may be at hand later, so that this is not to be remembered.
    pub is_provisional: bool,
}

/// What judging goes by, the same for all cases of a batch.
pub struct Judges<'a> {
    /// The settings of this batch.
    pub control: &'a Control,
    /// Bounds between levels of patch risk.
    pub risk: &'a RiskConfig,
    /// The breaker before the models, and what they count.
    pub models: Option<&'a Models>,
    /// The models in force; without one, code is judged by people.
    pub picked: &'a Picked,
    /// Earlier candidates.
    pub verdicts: &'a VerdictTable,
    /// Where the files of a patch are looked up.
    pub sources: &'a Sources,
}

impl Judges<'_> {
    /// Returns what judging finds of each case; `None` for what was refused. What memory knows is not
    /// judged again, and says the same.
    pub fn judge(
        &self,
        patches: &[Result<Patch<'_>, Refused>],
        diffs: &[Result<Diff<'_>, Refused>],
        joined: &[Option<Joined>],
        recalled: &[Option<Recalled>],
    ) -> Vec<Option<Judged>> {
        let mut scorer = Scorer::default();
        patches
            .iter()
            .zip(diffs)
            .zip(joined)
            .zip(recalled)
            .map(|(((patch, diff), joined), recalled)| {
                let (Ok(patch), Ok(diff), Some(joined)) = (patch, diff, joined) else {
                    return None;
                };
                if let Some(known) = recalled.as_ref().and_then(|r| again(r, self.control)) {
                    return Some(known);
                }
                Some(self.judge_one(&mut scorer, patch, diff, joined))
            })
            .collect()
    }

    /// Returns what judging finds of one case.
    pub fn judge_one(
        &self,
        scorer: &mut Scorer,
        patch: &Patch<'_>,
        diff: &Diff<'_>,
        joined: &Joined,
    ) -> Judged {
        let mut is_provisional = false;
        let mut judgement = match &joined.advisory {
            Some(advisory) => {
                let found = self.sources.find(patch, diff);
                is_provisional = found.is_provisional;
                let files: Vec<Before<'_>> = found
                    .texts
                    .iter()
                    .map(|file| Before {
                        path: &file.path,
                        text: &file.text,
                    })
                    .collect();
                judge::judge(diff, &files, advisory, self.control)
            }
            None => Judgement::none(None),
        };
        let mut sketched = None;
        if is_remedied(&judgement.record) {
            let book = self.verdicts.read();
            let own = book.of(&patch.cve_id, patch.digest.as_bytes());
            if own.and_then(|own| own.mitigated) == Some(false) {
                judgement = refuted_by_wargame(judgement);
            }
        }
        // Facts before forest: it judges what is no bump.
        if judgement.opinion == Opinion::Unavailable
            && joined.advisory.is_some()
            && let Some(models) = self.models
        {
            let asked = Asked {
                diff,
                cve_id: &patch.cve_id,
                digest: patch.digest.as_bytes(),
                generator: patch.generator.as_deref().map(generator_hash),
            };
            // A patch at a time: held for a batch, a verdict that is waiting to be learnt would stop all workers.
            let seen = models.first_look(scorer, self.picked, &asked, &self.verdicts.read());
            if let Some(Seen::Judged(by_forest, sketch)) = seen {
                judgement = *by_forest;
                sketched = Some(sketch);
            }
        }
        let risk = assess_risk(diff, judgement.pure_bump, self.risk);
        Judged {
            judgement,
            risk,
            sketched,
            is_provisional,
        }
    }
}

/// Returns what memory knows of a case, with the evidence of now.
fn again(recalled: &Recalled, control: &Control) -> Option<Judged> {
    let known = recalled.known.as_ref()?;
    Some(Judged {
        judgement: Judgement::of_lasting(known.judgement.clone(), control)?,
        risk: known.risk.clone(),
        sketched: None,
        is_provisional: false,
    })
}
