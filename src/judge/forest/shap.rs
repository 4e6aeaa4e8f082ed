//! Says what each column of a row added to its score: exact Shapley values of the trees.
//!
//! A column that is not known is averaged out along the tree, by the covers. Source: S. Lundberg,
//! G. Erion and S.-I. Lee, "Consistent individualized feature attribution for tree ensembles",
//! arXiv:1802.03888 (2018), algorithm 2. Time is trees x leaves x depth^2.
//!
//! Three things are done otherwise, with the same result. The columns of a leaf's path that the row
//! does not follow all have the same contribution, which is computed once. A branch that neither the
//! row nor any training row takes is left out: it weighs nothing, and would divide by zero. And a step
//! is taken out of a path from both ends, see `turn`.

#![expect(
    clippy::indexing_slicing,
    reason = "the recursion itself: links were checked when the forest was built, paths are as long as its depth allows"
)]

use super::flat::{Forest, ForestParts, Link, MAX_DEPTH};

/// What each column added to a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The score that is expected before anything is known of the row.
    pub base: f64,
    /// What each column adds: log-odds for [`Link::Logistic`], probability for [`Link::Mean`]. With
    /// `base` they add up to the score.
    pub contributions: Vec<f64>,
}

/// How training rows spread over the trees.
#[derive(Debug, Clone)]
pub(super) struct Expectations {
    /// Share of the parent's rows that came to each node; 1 at roots.
    shares: Vec<f64>,
    /// Sum over the trees of the leaf value that is expected.
    sum: f64,
    /// Splits on the longest path.
    depth: usize,
}

impl Expectations {
    /// Returns those of valid parts; `depths` is that of each tree.
    pub(super) fn of(parts: &ForestParts, depths: &[u16]) -> Self {
        let mut shares = vec![1.0; parts.feature.len()];
        let mut expected: Vec<f64> = parts.value.iter().copied().map(f64::from).collect();
        for at in (0..parts.feature.len()).rev() {
            let (left, right) = (parts.left[at] as usize, parts.right[at] as usize);
            if left == 0 {
                continue;
            }
            let both = parts.cover[left] + parts.cover[right];
            // Where no row came, both ways are as likely.
            shares[left] = if both > 0.0 {
                parts.cover[left] / both
            } else {
                0.5
            };
            shares[right] = 1.0 - shares[left];
            expected[at] = shares[left] * expected[left] + shares[right] * expected[right];
        }
        Self {
            shares,
            sum: parts
                .roots
                .iter()
                .map(|&root| expected[root as usize])
                .sum(),
            depth: depths.iter().copied().max().unwrap_or(0) as usize,
        }
    }
}

impl Forest {
    /// Returns what each column of a row added to [`Forest::score`].
    pub fn explain(&self, row: &[f32]) -> Explanation {
        let levels = self.expectations.depth + 2;
        let mut walk = Walk {
            parts: &self.parts,
            shares: &self.expectations.shares,
            row,
            path: vec![Step::default(); levels * (levels + 1) / 2],
            contributions: vec![0.0; self.columns()],
        };
        for &root in &self.parts.roots {
            walk.visit(root as usize, 0, 0, Step::ROOT);
        }
        let mut explanation = Explanation {
            base: self.parts.base + self.expectations.sum,
            contributions: walk.contributions,
        };
        if self.parts.link == Link::Mean {
            let trees = self.parts.roots.len() as f64;
            explanation.base /= trees;
            explanation
                .contributions
                .iter_mut()
                .for_each(|added| *added /= trees);
        }
        explanation
    }
}

/// One column of a path.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    column: u32,
    /// Whether the row follows the path in this column.
    follows: bool,
    /// Share of the training rows that follow it.
    share: f64,
    /// Weight of the sets that hold as many columns as this step's place says.
    weight: f64,
}

impl Step {
    /// Before the first split: no column has this number.
    const ROOT: Self = Self {
        column: u32::MAX,
        follows: true,
        share: 1.0,
        weight: 0.0,
    };
}

/// 1 / n, for n up to the steps of the longest path.
const INVERSES: [f64; MAX_DEPTH + 3] = {
    let mut inverses = [0.0; MAX_DEPTH + 3];
    let mut n = 1;
    while n < inverses.len() {
        inverses[n] = 1.0 / n as f64;
        n += 1;
    }
    inverses
};

struct Walk<'a> {
    parts: &'a ForestParts,
    shares: &'a [f64],
    row: &'a [f32],
    /// The path of each level, one after the other.
    path: Vec<Step>,
    contributions: Vec<f64>,
}

