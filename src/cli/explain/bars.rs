//! Reasons as bars of characters.

use crate::judge::explain::Reasons;

/// Reasons that are told one by one.
pub(super) const TOLD: usize = 12;
/// The longest bar, in characters.
const LONGEST: f64 = 30.0;

/// Returns the reasons, largest first, a line each; what adds is `+`, what takes away `-`.
pub(super) fn drawn(reasons: &Reasons) -> String {
    let told = reasons.contributions.iter().take(TOLD);
    let largest = told.clone().map(|one| one.adds.abs()).fold(0.0, f64::max);
    let mut text = String::new();
    let mut line = |name: &str, value: &str, adds: f64, bar: &str, unit: &str| {
        let bar = if unit.is_empty() {
            bar.to_owned()
        } else {
            format!("{bar:<30} {unit}")
        };
        let line = format!("  {name:<26} {value:>8} {adds:+8.3} {bar}");
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line("expected of any patch", "", reasons.base, "", reasons.unit);
    for one in told {
        let length = (one.adds.abs() / largest * LONGEST).round().max(1.0) as usize;
        let bar = if one.adds > 0.0 { "+" } else { "-" }.repeat(length);
        line(&one.feature, &short(one.value), one.adds, &bar, one.unit);
    }
    if let Some((count, adds)) = rest(reasons) {
        line(&format!("{count} others"), "", adds, "", "");
    }
    line("together", "", reasons.score, "", "");
    text
}

/// Returns how many reasons are not told, and what they add together.
pub(super) fn rest(reasons: &Reasons) -> Option<(usize, f64)> {
    let rest = reasons.contributions.get(TOLD..)?;
    (!rest.is_empty()).then(|| (rest.len(), rest.iter().map(|one| one.adds).sum()))
}

/// Returns a value with no more digits than people read.
pub(super) fn short(value: f32) -> String {
    if value == value.trunc() {
        format!("{value}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::explain::svg::tests::reasons;

    #[test]
    fn the_largest_has_the_longest_bar_and_signs_tell_the_way() {
        let text = drawn(&reasons(14));
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("feature_0 ").contains(&"-".repeat(30)), "{text}");
        assert!(
            line("feature_1 ").ends_with("+0.200 +++++                          lines"),
            "{text}"
        );
        assert!(text.contains("2 others"), "{text}");
        assert!(!text.contains("feature_12"), "{text}");
    }
}
