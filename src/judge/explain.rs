//! Why a patch got its p: what each feature added to its score.

use serde::Serialize;

use crate::judge::forest::Link;
use crate::judge::model::{Look, columns};

/// What one feature says of one patch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contribution {
    /// The feature.
    pub feature: String,
    /// What its numbers are.
    pub unit: &'static str,
    /// The group it belongs to.
    pub group: &'static str,
    /// Its value here.
    pub value: f32,
    /// What it adds to the score: towards right if positive.
    pub adds: f64,
}

/// Why a patch got its p.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reasons {
    /// P(patch is right), 0 to 1.
    pub p: f64,
    /// The forest's share before calibration, 0 to 1.
    pub share: f64,
    /// The score that is expected before anything is known of the patch.
    pub base: f64,
    /// The score; `base` and all contributions together.
    pub score: f64,
    /// What the score is: `log-odds` of boosted trees, `share` of bagged ones.
    pub unit: &'static str,
    /// What each feature adds, the largest first; those that add nothing are left out.
    pub contributions: Vec<Contribution>,
}

/// Returns why a look says what it says of a row: exact Shapley values of the trees, path-dependent
/// (Lundberg et al., "Consistent individualized feature attribution for tree ensembles", 2018).
pub fn explain(look: &Look, row: &[f32]) -> Reasons {
    let explanation = look.forest.explain(row);
    let mut contributions: Vec<Contribution> = columns()
        .into_iter()
        .zip(row)
        .zip(&explanation.contributions)
        .filter(|(_, adds)| **adds != 0.0)
        .map(|((column, value), adds)| Contribution {
            feature: column.name,
            unit: column.unit,
            group: column.group,
            value: *value,
            adds: *adds,
        })
        .collect();
    contributions.sort_by(|a, b| {
        let largest = b.adds.abs().total_cmp(&a.adds.abs());
        largest.then_with(|| a.feature.cmp(&b.feature))
    });
    Reasons {
        p: look.probability(row),
        share: look.forest.probability(row),
        base: explanation.base,
        score: look.forest.score(row),
        unit: if look.forest.link() == Link::Mean {
            "share"
        } else {
            "log-odds"
        },
        contributions,
    }
}
