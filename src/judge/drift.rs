//! Drift: how far what is judged now lies from what a model learnt from.
//!
//! Population stability index: for each feature the shares of cases in ten bins then and now, `sum of (now - then)
//! ln(now / then)`. Below 0.1 is taken for stable, from 0.25 on for another population (N. Siddiqi, "Credit risk
//! scorecards", 2006).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::model::columns;

/// Bins of a feature at most.
const BINS: usize = 10;
/// Cases of a window; two windows are looked at together, so that a gauge never starts from nothing.
const WINDOW: u32 = 5_000;
/// Cases that a figure needs.
const ENOUGH: u32 = 1_000;
/// A share is taken for no less than this: an empty bin says "rare", not "impossible".
const RARE: f64 = 1e-3;

/// How one feature was spread over the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The column.
    column: u16,
    /// Upper ends of all bins but the last, rising.
    cuts: Vec<f32>,
    /// The share of rows in each bin.
    shares: Vec<f32>,
}

impl Spread {
    /// Returns how a column is spread; `None` if it has one value.
    pub fn of(column: u16, mut values: Vec<f32>) -> Option<Self> {
        values.sort_by(f32::total_cmp);
        let n = values.len();
        let mut cuts: Vec<f32> = (1..BINS)
            .filter_map(|bin| values.get(bin * n / BINS).copied())
            .collect();
        cuts.dedup();
        // The largest value ends no bin.
        while cuts.last().is_some_and(|cut| Some(cut) == values.last()) {
            cuts.pop();
        }
        if cuts.is_empty() && values.first() == values.last() {
            return None;
        }
        let mut spread = Self {
            column,
            shares: vec![0.0; cuts.len() + 1],
            cuts,
        };
        for value in values {
            let bin = spread.bin(value);
            if let Some(share) = spread.shares.get_mut(bin) {
                *share += 1.0 / n as f32;
            }
        }
        Some(spread)
    }

    fn bin(&self, value: f32) -> usize {
        self.cuts.partition_point(|cut| *cut < value)
    }

    /// Whether it is one: as many shares as bins, cuts that rise, a column that there is.
    pub(super) fn holds(&self, columns: usize) -> bool {
        self.shares.len() == self.cuts.len() + 1
            && usize::from(self.column) < columns
            && self.cuts.is_sorted_by(|a, b| a < b)
            && self.shares.iter().all(|share| (0.0..=1.1).contains(share))
    }
}

/// Cases by bin, for each spread of a model.
#[derive(Debug, Clone, Default)]
struct Counts {
    bins: Vec<[u32; BINS]>,
    cases: u32,
}

impl Counts {
    fn count(&mut self, reference: &[Spread], row: &[f32]) {
        self.bins.resize(reference.len(), [0; BINS]);
        self.cases += 1;
        for (spread, bins) in reference.iter().zip(&mut self.bins) {
            let value = row.get(usize::from(spread.column)).copied();
            let bin = value.and_then(|value| bins.get_mut(spread.bin(value)));
            if let Some(count) = bin {
                *count += 1;
            }
        }
    }
}

/// What was judged lately by one model.
#[derive(Debug, Default)]
pub struct Drift {
    before: Counts,
    now: Counts,
}

impl Drift {
    /// Counts a row that was judged.
    pub fn count(&mut self, reference: &[Spread], row: &[f32]) {
        if self.now.cases >= WINDOW {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.count(reference, row);
    }

    /// Returns the population stability index of each group of features, the mean over its columns, and the cases
    /// it is of; nothing while there are too few.
    pub fn by_group(&self, reference: &[Spread]) -> Option<(BTreeMap<&'static str, f64>, u32)> {
        let cases = self.before.cases + self.now.cases;
        if cases < ENOUGH {
            return None;
        }
        let columns = columns();
        let mut groups: BTreeMap<&'static str, (f64, u32)> = BTreeMap::new();
        for (at, spread) in reference.iter().enumerate() {
            let Some(column) = columns.get(usize::from(spread.column)) else {
                continue;
            };
            let mut index = 0.0;
            for (bin, then) in spread.shares.iter().enumerate() {
                let counted = [&self.before, &self.now].map(|counts| {
                    let bins = counts.bins.get(at);
                    bins.and_then(|bins| bins.get(bin)).copied().unwrap_or(0)
                });
                let now = f64::from(counted.iter().sum::<u32>()) / f64::from(cases);
                let (now, then) = (now.max(RARE), f64::from(*then).max(RARE));
                index += (now - then) * (now / then).ln();
            }
            let (sum, n) = groups.entry(column.group).or_default();
            *sum += index;
            *n += 1;
        }
        let means = groups
            .into_iter()
            .map(|(group, (sum, n))| (group, sum / f64::from(n)));
        Some((means.collect(), cases))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Vec<Spread> {
        let values = (0..1_000).map(|n| n as f32 / 10.0).collect();
        vec![Spread::of(0, values).unwrap()]
    }

    fn index(value: impl Fn(u32) -> f32, cases: u32) -> Option<f64> {
        let reference = reference();
        let mut drift = Drift::default();
        for n in 0..cases {
            drift.count(&reference, &[value(n)]);
        }
        let (groups, of) = drift.by_group(&reference)?;
        assert_eq!(of, cases.min(WINDOW + cases.saturating_sub(1) % WINDOW + 1));
        groups.get("shape").copied()
    }

    #[test]
    fn the_same_population_has_hardly_an_index_and_another_one_a_large_one() {
        let same = index(|n| (n % 1_000) as f32 / 10.0, 2_000).unwrap();
        assert!(same < 0.001, "{same}");
        let shifted = index(|n| (n % 1_000) as f32 / 10.0 + 30.0, 2_000).unwrap();
        assert!(shifted > 0.25, "{shifted}");
    }

    #[test]
    fn few_cases_have_no_index_and_old_ones_are_forgotten() {
        assert_eq!(index(|_| 1.0, ENOUGH - 1), None);
        let late = index(
            |n| {
                if n < 10_000 {
                    5_000.0
                } else {
                    (n % 1_000) as f32 / 10.0
                }
            },
            20_000,
        );
        assert!(late.unwrap() < 0.001, "{late:?}");
    }

    #[test]
    fn a_column_with_one_value_has_no_spread_and_one_with_two_has_two_bins() {
        assert_eq!(Spread::of(0, vec![3.0; 50]), None);
        let two = Spread::of(0, [vec![0.0; 95], vec![1.0; 5]].concat()).unwrap();
        assert_eq!(two.cuts, [0.0]);
        assert!((two.shares[0] - 0.95).abs() < 1e-3 && two.holds(1) && !two.holds(0));
    }
}
