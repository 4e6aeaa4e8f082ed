//! Grows one tree of a boosted forest, leaf-wise: the leaf whose split gains most is split next.
//!
//! Each histogram is summed over its rows in their order, by one thread, so that the tree is the
//! same for every number of threads.

use super::bins::Bins;
use super::flat::Node;
use super::histogram::{Histogram, Limits, Split, Sums};
use super::train::in_parts;

/// Below this many additions to histograms a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 60_000;

/// What a tree is grown from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Soil<'a> {
    pub(super) bins: &'a Bins,
    /// Gradient and hessian of every row.
    pub(super) gradients: &'a [[f32; 2]],
    /// Columns that the tree may read.
    pub(super) columns: &'a [u16],
    pub(super) limits: Limits,
    pub(super) max_leaves: usize,
    pub(super) learning_rate: f64,
    pub(super) threads: usize,
}

/// A grown tree; the covers are still 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grown {
    pub(super) nodes: Vec<Node>,
    /// The last bin that goes left, of each split.
    last_left: Vec<u8>,
}

impl Grown {
    /// Returns the leaf that a row of the bins ends in.
    pub(super) fn leaf_of(&self, bins: &Bins, row: usize) -> u32 {
        let mut at = 0;
        while let (Some(node), Some(&last)) = (self.nodes.get(at), self.last_left.get(at)) {
            if node.left == 0 {
                break;
            }
            let bin = bins.column(node.feature as usize).get(row);
            at = match bin {
                Some(&bin) if bin > last => node.right as usize,
                _ => node.left as usize,
            };
        }
        at as u32
    }
}

/// A leaf that may still be split.
struct Open {
    node: u32,
    /// Its rows are `rows[from..to]` of the tree's.
    from: usize,
    to: usize,
    histograms: Vec<Histogram>,
    best: Option<Split>,
}

impl Open {
    fn gain(&self) -> f64 {
        self.best.map_or(0.0, |best| best.gain)
    }
}

