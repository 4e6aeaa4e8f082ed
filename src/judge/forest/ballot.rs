//! The label under which `linfa-trees` sees a row, and the one split it is asked for.
//!
//! What `linfa-trees` 0.8.1 does, and what is done about it:
//!
//! - It merges two leaves whose majority is the same, although their shares differ; where most labels
//!   are good that leaves next to nothing. See [`Ballot`].
//! - Of equal majorities it takes what its hash map names last, so that trees differ between runs.
//!   With nothing merged, no majority is read.
//! - Below the root it misses splits after a value that a row outside the node has too, and it walks
//!   all rows in every node. So it is asked for one split at a time, on the rows of that node alone.
//! - Values closer than 0.00001 are one to it, the middle of two values may round to the upper one,
//!   and it fits with `<=` but predicts with `<`. So it gets bins, which are whole numbers, and its
//!   threshold becomes the last bin that goes left.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use linfa::Label;
use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_trees::{DecisionTree, SplitQuality};
use ndarray::{Array1, Array2, ShapeBuilder};

use super::train::TrainError;

/// A label whose distant copies are all different.
///
/// The fit counts rows under the label itself, under copies and under copies of copies; the third
/// copy is made to compare the majorities of two leaves. That one is a stranger to every other
/// ballot, so that leaves are never merged. Each comparison by itself is a lawful one: a stranger
/// equals itself alone.
#[derive(Debug, Default)]
pub(super) struct Ballot {
    good: bool,
    /// How many copies lie between this and the row's own.
    copies: u8,
    /// 0, or the number of a stranger.
    stranger: u64,
}

/// The copy that compares leaves.
const STRANGE: u8 = 3;

/// Numbers strangers; only whether two are the same matters.
static STRANGERS: AtomicU64 = AtomicU64::new(1);

impl Ballot {
    fn of(good: bool) -> Self {
        Self {
            good,
            copies: 0,
            stranger: 0,
        }
    }
}

impl Clone for Ballot {
    fn clone(&self) -> Self {
        let copies = self.copies.saturating_add(1);
        Self {
            good: self.good,
            copies,
            stranger: if copies >= STRANGE {
                STRANGERS.fetch_add(1, Ordering::Relaxed)
            } else {
                0
            },
        }
    }
}

impl PartialEq for Ballot {
    fn eq(&self, other: &Self) -> bool {
        self.good == other.good && self.stranger == other.stranger
    }
}

impl Eq for Ballot {}

impl PartialOrd for Ballot {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ballot {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.good, self.stranger).cmp(&(other.good, other.stranger))
    }
}

impl Hash for Ballot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(u8::from(self.good));
    }
}

impl Label for Ballot {}

