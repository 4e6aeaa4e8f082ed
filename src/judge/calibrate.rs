//! From a forest's share to a probability: beta calibration.
//!
//! Source: M. Kull, T. Silva Filho and P. Flach, "Beta calibration", AISTATS 2017. Unlike steps (isotonic
//! regression) it rises everywhere, so a threshold can stand between any two shares; with steps, the lowest two
//! fifths of a stream once had one p, and no threshold could part them.

use serde::{Deserialize, Serialize};

/// Shares are read no nearer to 0 and 1 than this.
const NEAREST: f64 = 1e-6;
/// Newton steps at most; five are usual.
const STEPS: usize = 50;
/// How much the parameters are drawn towards those that change nothing, in cases.
const DRAWN: f64 = 1.0;

/// A curve that rises from share to probability: `logit p = low ln s - high ln(1 - s) + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Calibration {
    low: f64,
    high: f64,
    offset: f64,
}

/// Why numbers are no curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// A parameter is no number, or the curve falls or is flat.
    #[error("calibration: {0} must be a number, and a curve must rise")]
    Parameter(&'static str),
    /// There is nothing to learn it from.
    #[error("calibration: no case")]
    Nothing,
}

/// The form in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    low: f64,
    high: f64,
    offset: f64,
}

impl TryFrom<Raw> for Calibration {
    type Error = CalibrationError;

    fn try_from(Raw { low, high, offset }: Raw) -> Result<Self, CalibrationError> {
        let rises = |slope: f64| slope.is_finite() && slope >= 0.0;
        if !rises(low) || low + high <= 0.0 {
            return Err(CalibrationError::Parameter("low"));
        }
        if !rises(high) {
            return Err(CalibrationError::Parameter("high"));
        }
        if !offset.is_finite() {
            return Err(CalibrationError::Parameter("offset"));
        }
        Ok(Self { low, high, offset })
    }
}

impl From<Calibration> for Raw {
    fn from(Calibration { low, high, offset }: Calibration) -> Self {
        Self { low, high, offset }
    }
}

