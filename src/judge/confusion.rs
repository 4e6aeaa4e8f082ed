//! Judge against wargame: the confusion matrix, and what follows from it.

use serde::Serialize;

use crate::judge::wilson_bounds;

/// How often a judge and wargames said which of a patch. What wargames say nothing of is in none of the four cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Both held it for right.
    pub right_right: u64,
    /// The judge held it for right, the wargame for wrong: a hole that was shipped.
    pub right_wrong: u64,
    /// The judge held it for wrong, the wargame for right: work for a person that was not needed.
    pub wrong_right: u64,
    /// Both held it for wrong.
    pub wrong_wrong: u64,
    /// The wargame came to no word on it.
    pub silent: u64,
}

/// A share with its 95 % Wilson bounds; null without cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The share, 0 to 1.
    pub value: f64,
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// Of how many.
    pub n: u64,
}

impl Confusion {
    /// Counts one comparison.
    pub fn add(&mut self, judged_right: bool, found_right: Option<bool>) {
        let cell = match (judged_right, found_right) {
            (_, None) => &mut self.silent,
            (true, Some(true)) => &mut self.right_right,
            (true, Some(false)) => &mut self.right_wrong,
            (false, Some(true)) => &mut self.wrong_right,
            (false, Some(false)) => &mut self.wrong_wrong,
        };
        *cell += 1;
    }

    /// Returns how much of what the judge held for right is right.
    pub fn precision(&self) -> Option<Share> {
        share(self.right_right, self.right_right + self.right_wrong)
    }

    /// Returns how much of what is right the judge held for right.
    pub fn recall(&self) -> Option<Share> {
        share(self.right_right, self.right_right + self.wrong_right)
    }

    /// Returns how often they agree.
    pub fn accuracy(&self) -> Option<Share> {
        let agreed = self.right_right + self.wrong_wrong;
        share(agreed, agreed + self.right_wrong + self.wrong_right)
    }

    /// Returns the harmonic mean of precision and recall, 0 to 1; it is no proportion of cases, so it has no Wilson
    /// bounds of its own.
    pub fn f1(&self) -> Option<f64> {
        let wrong = self.right_wrong + self.wrong_right;
        let all = 2 * self.right_right + wrong;
        (all > 0).then(|| (2 * self.right_right) as f64 / all as f64)
    }
}

fn share(part: u64, n: u64) -> Option<Share> {
    let (lower, upper) = wilson_bounds(part, n);
    (n > 0).then(|| Share {
        value: part as f64 / n as f64,
        lower,
        upper,
        n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_matrix() {
        let mut matrix = Confusion::default();
        for (judged, found, times) in [
            (true, Some(true), 8),
            (true, Some(false), 2),
            (false, Some(true), 4),
            (false, Some(false), 6),
            (true, None, 5),
        ] {
            for _ in 0..times {
                matrix.add(judged, found);
            }
        }
        let value = |share: Option<Share>| share.map(|share| share.value);
        assert_eq!(value(matrix.precision()), Some(0.8));
        assert_eq!(value(matrix.recall()), Some(8.0 / 12.0));
        assert_eq!(value(matrix.accuracy()), Some(0.7));
        assert_eq!(matrix.f1(), Some(16.0 / 22.0));
        assert_eq!(matrix.silent, 5);
        let accuracy = matrix.accuracy().unwrap();
        assert!(accuracy.lower < 0.7 && accuracy.upper > 0.7 && accuracy.n == 20);
    }

    #[test]
    fn without_cases_there_are_no_figures() {
        let empty = Confusion::default();
        assert!(empty.precision().is_none() && empty.accuracy().is_none() && empty.f1().is_none());
    }
}