/// Returns the split of some rows that leaves the least Gini impurity, as place of the column and
/// last bin that goes left; nothing when no split helps or leaves `min_rows` on both sides.
///
/// `bins` holds the rows' bins column after column.
///
/// # Errors
/// [`TrainError::Fit`] when the fit refuses what it got.
pub(super) fn best_split(
    bins: Vec<f32>,
    labels: &[bool],
    min_rows: usize,
) -> Result<Option<(usize, u8)>, TrainError> {
    let columns = bins.len() / labels.len().max(1);
    let records = Array2::from_shape_vec((labels.len(), columns).f(), bins)
        .map_err(|error| TrainError::Fit(error.to_string()))?;
    let targets: Array1<Ballot> = labels.iter().map(|&label| Ballot::of(label)).collect();
    let tree = DecisionTree::params()
        .split_quality(SplitQuality::Gini)
        .max_depth(Some(1))
        .min_weight_split(2.0 * min_rows as f32)
        .min_weight_leaf(min_rows as f32)
        .fit(&DatasetBase::new(records, targets))
        .map_err(|error| TrainError::Fit(error.to_string()))?;
    let root = tree.root_node();
    if root.is_leaf() {
        return Ok(None);
    }
    let (column, threshold, _) = root.split();
    Ok(Some((column, threshold.floor() as u8)))
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draws;
    use super::*;

    /// Returns what every split on these columns leaves, in the order in which they are tried.
    fn all_splits(bins: &[f32], labels: &[bool], min_rows: usize) -> Vec<(f64, usize, u8)> {
        let rows = labels.len();
        let mut splits = Vec::new();
        for column in 0..bins.len() / rows {
            let of_row = &bins[column * rows..(column + 1) * rows];
            for last in 0..=254_u8 {
                let side = |left: bool| {
                    let of_side =
                        || (0..rows).filter(|&row| (of_row[row] <= f32::from(last)) == left);
                    let good = of_side().filter(|&row| labels[row]).count() as f64;
                    (of_side().count(), good)
                };
                let [(left, left_good), (right, right_good)] = [side(true), side(false)];
                if left < min_rows || right < min_rows {
                    continue;
                }
                let gini = |n: usize, good: f64| 2.0 * good * (n as f64 - good) / n as f64;
                splits.push((
                    (gini(left, left_good) + gini(right, right_good)) / rows as f64,
                    column,
                    last,
                ));
            }
        }
        splits
    }

    #[test]
    fn the_split_is_the_best_of_all() {
        for seed in 0..40 {
            let mut draws = Draws::new(seed, 0);
            let rows = 40 + draws.below(100);
            let bins: Vec<f32> = (0..rows * 4).map(|_| draws.below(12) as f32).collect();
            let labels: Vec<bool> = (0..rows)
                .map(|row| draws.unit() < if bins[row] > 5.0 { 0.95 } else { 0.7 })
                .collect();
            let (column, last) = best_split(bins.clone(), &labels, 10).unwrap().unwrap();
            let splits = all_splits(&bins, &labels, 10);
            let least = splits.iter().map(|split| split.0).fold(f64::MAX, f64::min);
            let ours = splits
                .iter()
                .find(|split| (split.1, split.2) == (column, last))
                .unwrap();
            // linfa counts in f32.
            assert!(ours.0 - least < 1e-6, "{ours:?} against {least}");
        }
    }

    #[test]
    fn leaves_with_the_same_majority_stay_apart() {
        let bins: Vec<f32> = (0..100).map(|row| (row / 50) as f32).collect();
        // 98 % against 80 %.
        let labels: Vec<bool> = (0..100)
            .map(|row| if row < 50 { row != 7 } else { row % 5 != 0 })
            .collect();
        assert_eq!(best_split(bins.clone(), &labels, 20).unwrap(), Some((0, 0)));
        // With a label that knows its copies, the split would be merged away.
        let records = Array2::from_shape_vec((100, 1), bins).unwrap();
        let targets = Array1::from(labels);
        let merged = DecisionTree::<f32, bool>::params()
            .fit(&DatasetBase::new(records, targets))
            .unwrap();
        assert!(merged.root_node().is_leaf());
    }

    #[test]
    fn no_split_is_made_that_does_not_help_or_leaves_too_few() {
        let bins: Vec<f32> = (0..40).map(|row| (row / 10) as f32).collect();
        let one_sided: Vec<bool> = (0..40).map(|row| row < 10).collect();
        assert_eq!(
            best_split(bins.clone(), &one_sided, 10).unwrap(),
            Some((0, 0))
        );
        assert_ne!(
            best_split(bins.clone(), &one_sided, 11).unwrap(),
            Some((0, 0))
        );
        assert_eq!(best_split(bins, &one_sided, 21).unwrap(), None);
        let alike: Vec<bool> = (0..40).map(|row| row % 2 == 0).collect();
        let bins = (0..40).map(|row| (row / 20) as f32).collect();
        assert_eq!(best_split(bins, &alike, 1).unwrap(), None);
    }

    #[test]
    fn a_ballot_keeps_its_kind_until_the_third_copy() {
        let (good, bad) = (Ballot::of(true), Ballot::of(false));
        let second = good.clone().clone();
        assert!(good == good.clone() && good == second && good != bad);
        let (third, another) = (second.clone(), second.clone());
        assert!(third == third && third != another && third != good);
    }
}
