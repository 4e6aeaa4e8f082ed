//! From a score to a probability: isotonic regression, kept as steps.

use serde::{Deserialize, Serialize};

/// A rising curve from score to probability, straight between its knots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Calibration {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
}

/// Why numbers are no curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// Without a knot, or not as many probabilities as scores.
    #[error("calibration: {scores} scores for {probabilities} probabilities; at least one of each")]
    Size {
        /// Scores.
        scores: usize,
        /// Probabilities.
        probabilities: usize,
    },
    /// Scores do not rise, or a probability falls or is none.
    #[error("calibration: knot {0} does not rise, or is no probability from 0 to 1")]
    Falls(usize),
}

/// The form in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
}

impl TryFrom<Raw> for Calibration {
    type Error = CalibrationError;

    fn try_from(raw: Raw) -> Result<Self, CalibrationError> {
        let Raw {
            scores,
            probabilities,
        } = raw;
        if scores.is_empty() || scores.len() != probabilities.len() {
            return Err(CalibrationError::Size {
                scores: scores.len(),
                probabilities: probabilities.len(),
            });
        }
        let mut last = (f64::NEG_INFINITY, 0.0);
        for (at, (&score, &p)) in scores.iter().zip(&probabilities).enumerate() {
            if !(score.is_finite() && score > last.0 && p >= last.1 && p <= 1.0) {
                return Err(CalibrationError::Falls(at));
            }
            last = (score, p);
        }
        Ok(Self {
            scores,
            probabilities,
        })
    }
}

impl From<Calibration> for Raw {
    fn from(curve: Calibration) -> Self {
        Self {
            scores: curve.scores,
            probabilities: curve.probabilities,
        }
    }
}

/// A run of scores that have one probability.
struct Block {
    /// Sum of the scores.
    scores: f64,
    right: f64,
    n: f64,
}

impl Calibration {
    /// Returns the curve that is nearest to what happened and never falls: pooled adjacent violators (Ayer et
    /// al., 1955). Each block's share of right ones is drawn towards all cases' as by two more cases, so that
    /// no p is 0 or 1.
    ///
    /// # Errors
    /// [`CalibrationError::Size`] without a case.
    pub fn fit(scored: &[(f64, bool)]) -> Result<Self, CalibrationError> {
        let mut sorted: Vec<(f64, bool)> = scored
            .iter()
            .copied()
            .filter(|(score, _)| score.is_finite())
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let base =
            sorted.iter().filter(|(_, label)| *label).count() as f64 / sorted.len().max(1) as f64;
        let mut blocks: Vec<Block> = Vec::new();
        for group in sorted.chunk_by(|a, b| a.0 == b.0) {
            let Some((score, _)) = group.first() else {
                continue;
            };
            let n = group.len() as f64;
            let mut block = Block {
                scores: score * n,
                right: group.iter().filter(|(_, label)| *label).count() as f64,
                n,
            };
            while let Some(before) = blocks.pop_if(|b| b.right / b.n >= block.right / block.n) {
                block.scores += before.scores;
                block.right += before.right;
                block.n += before.n;
            }
            blocks.push(block);
        }
        let mut raw = Raw {
            scores: Vec::new(),
            probabilities: Vec::new(),
        };
        let mut floor = 0.0_f64;
        for block in &blocks {
            // Drawing small blocks inwards must not make the curve fall.
            let p = ((block.right + 2.0 * base) / (block.n + 2.0)).max(floor);
            floor = p;
            // One knot a block, in its middle: a flat block would leave nothing between two thresholds.
            let score = block.scores / block.n;
            if raw.scores.last().is_none_or(|last| score > *last) {
                raw.scores.push(score);
                raw.probabilities.push(p);
            }
        }
        Self::try_from(raw)
    }

    /// Returns the probability of a score, 0 to 1; beyond the knots that of the nearest.
    pub fn probability(&self, score: f64) -> f64 {
        let after = self.scores.partition_point(|knot| *knot <= score);
        let knot = |at: usize| Some((*self.scores.get(at)?, *self.probabilities.get(at)?));
        match (after.checked_sub(1).and_then(knot), knot(after)) {
            (Some((from, low)), Some((to, high))) => {
                low + (high - low) * ((score - from) / (to - from))
            }
            (Some((_, p)), None) | (None, Some((_, p))) => p,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_curve_that_falls_or_is_none_is_refused() {
        for (text, place) in [
            (r#"{"scores":[],"probabilities":[]}"#, "at least one"),
            (
                r#"{"scores":[1.0],"probabilities":[0.1,0.2]}"#,
                "1 scores for 2",
            ),
            (
                r#"{"scores":[1.0,1.0],"probabilities":[0.1,0.2]}"#,
                "knot 1",
            ),
            (
                r#"{"scores":[1.0,2.0],"probabilities":[0.3,0.2]}"#,
                "knot 1",
            ),
            (r#"{"scores":[1.0],"probabilities":[1.1]}"#, "knot 0"),
        ] {
            let error = serde_json::from_str::<Calibration>(text).unwrap_err();
            assert!(error.to_string().contains(place), "{error}");
        }
    }

    #[test]
    fn what_rises_is_kept_and_what_falls_is_pooled() {
        let mut cases = Vec::new();
        for (score, right) in [(0.0, 100), (1.0, 500), (2.0, 300), (3.0, 900)] {
            cases.extend((0..1_000).map(|n| (score, n < right)));
        }
        let curve = Calibration::fit(&cases).unwrap();
        // 1 and 2 fall, so they are one block with its knot between them.
        for (score, p) in [(-1.0, 0.1), (1.5, 0.4), (9.0, 0.9), (0.75, 0.25)] {
            assert!((curve.probability(score) - p).abs() < 2e-3, "{score}");
        }
    }

    proptest! {
        #[test]
        fn a_higher_score_never_has_a_lower_probability(
            cases in prop::collection::vec((-5.0_f64..5.0, any::<bool>()), 1..200),
            mut asked in prop::collection::vec(-9.0_f64..9.0, 2..50),
        ) {
            let curve = Calibration::fit(&cases).unwrap();
            asked.sort_by(f64::total_cmp);
            let told: Vec<f64> = asked.iter().map(|score| curve.probability(*score)).collect();
            prop_assert!(told.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(told.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
