//! Unified diffs, written from their lines.

use std::fmt::Write as _;

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffLine {
    /// On both sides.
    Same(String),
    /// Only before.
    Old(String),
    /// Only after.
    New(String),
}

/// Returns the git-style diff of one file with one hunk that begins at line `start`.
///
/// `DiffLine`s are written as they come; each side of the hunk must have two lines or more.
pub fn diff(path: &str, start: u32, lines: &[DiffLine]) -> String {
    let mut text = format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n");
    let old = lines
        .iter()
        .filter(|l| !matches!(l, DiffLine::New(_)))
        .count();
    let new = lines
        .iter()
        .filter(|l| !matches!(l, DiffLine::Old(_)))
        .count();
    writeln!(text, "@@ -{start},{old} +{start},{new} @@").expect("a string takes all");
    for line in lines {
        let (marker, content) = match line {
            DiffLine::Same(content) => (' ', content),
            DiffLine::Old(content) => ('-', content),
            DiffLine::New(content) => ('+', content),
        };
        writeln!(text, "{marker}{content}").expect("a string takes all");
    }
    text
}
