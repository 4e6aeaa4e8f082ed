//! Scores rows: a layout for speed, derived from the flat form, and the plain walk it must equal.
//!
//! One step of a walk waits for the memory and the comparison of the step before it. So eight walks
//! go in lockstep: of one row through eight trees, or of eight rows through one tree. A step has no
//! branch: siblings lie side by side, and a leaf leads to itself, so that all walk as many steps as
//! the deepest needs.
//!
//! Leaves are added up in the order of the trees, in `f64`, whatever is walked together. A row has
//! the same score alone and in every batch, to the bit.

#![expect(
    clippy::indexing_slicing,
    reason = "the walk itself: links and columns were checked when the forest was built, rows are padded to its width"
)]

use super::flat::{Forest, ForestParts, Link};
use super::matrix::Matrix;

/// Walks in lockstep.
const LANES: usize = 8;
/// Trees whose leaves are kept apart before they are added up in order.
const CHUNK: usize = 256;
/// Rows that go through the trees together in a batch.
const BLOCK: usize = 64;
/// Rows of at most this width, padded, are copied to the stack.
const NARROW: usize = 256;

/// A node of the layout. A leaf has its value as threshold, the padding as column and step 0: the
/// padding is minus infinity and never above the value, so that a walk stays.
#[derive(Debug, Clone, Copy)]
struct HotNode {
    threshold: f32,
    column: u16,
    /// From here to the left child; the right one is the next.
    step: u16,
}

/// Trees that one row walks in lockstep.
#[derive(Debug, Clone, Copy)]
struct Group {
    roots: [u32; LANES],
    /// Place of each tree in its chunk; `CHUNK` where the group has no tree.
    slots: [u16; LANES],
    depth: u16,
}

/// The layout for speed: 8 bytes a node, each tree's nodes in breadth-first order.
#[derive(Debug, Clone)]
pub(super) struct Hot {
    nodes: Vec<HotNode>,
    /// Root and depth of each tree.
    trees: Vec<(u32, u16)>,
    /// Groups of trees of about the same depth, chunk after chunk.
    chunks: Vec<Vec<Group>>,
    columns: usize,
}

impl Hot {
    /// Returns the layout of valid parts; `depths` is that of each tree.
    pub(super) fn of(parts: &ForestParts, depths: &[u16]) -> Self {
        let padding = parts.columns as u16;
        let mut nodes = Vec::with_capacity(parts.feature.len() + 1);
        let mut trees = Vec::with_capacity(parts.roots.len());
        for (&root, &depth) in parts.roots.iter().zip(depths) {
            trees.push((nodes.len() as u32, depth));
            breadth_first(parts, root as usize, padding, &mut nodes);
        }
        // Lanes without a tree stay here.
        let nowhere = nodes.len() as u32;
        nodes.push(HotNode {
            threshold: 0.0,
            column: padding,
            step: 0,
        });
        let chunks = trees
            .chunks(CHUNK)
            .map(|chunk| groups(chunk, nowhere))
            .collect();
        Self {
            nodes,
            trees,
            chunks,
            columns: parts.columns as usize,
        }
    }

    /// Returns the sum of the leaves of one row, which ends with the padding.
    fn sum(&self, padded: &[f32]) -> f64 {
        let mut sum = 0.0;
        for (chunk, trees) in self.chunks.iter().zip(self.trees.chunks(CHUNK)) {
            let mut leaves = [0.0_f32; CHUNK + 1];
            for group in chunk {
                let mut at = group.roots;
                for _ in 0..group.depth {
                    for at in &mut at {
                        *at = self.next(*at, padded);
                    }
                }
                for (&slot, &at) in group.slots.iter().zip(&at) {
                    leaves[slot as usize] = self.nodes[at as usize].threshold;
                }
            }
            for &leaf in &leaves[..trees.len()] {
                sum += f64::from(leaf);
            }
        }
        sum
    }

    /// Adds the leaves of a block of rows, each padded to `columns` + 1, to `sums`.
    fn add_block(&self, padded: &[f32], sums: &mut [f64; BLOCK]) {
        let width = self.columns + 1;
        for &(root, depth) in &self.trees {
            for (rows, sums) in padded
                .chunks_exact(LANES * width)
                .zip(sums.chunks_exact_mut(LANES))
            {
                let mut at = [root; LANES];
                for _ in 0..depth {
                    for (lane, at) in at.iter_mut().enumerate() {
                        *at = self.next(*at, &rows[lane * width..]);
                    }
                }
                for (sum, &at) in sums.iter_mut().zip(&at) {
                    *sum += f64::from(self.nodes[at as usize].threshold);
                }
            }
        }
    }

