//! Figures of merit.

/// Bins of the calibration error.
const BINS: usize = 10;

/// Returns the chance that a right one has a higher score than a wrong one (area under the ROC curve), ties
/// counted half; 0.5 if either is missing.
pub fn auc(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let right = sorted.iter().filter(|(_, label)| *label).count() as f64;
    let wrong = sorted.len() as f64 - right;
    if right == 0.0 || wrong == 0.0 {
        return 0.5;
    }
    // The sum of the ranks of the right ones (Mann and Whitney, 1947); equal scores share their rank.
    let mut ranks = 0.0;
    let mut before = 0;
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (group.len() as f64 + 1.0) / 2.0;
        ranks += rank * group.iter().filter(|(_, label)| *label).count() as f64;
        before += group.len();
    }
    (ranks - right * (right + 1.0) / 2.0) / (right * wrong)
}

/// Returns the mean squared distance of p from the truth, 0 (best) to 1.
pub fn brier(scored: &[(f64, bool)]) -> f64 {
    let sum: f64 = scored
        .iter()
        .map(|(p, label)| (p - f64::from(u8::from(*label))).powi(2))
        .sum();
    sum / scored.len().max(1) as f64
}

/// One bin of a reliability table.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Reliability {
    /// Cases.
    pub n: usize,
    /// Their mean p.
    pub p: f64,
    /// The share of them that is right.
    pub right: f64,
}

/// Returns the cases by p, in ten bins of equal width.
pub fn reliability(scored: &[(f64, bool)]) -> Vec<Reliability> {
    let mut bins = vec![Reliability::default(); BINS];
    for (p, label) in scored {
        let at = ((p * BINS as f64) as usize).min(BINS - 1);
        if let Some(bin) = bins.get_mut(at) {
            bin.n += 1;
            bin.p += p;
            bin.right += f64::from(u8::from(*label));
        }
    }
    for bin in &mut bins {
        let n = bin.n.max(1) as f64;
        bin.p /= n;
        bin.right /= n;
    }
    bins
}

/// Returns the expected calibration error: how far p is from the share that is right, in ten bins of equal
/// width, weighted by their cases (Guo et al., ICML 2017), 0 to 1.
pub fn calibration_error(scored: &[(f64, bool)]) -> f64 {
    let sum: f64 = reliability(scored)
        .iter()
        .map(|bin| bin.n as f64 * (bin.p - bin.right).abs())
        .sum();
    sum / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_what_the_area_is_of() {
        let perfect = [(0.1, false), (0.2, false), (0.8, true)];
        assert_eq!(auc(&perfect), 1.0);
        assert_eq!(auc(&perfect.map(|(p, label)| (1.0 - p, label))), 0.0);
        assert_eq!(auc(&perfect.map(|(_, label)| (0.5, label))), 0.5);
        assert_eq!(
            auc(&[(0.3, true), (0.3, false), (0.1, false), (0.9, true)]),
            0.875
        );
        assert_eq!(auc(&[(0.3, true)]), 0.5);
    }

    #[test]
    fn what_is_as_often_right_as_it_says_has_no_calibration_error() {
        let half: Vec<(f64, bool)> = (0..100).map(|n| (0.5, n % 2 == 0)).collect();
        assert!(calibration_error(&half) < 1e-12);
        let sure: Vec<(f64, bool)> = half.iter().map(|(_, label)| (1.0, *label)).collect();
        assert!((calibration_error(&sure) - 0.5).abs() < 1e-12);
        assert!((brier(&sure) - 0.5).abs() < 1e-12);
        assert!((brier(&half) - 0.25).abs() < 1e-12);
    }
}
