//! Gradient boosting on histograms, for one outcome of two.
//!
//! Each tree is a Newton step on the logistic loss of a sample of the rows, read from a sample of
//! the columns. Source: J. Friedman, "Stochastic gradient boosting", CSDA 38 (2002); the leaf-wise
//! growth and the histograms as in G. Ke et al., "LightGBM", NIPS 2017.

use super::bins::Bins;
use super::draw::Draws;
use super::flat::{Forest, ForestParts, Link, MAX_DEPTH, MAX_TREES, add_up_covers};
use super::grow::Soil;
use super::histogram::Limits;
use super::matrix::Matrix;
use super::train::{TrainError, check_labels, in_parts, share_of, threads_or_all};
use super::walk::logistic;

/// How a forest is boosted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostParams {
    /// Trees, 1 to 4,096.
    pub trees: usize,
    /// Leaves of a tree at most, 2 to 256.
    pub leaves: usize,
    /// Share of each Newton step that is taken, above 0 and at most 1.
    pub learning_rate: f64,
    /// Sampled rows in a leaf at least, from 1.
    pub min_rows_in_leaf: u32,
    /// Sum of hessians in a leaf at least, from 0. A row's is its weight times p (1 - p).
    pub min_hessian: f64,
    /// Share of the rows that a tree is grown on, above 0 and at most 1.
    pub row_sample: f64,
    /// Share of the columns that a tree may read, above 0 and at most 1. Columns with one value do
    /// not count.
    pub column_sample: f64,
    /// Penalty on the square of leaf values, from 0.
    pub l2: f64,
    /// Bins of a column at most, 2 to 255.
    pub max_bins: usize,
    /// Seed of the samples.
    pub seed: u64,
    /// Threads, 0 for as many as the machine has. The forest does not depend on it.
    pub threads: usize,
}

impl Default for BoostParams {
    fn default() -> Self {
        Self {
            trees: 128,
            leaves: 15,
            learning_rate: 0.06,
            min_rows_in_leaf: 100,
            min_hessian: 1e-3,
            row_sample: 0.5,
            column_sample: 0.2,
            l2: 5.0,
            max_bins: 255,
            seed: 0,
            threads: 0,
        }
    }
}

impl BoostParams {
    fn check(&self) -> Result<(), TrainError> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let from_0 = |value: f64| value.is_finite() && value >= 0.0;
        [
            ("trees", (1..=MAX_TREES).contains(&self.trees)),
            // A chain of leaves is as deep as a tree may be.
            ("leaves", (2..=MAX_DEPTH).contains(&self.leaves)),
            ("learning_rate", share(self.learning_rate)),
            ("min_rows_in_leaf", self.min_rows_in_leaf > 0),
            ("min_hessian", from_0(self.min_hessian)),
            ("row_sample", share(self.row_sample)),
            ("column_sample", share(self.column_sample)),
            ("l2", from_0(self.l2)),
        ]
        .into_iter()
        .find(|&(_, holds)| !holds)
        .map_or(Ok(()), |(name, _)| Err(TrainError::Param(name)))
    }
}

