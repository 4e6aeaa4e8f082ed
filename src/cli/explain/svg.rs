//! Reasons as a drawing (SVG).

use std::fmt::Write as _;

use crate::cli::explain::bars::{TOLD, rest, short};
use crate::judge::explain::Reasons;

/// Sizes, in pixels.
const ROW: usize = 24;
const TOP: usize = 56;
const LABELS: usize = 470;
const BARS: f64 = 260.0;

/// Returns a drawing: a bar for each reason, to the right if it adds, to the left if it takes away.
pub(super) fn drawn(reasons: &Reasons) -> String {
    let told: Vec<_> = reasons.contributions.iter().take(TOLD).collect();
    let largest = told
        .iter()
        .map(|one| one.adds.abs())
        .fold(f64::MIN_POSITIVE, f64::max);
    let middle = LABELS as f64 + BARS;
    let width = LABELS + 2 * BARS as usize + 80;
    let height = TOP + ROW * (told.len() + 2);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>why p = {:.4}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">P(patch is right) = {:.4}</text>\n\
         <text x=\"12\" y=\"44\" fill=\"#555555\">{:+.3} expected of any patch, {:+.3} together ({})</text>\n\
         <line x1=\"{middle}\" y1=\"{TOP}\" x2=\"{middle}\" y2=\"{}\" stroke=\"#999999\"/>\n",
        reasons.p,
        reasons.p,
        reasons.base,
        reasons.score,
        escaped(reasons.unit),
        TOP + ROW * told.len(),
    );
    for (row, one) in told.iter().enumerate() {
        let y = TOP + ROW * row;
        let length = one.adds.abs() / largest * BARS;
        let (x, color) = if one.adds > 0.0 {
            (middle, "#2f7d4f")
        } else {
            (middle - length, "#b5412f")
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{} = {} {}</text>\n\
             <rect x=\"{x:.1}\" y=\"{}\" width=\"{length:.1}\" height=\"16\" fill=\"{color}\"/>\n\
             <text x=\"{}\" y=\"{}\" fill=\"#333333\">{:+.3}</text>",
            LABELS - 8,
            y + 16,
            escaped(&one.feature),
            short(one.value),
            escaped(one.unit),
            y + 4,
            LABELS + 2 * BARS as usize + 12,
            y + 16,
            one.adds,
        );
    }
    if let Some((count, adds)) = rest(reasons) {
        let y = TOP + ROW * told.len() + 16;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"#555555\">{count} others together {adds:+.3}</text>",
            LABELS - 8,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns text that is safe between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::judge::explain::Contribution;

    /// Reasons of which the first is the largest and takes away, the others a sixth of it.
    pub(in crate::cli::explain) fn reasons(count: usize) -> Reasons {
        let contributions = (0..count)
            .map(|n| Contribution {
                feature: format!("feature_{n}"),
                unit: "lines",
                group: "shape",
                value: n as f32 + 0.5,
                adds: if n == 0 { -1.2 } else { 0.2 },
            })
            .collect();
        Reasons {
            p: 0.25,
            share: 0.3,
            base: -0.5,
            score: -1.1,
            unit: "log-odds",
            contributions,
        }
    }

    #[test]
    fn what_adds_points_right_and_what_takes_away_left() {
        let svg = drawn(&reasons(3));
        assert!(
            svg.contains("x=\"470.0\" y=\"60\" width=\"260.0\""),
            "{svg}"
        );
        assert!(svg.contains("x=\"730.0\" y=\"84\" width=\"43.3\""), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 4);
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn text_cannot_end_its_tag() {
        assert_eq!(
            escaped("<a href=\"&\">"),
            "&lt;a href=&quot;&amp;&quot;&gt;"
        );
    }
}