/// Returns what a share is read as: `ln s`, `-ln(1 - s)`, 1.
fn read(share: f64) -> [f64; 3] {
    let share = share.clamp(NEAREST, 1.0 - NEAREST);
    [share.ln(), -(-share).ln_1p(), 1.0]
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Calibration {
    /// Returns the curve under which what happened is likeliest. `scored` are shares and whether it was right.
    ///
    /// # Errors
    /// [`CalibrationError`] without a case.
    pub fn fit(scored: &[(f64, bool)]) -> Result<Self, CalibrationError> {
        let cases: Vec<([f64; 3], f64)> = scored
            .iter()
            .filter(|(share, _)| share.is_finite())
            .map(|(share, right)| (read(*share), f64::from(u8::from(*right))))
            .collect();
        if cases.is_empty() {
            return Err(CalibrationError::Nothing);
        }
        // A slope that would fall is left out, as the source does.
        for free in [[true; 3], [false, true, true], [true, false, true]] {
            let [low, high, offset] = likeliest(&cases, free);
            if let Ok(curve) = Self::try_from(Raw { low, high, offset }) {
                return Ok(curve);
            }
        }
        // What happened does not follow the share: all that is known is how often it is right, and that the
        // share does not fall.
        let [_, _, offset] = likeliest(&cases, [false, false, true]);
        Self::try_from(Raw {
            low: NEAREST,
            high: NEAREST,
            offset,
        })
    }

    /// Returns the probability of a share, 0 to 1.
    pub fn probability(&self, share: f64) -> f64 {
        logistic(dot(&[self.low, self.high, self.offset], &read(share)))
    }
}

/// Returns the parameters under which the cases are likeliest; one that is not free is 0. Newton's method,
/// halved while it does not help.
fn likeliest(cases: &[([f64; 3], f64)], free: [bool; 3]) -> [f64; 3] {
    let start = [1.0, 1.0, 0.0];
    let mut at = start;
    for (value, free) in at.iter_mut().zip(free) {
        *value *= f64::from(u8::from(free));
    }
    let loss = |at: &[f64; 3]| -> f64 {
        let all: f64 = cases
            .iter()
            .map(|(read, right)| {
                let z = dot(at, read);
                // ln(1 + e^z) - right z, without overflow.
                z.max(0.0) + (-z.abs()).exp().ln_1p() - right * z
            })
            .sum();
        let away: f64 = at.iter().zip(start).map(|(a, b)| (a - b).powi(2)).sum();
        all + DRAWN / 2.0 * away
    };
    let mut now = loss(&at);
    for _ in 0..STEPS {
        let Some(step) = newton(cases, &at, &start, free) else {
            break;
        };
        let mut size = 1.0;
        let next = loop {
            let next: [f64; 3] = std::array::from_fn(|i| {
                at.get(i).unwrap_or(&0.0) - size * step.get(i).unwrap_or(&0.0)
            });
            let then = loss(&next);
            if then <= now {
                break Some((next, then));
            }
            size /= 2.0;
            if size < 1e-6 {
                break None;
            }
        };
        let Some((next, then)) = next else { break };
        let gain = now - then;
        (at, now) = (next, then);
        if gain < 1e-9 {
            break;
        }
    }
    at
}

/// Returns Newton's step: the gradient, divided by the curvature.
fn newton(
    cases: &[([f64; 3], f64)],
    at: &[f64; 3],
    start: &[f64; 3],
    free: [bool; 3],
) -> Option<[f64; 3]> {
    // Rows of the equations, with the gradient as fourth column.
    let mut rows = [[0.0; 4]; 3];
    for (read, right) in cases {
        let p = logistic(dot(at, read));
        let bend = p * (1.0 - p);
        for (row, own) in rows.iter_mut().zip(read) {
            for (cell, other) in row.iter_mut().zip(read) {
                *cell += bend * own * other;
            }
            row[3] += (p - right) * own;
        }
    }
    for (i, row) in rows.iter_mut().enumerate() {
        row[3] += DRAWN * (at.get(i)? - start.get(i)?);
        *row.get_mut(i)? += DRAWN;
    }
    for (i, free) in free.into_iter().enumerate() {
        if !free {
            for row in &mut rows {
                *row.get_mut(i)? = 0.0;
            }
            *rows.get_mut(i)? = [0.0; 4];
            *rows.get_mut(i)?.get_mut(i)? = 1.0;
        }
    }
    solve(rows)
}

/// Solves three equations by elimination; the curvature is positive, so no row need change places.
fn solve(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for i in 0..3 {
        let pivot = *rows.get(i)?;
        let head = *pivot.get(i)?;
        if !head.is_normal() {
            return None;
        }
        for (k, row) in rows.iter_mut().enumerate() {
            let factor = if k == i { 0.0 } else { row.get(i)? / head };
            for (cell, above) in row.iter_mut().zip(pivot) {
                *cell -= factor * above;
            }
        }
    }
    let mut solution = [0.0; 3];
    for (i, (value, row)) in solution.iter_mut().zip(&rows).enumerate() {
        *value = row[3] / row.get(i)?;
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_curve_that_falls_or_is_none_is_refused() {
        for (text, place) in [
            (r#"{"low":-1.0,"high":1.0,"offset":0.0}"#, "low"),
            (r#"{"low":1.0,"high":-0.5,"offset":0.0}"#, "high"),
            (r#"{"low":0.0,"high":0.0,"offset":0.0}"#, "rise"),
            (r#"{"low":1.0,"high":1.0}"#, "offset"),
        ] {
            let error = serde_json::from_str::<Calibration>(text).unwrap_err();
            assert!(error.to_string().contains(place), "{error}");
        }
        assert_eq!(Calibration::fit(&[]), Err(CalibrationError::Nothing));
    }

    #[test]
    fn shares_that_are_probabilities_stay_what_they_are() {
        let mut cases = Vec::new();
        for tenth in 1..10 {
            cases.extend((0..1_000).map(|n| (f64::from(tenth) / 10.0, n < tenth * 100)));
        }
        let curve = Calibration::fit(&cases).unwrap();
        for share in [0.05, 0.2, 0.5, 0.77, 0.95] {
            assert!((curve.probability(share) - share).abs() < 2e-3, "{share}");
        }
    }

    #[test]
    fn shares_that_say_too_much_are_drawn_inwards() {
        // 0.02 happens a tenth of the time, 0.98 nine tenths.
        let mut cases = Vec::new();
        for (share, right) in [(0.02, 100), (0.5, 500), (0.98, 900)] {
            cases.extend((0..1_000).map(|n| (share, n < right)));
        }
        let curve = Calibration::fit(&cases).unwrap();
        for (share, p) in [(0.02, 0.1), (0.5, 0.5), (0.98, 0.9)] {
            assert!((curve.probability(share) - p).abs() < 0.01, "{share}");
        }
    }

    #[test]
    fn shares_that_mislead_leave_the_base_rate() {
        let mut cases = Vec::new();
        for (share, right) in [(0.1, 800), (0.9, 100)] {
            cases.extend((0..1_000).map(|n| (share, n < right)));
        }
        let curve = Calibration::fit(&cases).unwrap();
        assert!((curve.probability(0.5) - 0.45).abs() < 0.01);
        assert!(curve.probability(0.1) < curve.probability(0.9));
    }

    proptest! {
        #[test]
        fn a_higher_share_never_has_a_lower_probability(
            cases in prop::collection::vec((0.0_f64..=1.0, any::<bool>()), 1..200),
            mut asked in prop::collection::vec(0.0_f64..=1.0, 2..50),
        ) {
            let curve = Calibration::fit(&cases).unwrap();
            asked.sort_by(f64::total_cmp);
            let told: Vec<f64> = asked.iter().map(|share| curve.probability(*share)).collect();
            prop_assert!(told.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(told.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