/// Returns a forest that scores the log-odds of a true label.
///
/// `weights` are one a row, 1 each without them. `progress` hears the number of trees after each
/// one. The same arguments give the same forest to the bit, whatever the number of threads. Covers
/// count all rows, sampled or not.
///
/// # Errors
/// [`TrainError`] when arguments do not fit, or the rows show only one outcome.
pub fn boost(
    rows: &Matrix,
    labels: &[bool],
    weights: Option<&[f32]>,
    params: &BoostParams,
    progress: &mut dyn FnMut(usize),
) -> Result<Forest, TrainError> {
    params.check()?;
    check_labels(rows, labels)?;
    let weights = checked_weights(rows.rows(), weights)?;
    let base = log_odds(labels, &weights)?;
    let bins = Bins::of(rows, params.max_bins)?;
    let useful: Vec<u16> = (0..bins.columns())
        .filter(|&column| !bins.cuts(column).is_empty())
        .map(|column| column as u16)
        .collect();
    let threads = threads_or_all(params.threads);
    let mut cases: Vec<Case> = labels
        .iter()
        .zip(weights)
        .map(|(&label, weight)| Case {
            score: base,
            target: if label { 1.0 } else { 0.0 },
            weight: f64::from(weight),
            leaf: 0,
        })
        .collect();
    let mut gradients = vec![[0.0; 2]; cases.len()];
    let mut parts = ForestParts::new(Link::Logistic, base, bins.columns() as u32);
    for tree in 0..params.trees {
        let mut draws = Draws::new(params.seed, tree as u64);
        let mut sample = draws.choose(cases.len(), share_of(cases.len(), params.row_sample));
        let columns: Vec<u16> = draws
            .choose(useful.len(), share_of(useful.len(), params.column_sample))
            .into_iter()
            .filter_map(|at| useful.get(at as usize).copied())
            .collect();
        in_parts(&mut gradients, threads, |from, gradients| {
            for (gradient, case) in gradients.iter_mut().zip(cases.iter().skip(from)) {
                *gradient = case.gradient();
            }
        });
        let soil = Soil {
            bins: &bins,
            gradients: &gradients,
            columns: &columns,
            limits: Limits {
                rows: params.min_rows_in_leaf,
                hessian: params.min_hessian,
                l2: params.l2,
            },
            max_leaves: params.leaves,
            learning_rate: params.learning_rate,
            threads,
        };
        let mut grown = soil.grow(&mut sample);
        in_parts(&mut cases, threads, |from, cases| {
            for (at, case) in cases.iter_mut().enumerate() {
                case.leaf = grown.leaf_of(&bins, from + at);
            }
        });
        // In the order of the rows: a sum of covers must not depend on the threads.
        for case in &mut cases {
            if let Some(leaf) = grown.nodes.get_mut(case.leaf as usize) {
                case.score += f64::from(leaf.value);
                leaf.cover += case.weight;
            }
        }
        add_up_covers(&mut grown.nodes);
        parts.push_tree(&grown.nodes);
        progress(tree + 1);
    }
    Ok(Forest::try_from(parts)?)
}

/// A row in training.
struct Case {
    /// Log-odds so far.
    score: f64,
    target: f64,
    weight: f64,
    /// Leaf of the tree just grown.
    leaf: u32,
}

impl Case {
    /// Returns the first two derivatives of the weighted logistic loss by the score.
    fn gradient(&self) -> [f32; 2] {
        let p = logistic(self.score);
        let gradient = self.weight * (p - self.target);
        let hessian = self.weight * p * (1.0 - p);
        [gradient as f32, hessian as f32]
    }
}

fn checked_weights(rows: usize, weights: Option<&[f32]>) -> Result<Vec<f32>, TrainError> {
    let Some(weights) = weights else {
        return Ok(vec![1.0; rows]);
    };
    if weights.len() != rows {
        return Err(TrainError::Weights {
            rows,
            weights: weights.len(),
        });
    }
    match weights
        .iter()
        .position(|weight| !weight.is_finite() || *weight < 0.0)
    {
        Some(row) => Err(TrainError::Weight(row)),
        None => Ok(weights.to_vec()),
    }
}

/// Returns the log-odds of the weighted share of true labels.
fn log_odds(labels: &[bool], weights: &[f32]) -> Result<f64, TrainError> {
    let weight_of = |wanted| {
        labels
            .iter()
            .zip(weights)
            .filter(|&(&label, _)| label == wanted)
            .map(|(_, &weight)| f64::from(weight))
            .sum::<f64>()
    };
    let (good, bad) = (weight_of(true), weight_of(false));
    if good > 0.0 && bad > 0.0 {
        Ok((good / bad).ln())
    } else {
        Err(TrainError::OneOutcome)
    }
}

#[cfg(test)]
mod tests;