impl Soil<'_> {
    /// Grows a tree on these rows, which are ascending and come back in another order.
    pub(super) fn grow(&self, rows: &mut [u32]) -> Grown {
        let mut all = Sums::default();
        for gradient in self.gradients_of(rows) {
            all.add(gradient);
        }
        let mut grown = Grown {
            nodes: vec![self.leaf(all)],
            last_left: vec![0],
        };
        let mut root = Open {
            node: 0,
            from: 0,
            to: rows.len(),
            histograms: self.empty(),
            best: None,
        };
        if self.max_leaves > 1 && self.limits.may_split(all.rows) {
            self.fill(&mut root.histograms, rows, all);
            root.best = best_of(&root.histograms);
        }
        let mut open = vec![root];
        for leaves in 2..=self.max_leaves {
            let Some((leaf, split)) = take_best(&mut open) else {
                break;
            };
            let middle = leaf.from + self.part(rows.get_mut(leaf.from..leaf.to), &split);
            let (left, right) = self.split(&mut grown, leaf.node, &split);
            let more = leaves < self.max_leaves;
            self.open_children(&mut open, rows, leaf, middle, [left, right], &split, more);
        }
        grown
    }

    fn leaf(&self, sums: Sums) -> Node {
        Node::leaf((self.learning_rate * sums.leaf_value(self.limits.l2)) as f32)
    }

    fn empty(&self) -> Vec<Histogram> {
        self.columns
            .iter()
            .map(|&column| Histogram::empty(column, self.bins.cuts(column as usize).len() + 1))
            .collect()
    }

    fn gradients_of(&self, rows: &[u32]) -> Vec<[f32; 2]> {
        rows.iter()
            .filter_map(|&row| self.gradients.get(row as usize).copied())
            .collect()
    }

    /// Turns a leaf into a split and returns its children.
    fn split(&self, grown: &mut Grown, node: u32, split: &Split) -> (u32, u32) {
        let left = grown.nodes.len() as u32;
        let cuts = self.bins.cuts(split.column as usize);
        if let (Some(node), Some(last)) = (
            grown.nodes.get_mut(node as usize),
            grown.last_left.get_mut(node as usize),
        ) {
            *node = Node {
                feature: split.column,
                threshold: cuts.get(split.bin as usize).copied().unwrap_or(0.0),
                left,
                right: left + 1,
                ..Node::leaf(0.0)
            };
            *last = split.bin;
        }
        grown
            .nodes
            .extend([self.leaf(split.left), self.leaf(split.right)]);
        grown.last_left.extend([0, 0]);
        (left, left + 1)
    }

    /// Orders the rows of a leaf left before right, each side in its order, and returns how many go
    /// left.
    fn part(&self, rows: Option<&mut [u32]>, split: &Split) -> usize {
        let rows = rows.unwrap_or_default();
        let of_row = self.bins.column(split.column as usize);
        let (left, right): (Vec<u32>, Vec<u32>) = rows
            .iter()
            .partition(|&&row| of_row.get(row as usize).is_none_or(|&bin| bin <= split.bin));
        for (slot, &row) in rows.iter_mut().zip(left.iter().chain(&right)) {
            *slot = row;
        }
        left.len()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one split; a struct would be made for this call alone"
    )]
    fn open_children(
        &self,
        open: &mut Vec<Open>,
        rows: &[u32],
        parent: Open,
        middle: usize,
        children: [u32; 2],
        split: &Split,
        more: bool,
    ) {
        let may_split = [split.left, split.right].map(|side| self.limits.may_split(side.rows));
        if !more || may_split == [false, false] {
            return;
        }
        // The smaller child is summed; the larger is what that leaves of the parent.
        let left_is_small = middle - parent.from <= parent.to - middle;
        let (from, to) = if left_is_small {
            (parent.from, middle)
        } else {
            (middle, parent.to)
        };
        let mut pairs: Vec<(Histogram, Histogram)> =
            self.empty().into_iter().zip(parent.histograms).collect();
        let rows_of_small = rows.get(from..to).unwrap_or_default();
        let gradients = self.gradients_of(rows_of_small);
        let (small, large) = if left_is_small {
            (split.left, split.right)
        } else {
            (split.right, split.left)
        };
        in_parts(
            &mut pairs,
            self.threads_for(rows_of_small.len()),
            |_, pairs| {
                for (of_small, of_large) in pairs {
                    of_small.fill(
                        rows_of_small,
                        &gradients,
                        self.bins.column(of_small.column as usize),
                    );
                    of_large.subtract(of_small);
                    of_small.find_best(small, &self.limits);
                    of_large.find_best(large, &self.limits);
                }
            },
        );
        let (of_small, of_large): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let (of_left, of_right) = if left_is_small {
            (of_small, of_large)
        } else {
            (of_large, of_small)
        };
        let [left, right] = children;
        for (node, from, to, histograms) in [
            (left, parent.from, middle, of_left),
            (right, middle, parent.to, of_right),
        ] {
            let best = best_of(&histograms);
            if best.is_some() {
                open.push(Open {
                    node,
                    from,
                    to,
                    histograms,
                    best,
                });
            }
        }
    }

    fn fill(&self, histograms: &mut [Histogram], rows: &[u32], all: Sums) {
        let gradients = self.gradients_of(rows);
        in_parts(histograms, self.threads_for(rows.len()), |_, histograms| {
            for histogram in histograms {
                histogram.fill(
                    rows,
                    &gradients,
                    self.bins.column(histogram.column as usize),
                );
                histogram.find_best(all, &self.limits);
            }
        });
    }

    fn threads_for(&self, rows: usize) -> usize {
        let worth = rows * self.columns.len() / WORTH_A_THREAD;
        self.threads.min(worth.max(1))
    }
}

/// Returns the split that gains most; of equal ones that of the first column.
fn best_of(histograms: &[Histogram]) -> Option<Split> {
    histograms
        .iter()
        .filter_map(|histogram| histogram.best)
        .reduce(|best, split| if split.gain > best.gain { split } else { best })
}

/// Takes the leaf whose split gains most; of equal ones the oldest.
fn take_best(open: &mut Vec<Open>) -> Option<(Open, Split)> {
    let mut best = 0;
    let mut gain = 0.0;
    for (at, leaf) in open.iter().enumerate() {
        if leaf.gain() > gain {
            (best, gain) = (at, leaf.gain());
        }
    }
    if gain == 0.0 {
        return None;
    }
    let leaf = open.remove(best);
    let split = leaf.best?;
    Some((leaf, split))
}

#[cfg(test)]
mod tests {
    use super::super::draw::Draws;
    use super::super::matrix::Matrix;
    use super::*;

