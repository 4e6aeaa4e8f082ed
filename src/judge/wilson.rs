//! The Wilson score interval for a proportion.

/// The 97.5 % quantile of the standard normal distribution: both tails of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Returns the lower end of the 95 % Wilson score interval for `agreed` successes in `n` trials.
///
/// The value lies in 0..=1 and is 0 without trials. Counts where `agreed` exceeds `n` are taken as
/// `n` of `n`. Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
/// inference", JASA 22 (1927).
pub fn wilson_lower_bound(agreed: u64, n: u64) -> f64 {
    if n == 0 {
        return 0.0;
    }
    let trials = n as f64;
    let share = agreed.min(n) as f64 / trials;
    let z2 = Z * Z;
    let centre = share + z2 / (2.0 * trials);
    let margin = Z * (share * (1.0 - share) / trials + z2 / (4.0 * trials * trials)).sqrt();
    ((centre - margin) / (1.0 + z2 / trials)).clamp(0.0, 1.0)
}

/// Returns both ends of the 95 % Wilson score interval for `agreed` successes in `n` trials; 0 and 1 without trials.
pub fn wilson_bounds(agreed: u64, n: u64) -> (f64, f64) {
    let failed = n - agreed.min(n);
    (
        wilson_lower_bound(agreed, n),
        1.0 - wilson_lower_bound(failed, n),
    )
}

#[cfg(test)]
mod tests {
    use super::{wilson_bounds, wilson_lower_bound};

    #[test]
    fn both_ends_are_the_published_ones() {
        // 80 of 100: 0.7112 to 0.8666 (statsmodels' proportion_confint).
        let (lower, upper) = wilson_bounds(80, 100);
        assert!((lower - 0.711_17).abs() < 5e-5 && (upper - 0.866_63).abs() < 5e-5);
        assert_eq!(wilson_bounds(0, 0), (0.0, 1.0));
    }

    #[test]
    fn no_trial_is_no_evidence() {
        assert_eq!(wilson_lower_bound(0, 0), 0.0);
    }

    #[test]
    fn the_bound_is_the_published_one() {
        // 80 of 100: 0.7112 (Agresti and Coull, 1998, and statsmodels' proportion_confint).
        assert!((wilson_lower_bound(80, 100) - 0.711_17).abs() < 5e-5);
        // Perfect agreement needs 73 trials to pass 0.95: n / (n + z^2).
        assert!(wilson_lower_bound(72, 72) < 0.95);
        assert!(wilson_lower_bound(73, 73) > 0.95);
    }

    #[test]
    fn more_agreement_never_lowers_the_bound() {
        for n in 1..200_u64 {
            for agreed in 0..n {
                assert!(wilson_lower_bound(agreed, n) <= wilson_lower_bound(agreed + 1, n));
            }
        }
    }
}
