//! A bagged forest: trees on samples of the rows, each split by `linfa-trees` among a sample of the
//! columns, averaged.
//!
//! Source: L. Breiman, "Random forests", Machine Learning 45 (2001), but with samples without
//! repeats, so that no row is counted twice.

use super::ballot::best_split;
use super::bins::Bins;
use super::draw::Draws;
use super::flat::{Forest, ForestParts, Link, MAX_DEPTH, MAX_TREES, Node, add_up_covers};
use super::matrix::Matrix;
use super::train::{TrainError, check_labels, in_parts, share_of, threads_or_all};

/// The fit counts in `f32`, which is exact up to here.
const MAX_ROWS: usize = 1 << 24;

/// How a forest is bagged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BagParams {
    /// Trees, 1 to 4,096.
    pub trees: usize,
    /// Splits between a root and a leaf at most, 1 to 256.
    pub max_depth: usize,
    /// Sampled rows in a leaf at least, from 1.
    pub min_rows_in_leaf: usize,
    /// Share of the rows that a tree is grown on, above 0 and at most 1. A bootstrap sample holds
    /// 0.632 of them.
    pub row_sample: f64,
    /// Share of the columns among which each split is chosen, above 0 and at most 1. Columns with
    /// one value do not count.
    pub column_sample: f64,
    /// Rows of the overall share of true labels that are added to each leaf, from 0.
    pub prior_rows: f64,
    /// Bins of a column at most, 2 to 255.
    pub max_bins: usize,
    /// Seed of the samples.
    pub seed: u64,
    /// Threads, 0 for as many as the machine has. The forest does not depend on it.
    pub threads: usize,
}

impl Default for BagParams {
    fn default() -> Self {
        Self {
            trees: 100,
            max_depth: 20,
            min_rows_in_leaf: 20,
            row_sample: 0.2,
            column_sample: 0.1,
            prior_rows: 2.0,
            max_bins: 255,
            seed: 0,
            threads: 0,
        }
    }
}

impl BagParams {
    fn check(&self) -> Result<(), TrainError> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        [
            ("trees", (1..=MAX_TREES).contains(&self.trees)),
            ("max_depth", (1..=MAX_DEPTH).contains(&self.max_depth)),
            ("min_rows_in_leaf", self.min_rows_in_leaf > 0),
            ("row_sample", share(self.row_sample)),
            ("column_sample", share(self.column_sample)),
            (
                "prior_rows",
                self.prior_rows.is_finite() && self.prior_rows >= 0.0,
            ),
        ]
        .into_iter()
        .find(|&(_, holds)| !holds)
        .map_or(Ok(()), |(name, _)| Err(TrainError::Param(name)))
    }
}

/// Returns a forest that scores the probability of a true label.
///
/// The sampled rows decide the splits; the leaves' probabilities and the covers are those of all
/// rows. `progress` hears the number of trees as they are added. The same arguments give
/// the same forest to the bit, whatever the number of threads.
///
/// # Errors
/// [`TrainError`] when arguments do not fit, or the rows show only one outcome.
pub fn bag(
    rows: &Matrix,
    labels: &[bool],
    params: &BagParams,
    progress: &mut dyn FnMut(usize),
) -> Result<Forest, TrainError> {
    params.check()?;
    check_labels(rows, labels)?;
    if rows.rows() > MAX_ROWS {
        return Err(TrainError::Rows(rows.rows()));
    }
    let good = labels.iter().filter(|&&label| label).count();
    if good == 0 || good == labels.len() {
        return Err(TrainError::OneOutcome);
    }
    let bins = Bins::of(rows, params.max_bins)?;
    let plot = Plot {
        useful: (0..bins.columns())
            .filter(|&column| !bins.cuts(column).is_empty())
            .collect(),
        prior: good as f64 / labels.len() as f64,
        bins: &bins,
        labels,
        params,
    };
    let threads = threads_or_all(params.threads);
    let mut parts = ForestParts::new(Link::Mean, 0.0, bins.columns() as u32);
    let numbers: Vec<usize> = (0..params.trees).collect();
    // A few trees a thread at a time, so that progress is heard.
    for some in numbers.chunks(2 * threads) {
        let mut trees: Vec<(usize, Result<Vec<Node>, TrainError>)> = some
            .iter()
            .map(|&number| (number, Ok(Vec::new())))
            .collect();
        in_parts(&mut trees, threads, |_, trees| {
            for (number, tree) in trees {
                *tree = plot.grow(*number);
            }
        });
        for (number, tree) in trees {
            parts.push_tree(&tree?);
            progress(number + 1);
        }
    }
    Ok(Forest::try_from(parts)?)
}

