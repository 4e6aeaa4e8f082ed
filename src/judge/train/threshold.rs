//! From where enough is right.

use crate::judge::calibrate::Calibration;

/// A threshold that no p reaches.
pub(super) const NEVER: f64 = 2.0;

/// Returns the lowest p from which at least `goal` of the cases are right; [`NEVER`] if there is none.
pub(super) fn accept_at(calibration: &Calibration, scored: &[(f64, bool)], goal: f64) -> f64 {
    let mut sorted: Vec<(f64, bool)> = scored
        .iter()
        .map(|(score, label)| (calibration.probability(*score), *label))
        .collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut n, mut lowest) = (0.0, 0.0, NEVER);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        right += group.iter().filter(|(_, label)| *label).count() as f64;
        n += group.len() as f64;
        if let Some((p, _)) = group.first()
            && right / n >= goal
        {
            lowest = *p;
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_the_lowest_that_keeps_enough_right() {
        // Shares 0.05 to 0.95 with 100 cases each; of 0.n5, n of ten are right.
        let cases: Vec<(f64, bool)> = (0..1_000)
            .map(|n| (f64::from(n / 100) / 10.0 + 0.05, n % 10 < n / 100))
            .collect();
        let curve = Calibration::fit(&cases).unwrap();
        let from = accept_at(&curve, &cases, 0.8);
        // 0.9, 0.8 and 0.7 are 0.8 together.
        assert!((from - curve.probability(0.75)).abs() < 1e-9, "{from}");
        assert_eq!(accept_at(&curve, &cases, 0.95), NEVER);
    }
}