    const LIMITS: Limits = Limits {
        rows: 10,
        hessian: 0.0,
        l2: 1.0,
    };

    fn field(rows: usize, columns: usize) -> (Bins, Vec<[f32; 2]>) {
        let mut draws = Draws::new(1, 0);
        let values: Vec<f32> = (0..rows * columns).map(|_| draws.unit() as f32).collect();
        let matrix = Matrix::try_new(rows, columns, values).unwrap();
        let gradients = (0..rows)
            .map(|row| {
                let [a, b] = [matrix.row(row)[0], matrix.row(row)[1]];
                let wanted = if a > 0.5 && b > 0.25 { 1.0 } else { -1.0 };
                [wanted + draws.unit() as f32 / 4.0, 1.0]
            })
            .collect();
        (Bins::of(&matrix, 64).unwrap(), gradients)
    }

    fn soil<'a>(bins: &'a Bins, gradients: &'a [[f32; 2]], columns: &'a [u16]) -> Soil<'a> {
        Soil {
            bins,
            gradients,
            columns,
            limits: LIMITS,
            max_leaves: 8,
            learning_rate: 1.0,
            threads: 1,
        }
    }

    #[test]
    fn a_tree_finds_what_the_gradients_hang_on() {
        let (bins, gradients) = field(2_000, 4);
        let tree = Soil {
            max_leaves: 3,
            ..soil(&bins, &gradients, &[0, 1, 2, 3])
        }
        .grow(&mut (0..2_000).collect::<Vec<u32>>());
        let mut read: Vec<u16> = tree
            .nodes
            .iter()
            .filter(|node| node.left != 0)
            .map(|node| node.feature)
            .collect();
        read.sort_unstable();
        assert_eq!(read, [0, 1]);
        for node in tree.nodes.iter().filter(|node| node.left != 0) {
            let truth = [0.5, 0.25][node.feature as usize];
            // A cut lies between quantiles: 64 of them.
            assert!((node.threshold - truth).abs() < 0.02, "{node:?}");
        }
        // Only where both columns say so is the gradient positive.
        let lifted = tree.nodes.iter().filter(|node| node.value < 0.0);
        assert_eq!(lifted.count(), 1);
    }

    #[test]
    fn leaves_are_as_many_as_asked_for_and_hold_enough_rows() {
        let (bins, gradients) = field(2_000, 4);
        for max_leaves in [1, 2, 8, 31] {
            let soil = Soil {
                max_leaves,
                ..soil(&bins, &gradients, &[0, 2, 3])
            };
            let tree = soil.grow(&mut (0..2_000).collect::<Vec<u32>>());
            let mut rows_of = vec![0; tree.nodes.len()];
            (0..2_000).for_each(|row| rows_of[tree.leaf_of(&bins, row) as usize] += 1);
            let leaves: Vec<usize> = (0..tree.nodes.len())
                .filter(|&at| tree.nodes[at].left == 0)
                .collect();
            assert_eq!(leaves.len(), max_leaves);
            assert!(leaves.iter().all(|&at| rows_of[at] >= LIMITS.rows));
            assert!(tree.nodes.iter().all(|node| node.feature != 1));
        }
    }

    #[test]
    fn the_tree_is_the_same_for_every_number_of_threads() {
        let (bins, gradients) = field(30_000, 9);
        let columns: Vec<u16> = (0..9).collect();
        let one = soil(&bins, &gradients, &columns);
        assert!(Soil { threads: 4, ..one }.threads_for(30_000) == 4);
        let tree = one.grow(&mut (0..30_000).collect::<Vec<u32>>());
        for threads in 2..5 {
            let other = Soil { threads, ..one }.grow(&mut (0..30_000).collect::<Vec<u32>>());
            assert_eq!(other, tree);
        }
    }

    #[test]
    fn leaf_values_are_the_newton_steps_of_their_rows() {
        let (bins, gradients) = field(500, 2);
        let tree = soil(&bins, &gradients, &[0, 1]).grow(&mut (0..500).collect::<Vec<u32>>());
        for (at, node) in tree
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.left == 0)
        {
            let mut sums = Sums::default();
            (0..500)
                .filter(|&row| tree.leaf_of(&bins, row) == at as u32)
                .for_each(|row| sums.add(gradients[row]));
            assert!((f64::from(node.value) - sums.leaf_value(1.0)).abs() < 1e-6);
        }
    }
}
