//! Histograms of gradients over the bins of a column, and the best split each offers.

/// What the rows on one side of a split add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
    pub(super) rows: u32,
}

impl Sums {
    /// Adds one row.
    #[inline]
    pub(super) fn add(&mut self, [gradient, hessian]: [f32; 2]) {
        self.gradient += f64::from(gradient);
        self.hessian += f64::from(hessian);
        self.rows += 1;
    }

    fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            hessian: self.hessian + other.hessian,
            rows: self.rows + other.rows,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows.saturating_sub(other.rows),
        }
    }

    /// Returns twice the loss that the best value of a leaf saves, with this penalty on its square.
    /// Source: T. Chen and C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, eq. 6.
    fn saved(self, l2: f64) -> f64 {
        let weight = self.hessian + l2;
        if weight > 0.0 {
            self.gradient * self.gradient / weight
        } else {
            0.0
        }
    }

    /// Returns the best value of a leaf; eq. 5 there.
    pub(super) fn leaf_value(self, l2: f64) -> f64 {
        let weight = self.hessian + l2;
        if weight > 0.0 {
            -self.gradient / weight
        } else {
            0.0
        }
    }
}

/// What each side of a split must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) rows: u32,
    pub(super) hessian: f64,
    pub(super) l2: f64,
}

impl Limits {
    fn allow(&self, side: Sums) -> bool {
        side.rows >= self.rows && side.hessian >= self.hessian
    }

    /// Returns whether a node of this many rows may be split at all.
    pub(super) fn may_split(&self, rows: u32) -> bool {
        rows / 2 >= self.rows
    }
}

/// A split of a node: bins up to `bin` of the column go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub(super) gain: f64,
    pub(super) column: u16,
    pub(super) bin: u8,
    pub(super) left: Sums,
    pub(super) right: Sums,
}

/// Less gain than this is rounding.
const MIN_GAIN: f64 = 1e-9;

/// The histogram of one column in one node.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    pub(super) column: u16,
    cells: Vec<Sums>,
    pub(super) best: Option<Split>,
}

impl Histogram {
    /// Returns an empty histogram of this many bins.
    pub(super) fn empty(column: u16, bins: usize) -> Self {
        Self {
            column,
            cells: vec![Sums::default(); bins],
            best: None,
        }
    }

    /// Adds rows with their gradients and hessians; `of_row` is the column's bin of every row.
    pub(super) fn fill(&mut self, rows: &[u32], gradients: &[[f32; 2]], of_row: &[u8]) {
        for (&row, &gradient) in rows.iter().zip(gradients) {
            let bin = of_row.get(row as usize).copied().unwrap_or(0);
            if let Some(cell) = self.cells.get_mut(bin as usize) {
                cell.add(gradient);
            }
        }
    }

    /// Takes away what is in a child, which leaves the other child.
    pub(super) fn subtract(&mut self, child: &Self) {
        for (cell, &of_child) in self.cells.iter_mut().zip(&child.cells) {
            *cell = cell.minus(of_child);
        }
    }

    /// Finds the best split that the limits allow; `all` is the sum of the node.
    pub(super) fn find_best(&mut self, all: Sums, limits: &Limits) {
        let unsplit = all.saved(limits.l2);
        let mut left = Sums::default();
        let mut best: Option<Split> = None;
        // A split after the last bin has nothing on the right.
        let last = self.cells.len().saturating_sub(1);
        for (bin, &cell) in self.cells.iter().enumerate().take(last) {
            left = left.plus(cell);
            // An empty bin splits as the bin before it did.
            if cell.rows == 0 || !limits.allow(left) {
                continue;
            }
            let right = all.minus(left);
            if !limits.allow(right) {
                continue;
            }
            let gain = left.saved(limits.l2) + right.saved(limits.l2) - unsplit;
            if gain > best.map_or(MIN_GAIN, |best| best.gain) {
                best = Some(Split {
                    gain,
                    column: self.column,
                    bin: bin as u8,
                    left,
                    right,
                });
            }
        }
        self.best = best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        rows: 1,
        hessian: 0.0,
        l2: 0.0,
    };

    fn filled(bins: &[u8], gradients: &[[f32; 2]]) -> (Histogram, Sums) {
        let rows: Vec<u32> = (0..bins.len() as u32).collect();
        let mut histogram = Histogram::empty(3, 4);
        histogram.fill(&rows, gradients, bins);
        let mut all = Sums::default();
        gradients.iter().for_each(|&gradient| all.add(gradient));
        (histogram, all)
    }

    const BINS: [u8; 6] = [0, 0, 1, 3, 3, 3];
    const GRADIENTS: [[f32; 2]; 6] = [
        [1.0, 1.0],
        [1.0, 1.0],
        [1.0, 1.0],
        [-1.0, 1.0],
        [-1.0, 1.0],
        [-1.0, 1.0],
    ];

    #[test]
    fn the_best_split_parts_the_gradients() {
        let (mut histogram, all) = filled(&BINS, &GRADIENTS);
        histogram.find_best(all, &LIMITS);
        let best = histogram.best.unwrap();
        // 9/3 + 9/3 - 0; the empty bin 2 would part the same rows.
        assert_eq!((best.gain, best.column, best.bin), (6.0, 3, 1));
        assert_eq!((best.left.rows, best.right.rows), (3, 3));
        assert_eq!(best.right.leaf_value(0.0), 1.0);
        assert_eq!(best.left.leaf_value(3.0), -0.5);
    }

    #[test]
    fn limits_hold_on_both_sides() {
        for limits in [
            Limits { rows: 4, ..LIMITS },
            Limits {
                hessian: 3.5,
                ..LIMITS
            },
        ] {
            let (mut histogram, all) = filled(&BINS, &GRADIENTS);
            histogram.find_best(all, &limits);
            assert_eq!(histogram.best, None);
        }
        let (mut histogram, all) = filled(&BINS, &GRADIENTS);
        histogram.find_best(all, &Limits { rows: 3, ..LIMITS });
        assert!(histogram.best.is_some());
        assert!(LIMITS.may_split(2) && !LIMITS.may_split(1));
    }

    #[test]
    fn gradients_that_are_all_alike_offer_no_split() {
        let (mut histogram, all) = filled(&BINS, &[[0.1, 0.25]; 6]);
        histogram.find_best(all, &LIMITS);
        assert_eq!(histogram.best, None);
    }

    #[test]
    fn what_is_left_after_subtraction_is_the_other_child() {
        let (mut parent, _) = filled(&BINS, &GRADIENTS);
        let mut small = Histogram::empty(3, 4);
        small.fill(&[1, 4], &[GRADIENTS[1], GRADIENTS[4]], &BINS);
        parent.subtract(&small);
        let mut large = Histogram::empty(3, 4);
        let rows = [0, 2, 3, 5];
        large.fill(&rows, &rows.map(|row| GRADIENTS[row as usize]), &BINS);
        assert_eq!(parent.cells, large.cells);
    }
}