    #[inline(always)]
    fn next(&self, at: u32, padded: &[f32]) -> u32 {
        let node = self.nodes[at as usize];
        let right = padded[node.column as usize] > node.threshold;
        at + u32::from(node.step) + u32::from(right)
    }
}

fn breadth_first(parts: &ForestParts, root: usize, padding: u16, nodes: &mut Vec<HotNode>) {
    let first = nodes.len();
    // Where each node of the layout stands in the parts; the queue is this list from `at` on.
    let mut order = vec![root];
    let mut at = 0;
    while let Some(&node) = order.get(at) {
        let left = parts.left[node];
        nodes.push(if left == 0 {
            HotNode {
                threshold: parts.value[node],
                column: padding,
                step: 0,
            }
        } else {
            let child = first + order.len();
            order.extend([left as usize, parts.right[node] as usize]);
            HotNode {
                threshold: parts.threshold[node],
                column: parts.feature[node],
                step: (child - first - at) as u16,
            }
        });
        at += 1;
    }
}

fn groups(chunk: &[(u32, u16)], nowhere: u32) -> Vec<Group> {
    let mut by_depth: Vec<usize> = (0..chunk.len()).collect();
    by_depth.sort_by_key(|&tree| chunk[tree].1);
    by_depth
        .chunks(LANES)
        .map(|trees| {
            let mut group = Group {
                roots: [nowhere; LANES],
                slots: [CHUNK as u16; LANES],
                depth: 0,
            };
            for (lane, &tree) in trees.iter().enumerate() {
                let (root, depth) = chunk[tree];
                group.roots[lane] = root;
                group.slots[lane] = tree as u16;
                group.depth = group.depth.max(depth);
            }
            group
        })
        .collect()
}

/// Copies a row into `padded`: what it lacks is 0, what it has too much is left out.
fn pad(row: &[f32], padded: &mut [f32]) {
    let columns = padded.len() - 1;
    let common = columns.min(row.len());
    padded[..common].copy_from_slice(&row[..common]);
    padded[common..columns].fill(0.0);
    padded[columns] = f32::NEG_INFINITY;
}

impl Forest {
    /// Returns the score of a row: log-odds for [`Link::Logistic`], a probability for
    /// [`Link::Mean`].
    ///
    /// Columns that the row lacks are read as 0; those it has beyond [`Forest::columns`] are not
    /// read. A value that is not a number goes left.
    pub fn score(&self, row: &[f32]) -> f64 {
        let width = self.columns() + 1;
        let mut narrow = [0.0; NARROW];
        let mut wide = Vec::new();
        let padded = if width <= NARROW {
            &mut narrow[..width]
        } else {
            wide.resize(width, 0.0);
            &mut wide[..]
        };
        pad(row, padded);
        self.linked(self.hot.sum(padded))
    }

    /// Writes the score of every row to `out`, which is cleared first; each is [`Forest::score`]'s
    /// to the bit.
    pub fn score_batch(&self, rows: &Matrix, out: &mut Vec<f64>) {
        out.clear();
        out.reserve(rows.rows());
        let width = self.columns() + 1;
        let mut padded = vec![0.0; BLOCK * width];
        for from in (0..rows.rows()).step_by(BLOCK) {
            let count = BLOCK.min(rows.rows() - from);
            for (at, padded) in padded.chunks_exact_mut(width).enumerate().take(count) {
                pad(rows.row(from + at), padded);
            }
            // Empty rows fill up the last eight; their sums are not read.
            let walked = count.next_multiple_of(LANES);
            for padded in padded[count * width..walked * width].chunks_exact_mut(width) {
                pad(&[], padded);
            }
            let mut sums = [0.0; BLOCK];
            self.hot.add_block(&padded[..walked * width], &mut sums);
            out.extend(sums[..count].iter().map(|&sum| self.linked(sum)));
        }
    }

    /// Returns the probability of a row, 0 to 1.
    pub fn probability(&self, row: &[f32]) -> f64 {
        self.to_probability(self.score(row))
    }

    /// Returns the probability that a score stands for.
    pub fn to_probability(&self, score: f64) -> f64 {
        match self.parts.link {
            Link::Logistic => logistic(score),
            Link::Mean => score,
        }
    }

    /// Returns the score of a row from the flat form, node by node: the reference for
    /// [`Forest::score`].
    pub fn score_plainly(&self, row: &[f32]) -> f64 {
        let parts = &self.parts;
        let mut sum = 0.0;
        for &root in &parts.roots {
            let mut at = root as usize;
            while parts.left[at] != 0 {
                let value = row.get(parts.feature[at] as usize).copied().unwrap_or(0.0);
                at = if value > parts.threshold[at] {
                    parts.right[at] as usize
                } else {
                    parts.left[at] as usize
                };
            }
            sum += f64::from(parts.value[at]);
        }
        self.linked(sum)
    }