/// What trees are grown from.
struct Plot<'a> {
    bins: &'a Bins,
    labels: &'a [bool],
    /// Columns with more than one value.
    useful: Vec<usize>,
    /// Share of true labels.
    prior: f64,
    params: &'a BagParams,
}

impl Plot<'_> {
    /// Returns tree number `number`.
    fn grow(&self, number: usize) -> Result<Vec<Node>, TrainError> {
        let mut draws = Draws::new(self.params.seed, number as u64);
        let count = share_of(self.labels.len(), self.params.row_sample);
        let sample = draws.choose(self.labels.len(), count);
        let mut tree = vec![Node::leaf(0.0)];
        let mut last_left = vec![0];
        let mut open = vec![(0, sample, 0)];
        while let Some((at, rows, depth)) = open.pop() {
            if depth == self.params.max_depth {
                continue;
            }
            let Some((column, last)) = self.split(&rows, &mut draws)? else {
                continue;
            };
            let of_row = self.bins.column(column);
            let (left, right) = rows
                .into_iter()
                .partition(|&row| goes_left(of_row, row, last));
            let next = tree.len() as u32;
            if let (Some(node), Some(last_left)) = (tree.get_mut(at), last_left.get_mut(at)) {
                *node = Node {
                    feature: column as u16,
                    threshold: self
                        .bins
                        .cuts(column)
                        .get(last as usize)
                        .copied()
                        .unwrap_or(0.0),
                    left: next,
                    right: next + 1,
                    ..Node::leaf(0.0)
                };
                *last_left = last;
            }
            tree.extend([Node::leaf(0.0); 2]);
            last_left.extend([0; 2]);
            open.push((next as usize + 1, right, depth + 1));
            open.push((next as usize, left, depth + 1));
        }
        self.fit_leaves(&mut tree, &last_left);
        Ok(tree)
    }

    /// Returns the best split of some rows, as column and last bin that goes left.
    fn split(&self, rows: &[u32], draws: &mut Draws) -> Result<Option<(usize, u8)>, TrainError> {
        let labels: Vec<bool> = rows
            .iter()
            .filter_map(|&row| self.labels.get(row as usize).copied())
            .collect();
        let first = labels.first();
        if rows.len() < 2 * self.params.min_rows_in_leaf
            || labels.iter().all(|label| Some(label) == first)
        {
            return Ok(None);
        }
        let count = share_of(self.useful.len(), self.params.column_sample);
        let mut columns = Vec::with_capacity(count);
        let mut bins = Vec::with_capacity(count * rows.len());
        for at in draws.choose(self.useful.len(), count) {
            let Some(&column) = self.useful.get(at as usize) else {
                continue;
            };
            let of_row = self.bins.column(column);
            let from = bins.len();
            bins.extend(
                rows.iter()
                    .filter_map(|&row| of_row.get(row as usize).copied())
                    .map(f32::from),
            );
            // A column with one value here cannot split and need not be sorted.
            let here = bins.get(from..).unwrap_or_default();
            if here.iter().any(|bin| Some(bin) != here.first()) {
                columns.push(column);
            } else {
                bins.truncate(from);
            }
        }
        if columns.is_empty() {
            return Ok(None);
        }
        let split = best_split(bins, &labels, self.params.min_rows_in_leaf)?;
        Ok(split.and_then(|(at, last)| Some((*columns.get(at)?, last))))
    }

    /// Fills probabilities and covers from all rows.
    fn fit_leaves(&self, tree: &mut [Node], last_left: &[u8]) {
        let mut good = vec![0.0; tree.len()];
        for (row, &label) in self.labels.iter().enumerate() {
            let mut at = 0;
            while let (Some(node), Some(&last)) = (tree.get(at), last_left.get(at))
                && node.left != 0
            {
                let left = goes_left(self.bins.column(node.feature as usize), row as u32, last);
                at = if left { node.left } else { node.right } as usize;
            }
            if let (Some(leaf), Some(good)) = (tree.get_mut(at), good.get_mut(at)) {
                leaf.cover += 1.0;
                *good += f64::from(u8::from(label));
            }
        }
        let prior_rows = self.params.prior_rows;
        for (node, good) in tree.iter_mut().zip(good) {
            // Sampled rows are among all rows, so that no leaf is without.
            if node.left == 0 {
                let share = (good + self.prior * prior_rows) / (node.cover + prior_rows);
                node.value = share as f32;
            }
        }
        add_up_covers(tree);
    }
}

fn goes_left(of_row: &[u8], row: u32, last: u8) -> bool {
    of_row.get(row as usize).is_none_or(|&bin| bin <= last)
}

#[cfg(test)]
mod tests;
