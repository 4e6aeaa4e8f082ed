//! Quantile bins: columns of `f32` as columns of `u8`, for training.
//!
//! Bin `b` of a column holds the values above cut `b - 1` and up to cut `b`. So a split of bins at
//! `b` and the rule `value <= cut b` send every row the same way, seen in training or not.

use super::matrix::Matrix;

/// The largest number of bins of a column.
pub const MAX_BINS: usize = 255;

/// The number of bins is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} bins a column; there are 2 to {MAX_BINS}")]
pub struct BinError(pub usize);

/// A matrix in bins, column after column.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    rows: usize,
    cells: Vec<u8>,
    cuts: Vec<Vec<f32>>,
}

impl Bins {
    /// Returns the rows in bins, at most `max_bins` a column.
    ///
    /// Distinct values have a bin each where there are few enough; else bins hold about as many rows
    /// each, and a value with many rows has its own.
    ///
    /// # Errors
    /// [`BinError`] when `max_bins` is not 2 to [`MAX_BINS`].
    pub fn of(rows: &Matrix, max_bins: usize) -> Result<Self, BinError> {
        if !(2..=MAX_BINS).contains(&max_bins) {
            return Err(BinError(max_bins));
        }
        let mut cells = Vec::with_capacity(rows.values().len());
        let mut cuts = Vec::with_capacity(rows.columns());
        let mut sorted = Vec::with_capacity(rows.rows());
        for column in 0..rows.columns() {
            let values = || rows.values().iter().skip(column).step_by(rows.columns());
            sorted.clear();
            sorted.extend(values().copied());
            sorted.sort_unstable_by(f32::total_cmp);
            let of_column = quantile_cuts(&sorted, max_bins);
            cells.extend(values().map(|&value| bin(&of_column, value)));
            cuts.push(of_column);
        }
        Ok(Self {
            rows: rows.rows(),
            cells,
            cuts,
        })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.cuts.len()
    }

    /// Returns the bin of each row in this column; nothing beyond the last column.
    pub fn column(&self, column: usize) -> &[u8] {
        let from = column.saturating_mul(self.rows);
        self.cells
            .get(from..from.saturating_add(self.rows))
            .unwrap_or_default()
    }

    /// Returns the cuts of this column, ascending; it has one bin more.
    pub fn cuts(&self, column: usize) -> &[f32] {
        self.cuts.get(column).map_or(&[], Vec::as_slice)
    }
}

/// Returns the bin of a value: how many cuts lie below it.
fn bin(cuts: &[f32], value: f32) -> u8 {
    cuts.partition_point(|&cut| cut < value) as u8
}

fn quantile_cuts(sorted: &[f32], max_bins: usize) -> Vec<f32> {
    let runs: Vec<(f32, usize)> = sorted
        .chunk_by(|a, b| a == b)
        .filter_map(|run| Some((*run.first()?, run.len())))
        .collect();
    let mut cuts = Vec::new();
    let mut rows_left = sorted.len();
    let mut in_bin = 0;
    let pairs = runs.iter().zip(runs.iter().skip(1));
    for (at, (&(value, count), &(next, next_count))) in pairs.enumerate() {
        let bins_left = max_bins - cuts.len();
        if bins_left == 1 {
            break;
        }
        in_bin += count;
        let full = |rows: usize| rows * bins_left >= rows_left;
        // From here on each value can have a bin of its own.
        let enough_bins = runs.len() - at <= bins_left;
        if enough_bins || full(in_bin) || full(next_count) {
            cuts.push(between(value, next));
            rows_left -= in_bin;
            in_bin = 0;
        }
    }
    cuts
}

/// Returns a number from `low` up to, but not, `high`: their middle if there is one.
fn between(low: f32, high: f32) -> f32 {
    let middle = f64::midpoint(f64::from(low), f64::from(high)) as f32;
    if middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draws;
    use super::*;
    use proptest::prelude::*;

    fn column(values: &[f32], max_bins: usize) -> Bins {
        Bins::of(
            &Matrix::try_new(values.len(), 1, values.to_vec()).unwrap(),
            max_bins,
        )
        .unwrap()
    }

    #[test]
    fn few_values_have_a_bin_each() {
        let bins = column(&[3.0, 1.0, 1.0, 2.0, 3.0], 255);
        assert_eq!(bins.cuts(0), [1.5, 2.5]);
        assert_eq!(bins.column(0), [2, 0, 0, 1, 2]);
        assert_eq!(column(&[7.0; 4], 255).cuts(0), [0.0; 0]);
    }

    #[test]
    fn neighbours_without_a_number_between_them_are_cut_apart() {
        let bins = column(&[1.0, 1.0_f32.next_up()], 255);
        assert_eq!(bins.column(0), [0, 1]);
        let extremes = column(&[f32::MIN, f32::MAX], 255);
        assert_eq!(extremes.cuts(0), [0.0]);
        assert_eq!(column(&[-0.0, 0.0], 255).column(0), [0, 0]);
    }

    #[test]
    fn many_values_share_bins_of_about_the_same_size() {
        let values: Vec<f32> = (0..10_000).map(|at| at as f32).collect();
        let bins = column(&values, 100);
        let mut sizes = [0; 100];
        for &bin in bins.column(0) {
            sizes[bin as usize] += 1;
        }
        assert!(sizes.iter().all(|&size| size == 100), "{sizes:?}");
    }

    #[test]
    fn a_value_with_many_rows_has_its_own_bin() {
        let mut draws = Draws::new(1, 0);
        let values: Vec<f32> = (0..10_000)
            .map(|at| {
                if at % 10 == 0 {
                    draws.unit() as f32
                } else {
                    0.5
                }
            })
            .collect();
        let bins = column(&values, 20);
        let of_half = bins.column(0)[1];
        let others = values.iter().zip(bins.column(0));
        assert!(
            others
                .filter(|(value, _)| **value != 0.5)
                .all(|(_, &bin)| bin != of_half)
        );
        assert!(bins.cuts(0).len() >= 10, "{:?}", bins.cuts(0));
    }

    #[test]
    fn a_number_of_bins_out_of_bounds_is_refused() {
        let rows = Matrix::try_new(1, 1, vec![0.0]).unwrap();
        assert_eq!(Bins::of(&rows, 1), Err(BinError(1)));
        assert_eq!(Bins::of(&rows, 256), Err(BinError(256)));
    }

    proptest! {
        #[test]
        fn a_split_of_bins_and_the_rule_of_its_cut_agree(
            values in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 1..400),
            max_bins in 2_usize..=255,
        ) {
            let bins = column(&values, max_bins);
            let cuts = bins.cuts(0);
            prop_assert!(cuts.len() < max_bins);
            prop_assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]));
            for (&value, &bin) in values.iter().zip(bins.column(0)) {
                for (at, &cut) in cuts.iter().enumerate() {
                    prop_assert_eq!(value <= cut, bin as usize <= at);
                }
            }
        }

        #[test]
        fn enough_bins_tell_all_values_apart(values in prop::collection::vec(-60_i32..60, 1..400)) {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32 / 8.0).collect();
            let bins = column(&values, 120);
            let mut distinct = values.clone();
            distinct.sort_by(f32::total_cmp);
            distinct.dedup();
            prop_assert_eq!(bins.cuts(0).len() + 1, distinct.len());
        }
    }
}
