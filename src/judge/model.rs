//! A model: the two looks, and what they were made from.

use serde::{Deserialize, Serialize};

use crate::judge::calibrate::Calibration;
use crate::judge::forest::Forest;

/// One look: trees, their calibration, and from where a patch is decided alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The trees.
    pub forest: Forest,
    /// From their score to P(patch is right).
    pub calibration: Calibration,
    /// P from which a patch is accepted.
    pub accept: f64,
    /// P up to which a patch is refused.
    pub refuse: f64,
}

impl Look {
    /// Returns P(patch is right) of a row, 0 to 1.
    pub fn probability(&self, row: &[f32]) -> f64 {
        self.calibration.probability(self.forest.score(row))
    }
}