impl Walk<'_> {
    /// Visits a node. The path to its parent is `path[from..from + length]`; `step` led here.
    fn visit(&mut self, at: usize, from: usize, length: usize, step: Step) {
        extend(&mut self.path[from..], length, step);
        let length = length + 1;
        if self.parts.left[at] == 0 {
            return self.leave(f64::from(self.parts.value[at]), from, length);
        }
        let (left, right) = (self.parts.left[at] as usize, self.parts.right[at] as usize);
        let column = self.parts.feature[at];
        let value = self.row.get(column as usize).copied().unwrap_or(0.0);
        let (taken, other) = if value > self.parts.threshold[at] {
            (right, left)
        } else {
            (left, right)
        };
        let column = u32::from(column);
        // A column that the path has already is taken out and comes in again with both conditions.
        let path = &mut self.path[from..from + length];
        let (before, kept) = match path.iter().position(|step| step.column == column) {
            Some(place) => {
                let before = path[place];
                unwind(path, place);
                (before, length - 1)
            }
            None => (Step::ROOT, length),
        };
        for (child, follows) in [(taken, before.follows), (other, false)] {
            let share = before.share * self.shares[child];
            if !follows && share == 0.0 {
                continue;
            }
            let next = from + kept;
            self.path.copy_within(from..next, next);
            let step = Step {
                column,
                follows,
                share,
                weight: 0.0,
            };
            self.visit(child, next, kept, step);
        }
    }

    /// Adds what each column of the path contributes to a leaf's value.
    fn leave(&mut self, value: f64, from: usize, length: usize) {
        let path = &self.path[from..from + length];
        // Each set of columns is counted once for all that are not followed.
        let mut sum = 0.0;
        for (place, step) in path[..length - 1].iter().enumerate() {
            sum += step.weight * INVERSES[length - 1 - place];
        }
        let missed = -value * sum * length as f64;
        for step in &path[1..] {
            let added = if step.follows {
                value * unwound_sum(path, step.share) * (1.0 - step.share)
            } else {
                missed
            };
            self.contributions[step.column as usize] += added;
        }
    }
}

/// Adds a step to a path of this length.
fn extend(path: &mut [Step], length: usize, step: Step) {
    let one = if step.follows { 1.0 } else { 0.0 };
    let inverse = INVERSES[length + 1];
    path[length] = Step {
        weight: if length == 0 { 1.0 } else { 0.0 },
        ..step
    };
    for place in (0..length).rev() {
        let weight = path[place].weight * inverse;
        path[place + 1].weight += one * weight * (place + 1) as f64;
        path[place].weight = step.share * weight * (length - place) as f64;
    }
}

/// Steps of a path out of which a step is taken from the back alone.
const SHORT: usize = 16;

/// Returns the place up to which a step of this share is taken out from the front of a path.
///
/// Each weight without the step follows from the one after it, or from the one before it. An error
/// in that grows by share * (last - place) / place on the way to the front, and by the inverse on
/// the way to the back: each way is gone where errors shrink. All the way from the back, as the
/// source goes, 1e-16 becomes 1e-9 on a path of 32 columns and 0.1 on one of 64. On a short path it
/// becomes 1e-13, and one way is faster.
fn turn(share: f64, last: usize) -> usize {
    if last <= SHORT {
        return 0;
    }
    ((share * last as f64 / (1.0 + share)) as usize).min(last.saturating_sub(1))
}

/// Takes a step out of a path; its last entry is then spare.
fn unwind(path: &mut [Step], place: usize) {
    let last = path.len() - 1;
    let length = path.len() as f64;
    let Step { follows, share, .. } = path[place];
    if follows {
        let turn = turn(share, last);
        let mut before = 0.0;
        for at in 0..turn {
            before = (path[at].weight - before * at as f64) * INVERSES[last - at] / share;
            path[at].weight = before * length;
        }
        let mut carried = path[last].weight;
        for at in (turn..last).rev() {
            let weight = carried * INVERSES[at + 1];
            carried = path[at].weight - weight * share * (last - at) as f64;
            path[at].weight = weight * length;
        }
    } else {
        for at in 0..last {
            path[at].weight *= length * INVERSES[last - at] / share;
        }
    }
    for at in place..last {
        let next = path[at + 1];
        path[at] = Step {
            weight: path[at].weight,
            ..next
        };
    }
}

/// Returns the sum of the weights of a path without a step that the row follows, of this share.
fn unwound_sum(path: &[Step], share: f64) -> f64 {
    let last = path.len() - 1;
    let turn = turn(share, last);
    let inverse = 1.0 / share;
    let mut sum = 0.0;
    let mut before = 0.0;
    for (at, step) in path[..turn].iter().enumerate() {
        before = (step.weight - before * at as f64) * INVERSES[last - at] * inverse;
        sum += before;
    }
    let mut carried = path[last].weight;
    for at in (turn..last).rev() {
        let weight = carried * INVERSES[at + 1];
        sum += weight;
        carried = path[at].weight - weight * share * (last - at) as f64;
    }
    sum * path.len() as f64
}

#[cfg(test)]
mod tests;