    fn linked(&self, sum: f64) -> f64 {
        match self.parts.link {
            Link::Logistic => self.parts.base + sum,
            Link::Mean => sum / self.parts.roots.len() as f64,
        }
    }
}

/// Returns the probability of log-odds, without overflow for large ones.
pub(super) fn logistic(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + (-log_odds).exp())
    } else {
        let odds = log_odds.exp();
        odds / (1.0 + odds)
    }
}

#[cfg(test)]
mod tests {
    use super::super::flat::Node;
    use super::super::flat::tests::{random_parts, random_row};
    use super::*;
    use proptest::prelude::*;

    fn stump(link: Link, base: f64) -> Forest {
        let mut parts = ForestParts::new(link, base, 2);
        let split = Node {
            feature: 1,
            threshold: 0.5,
            left: 1,
            right: 2,
            ..Node::leaf(0.0)
        };
        parts.push_tree(&[split, Node::leaf(0.25), Node::leaf(0.75)]);
        parts.push_tree(&[Node::leaf(0.5)]);
        Forest::try_from(parts).unwrap()
    }

    #[test]
    fn the_threshold_itself_goes_left_and_the_next_number_right() {
        let forest = stump(Link::Mean, 0.0);
        assert_eq!(forest.score(&[9.0, 0.5]), 0.375);
        assert_eq!(forest.score(&[9.0, 0.5_f32.next_up()]), 0.625);
        assert_eq!(forest.score(&[9.0, f32::INFINITY]), 0.625);
        assert_eq!(forest.score(&[9.0, f32::NEG_INFINITY]), 0.375);
        assert_eq!(forest.score(&[9.0, f32::NAN]), 0.375);
    }

    #[test]
    fn a_short_row_is_read_as_if_zeros_followed_and_a_long_one_to_its_width() {
        let forest = stump(Link::Mean, 0.0);
        assert_eq!(forest.score(&[]), 0.375);
        assert_eq!(forest.score(&[9.0, 1.0, 7.0]), 0.625);
    }

    #[test]
    fn log_odds_become_a_probability_and_means_are_one() {
        let logistic = stump(Link::Logistic, -1.75);
        assert_eq!(logistic.score(&[0.0, 1.0]), -0.5);
        assert!((logistic.probability(&[0.0, 1.0]) - 0.377_540_668_798_145_4).abs() < 1e-15);
        assert_eq!(stump(Link::Mean, 0.0).probability(&[0.0, 1.0]), 0.625);
        assert_eq!(super::logistic(-1e9), 0.0);
        assert_eq!(super::logistic(1e9), 1.0);
    }

    /// Bits, so that minus zero and zero differ.
    fn bits(scores: &[f64]) -> Vec<u64> {
        scores.iter().map(|score| score.to_bits()).collect()
    }

    proptest! {
        #[test]
        fn all_walks_agree_to_the_bit(
            seed in any::<u64>(),
            trees in 1_usize..600,
            splits in 0_usize..60,
            columns in prop::sample::select(vec![1_u32, 6, 255, 256, 300]),
            count in 0_usize..140,
            mean in any::<bool>(),
        ) {
            let link = if mean { Link::Mean } else { Link::Logistic };
            let forest = Forest::try_from(random_parts(seed, trees, splits, columns, link)).unwrap();
            let mut rows = Matrix::empty(columns as usize).unwrap();
            for at in 0..count {
                rows.push_row(&random_row(seed.wrapping_add(at as u64), columns as usize)).unwrap();
            }
            let mut batch = vec![1.0];
            forest.score_batch(&rows, &mut batch);
            let alone: Vec<f64> = (0..count).map(|at| forest.score(rows.row(at))).collect();
            let plain: Vec<f64> = (0..count).map(|at| forest.score_plainly(rows.row(at))).collect();
            prop_assert_eq!(bits(&alone), bits(&plain));
            prop_assert_eq!(bits(&batch), bits(&plain));
        }

        #[test]
        fn a_row_in_a_wider_or_narrower_matrix_scores_the_same(seed in any::<u64>(), width in 1_usize..12) {
            let forest = Forest::try_from(random_parts(seed, 20, 15, 6, Link::Logistic)).unwrap();
            let row = random_row(seed, width);
            let rows = Matrix::try_new(1, width, row.clone()).unwrap();
            let mut batch = Vec::new();
            forest.score_batch(&rows, &mut batch);
            prop_assert_eq!(batch[0].to_bits(), forest.score_plainly(&row).to_bits());
        }
    }
}
