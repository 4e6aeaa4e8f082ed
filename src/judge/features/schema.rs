//! The columns: what each feature is called, what it counts, and its digest, by which a model knows whether
//! it was made for these.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::reader::Whole;
use super::tally::{OPERATORS, Tally};
use super::words::Class;
use super::{BOUND, share};

/// Changes whenever a feature changes its meaning but not its name.
const FORM: &str = "crisol/features/1";

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, unique.
    pub name: String,
    /// What its numbers are.
    pub unit: &'static str,
    /// The group that it is explained and watched with.
    pub group: &'static str,
}

/// Features of a diff.
pub const COLUMNS: usize = SHAPE.len() + 2 * (Class::ALL.len() + OPERATORS.len());

/// Features that are no count of a class: name and unit, in the order of [`shape`].
const SHAPE: [(&str, &str); 50] = [
    ("lines_added", "lines"),
    ("lines_removed", "lines"),
    ("lines_net", "lines"),
    ("added_share", "share"),
    ("hunks", "hunks"),
    ("runs", "runs"),
    ("runs_only_add", "share of runs"),
    ("runs_only_remove", "share of runs"),
    ("runs_even", "share of runs"),
    ("bytes_per_added_line", "bytes"),
    ("longest_added_line", "bytes"),
    ("longest_net", "bytes"),
    ("blank_share", "share of added lines"),
    ("comment_share", "share of added lines"),
    ("comments_net", "lines"),
    ("tokens_added", "tokens"),
    ("tokens_removed", "tokens"),
    ("tokens_net", "tokens"),
    ("tokens_per_added_line", "tokens"),
    ("names_added", "names"),
    ("names_net", "names"),
    ("numbers_added", "numbers"),
    ("numbers_net", "numbers"),
    ("texts_added", "strings"),
    ("texts_net", "strings"),
    ("calls_added", "calls"),
    ("calls_net", "calls"),
    ("distinct_added", "different tokens"),
    ("distinct_removed", "different tokens"),
    ("distinct_share", "different tokens for each token"),
    ("similarity", "share of tokens that both sides have"),
    ("line_similarity", "share of lines that both sides have"),
    ("new_names", "names that removed lines lack"),
    (
        "kept_names_share",
        "share of names added that removed lines have",
    ),
    ("lost_names", "names removed that added lines lack"),
    ("lost_names_share", "share of names removed"),
    ("moved_lines", "lines on both sides"),
    ("braces_net", "braces"),
    ("parens_net", "parentheses"),
    ("guards", "conditions that lead out"),
    ("guards_per_run", "conditions that lead out"),
    ("conditions_kept", "conditions"),
    ("conditions_grown", "conditions"),
    ("only_numbers", "0 or 1"),
    ("only_deletes", "0 or 1"),
    ("only_adds", "0 or 1"),
    ("one_line", "0 or 1"),
    ("test_share", "share of changed lines"),
    ("other_share", "share of changed lines"),
    ("unsafe_language_share", "share of changed lines"),
];

static ALL: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let shape = SHAPE.iter().map(|(name, unit)| Column {
        name: (*name).to_owned(),
        unit,
        group: "shape",
    });
    let sides = |kind: &'static str, names: Vec<&'static str>| {
        ["added", "net"].into_iter().flat_map(move |side| {
            names.clone().into_iter().map(move |name| Column {
                name: format!("{kind}_{name}_{side}"),
                unit: "tokens",
                group: kind,
            })
        })
    };
    let classes = Class::ALL.iter().map(|class| class.name()).collect();
    shape
        .chain(sides("word", classes))
        .chain(sides("operator", OPERATORS.to_vec()))
        .collect()
});

/// Returns the columns in order.
pub fn columns() -> &'static [Column] {
    &ALL
}

/// Returns what a model must have been made for: the SHA-256 over form, names, units and order.
pub fn schema_digest(columns: &[Column]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(FORM);
    for column in columns {
        hash.update([0]);
        hash.update(&column.name);
        hash.update([1]);
        hash.update(column.unit);
    }
    hash.finalize().into()
}

/// Returns the features of what was counted.
pub(super) fn values(added: &Tally, removed: &Tally, whole: &Whole) -> Vec<f32> {
    let mut values = Vec::with_capacity(COLUMNS);
    values.extend(shape(added, removed, whole));
    counts(&mut values, &added.classes, &removed.classes);
    counts(&mut values, &added.operators, &removed.operators);
    for value in &mut values {
        *value = value.clamp(-BOUND, BOUND);
    }
    values
}

fn counts(values: &mut Vec<f32>, added: &[u32], removed: &[u32]) {
    values.extend(added.iter().map(|count| *count as f32));
    values.extend(added.iter().zip(removed).map(|(a, r)| net(*a, *r)));
}

fn net(added: u32, removed: u32) -> f32 {
    added as f32 - removed as f32
}

fn flag(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

fn shape(added: &Tally, removed: &Tally, whole: &Whole) -> [f32; SHAPE.len()] {
    let runs = whole.only_add + whole.only_remove + whole.replace;
    let names_added = added.names_in_code.count();
    let names_removed = removed.names_in_code.count();
    let kept_names = added.names_in_code.common(&removed.names_in_code);
    let lost_names = names_removed - kept_names;
    let distinct = added.all.count();
    let same_names = names_added == names_removed && kept_names + added.numbers >= names_added;
    [
        added.lines as f32,
        removed.lines as f32,
        net(added.lines, removed.lines),
        share(added.lines, added.lines + removed.lines),
        whole.hunks as f32,
        runs as f32,
        share(whole.only_add, runs),
        share(whole.only_remove, runs),
        share(whole.even, runs),
        share(added.bytes, added.lines),
        added.longest as f32,
        net(added.longest, removed.longest),
        share(added.blank, added.lines),
        share(added.comment_lines, added.lines),
        net(added.comment_lines, removed.comment_lines),
        added.tokens as f32,
        removed.tokens as f32,
        net(added.tokens, removed.tokens),
        share(added.tokens, added.lines),
        added.names as f32,
        net(added.names, removed.names),
        added.numbers as f32,
        net(added.numbers, removed.numbers),
        added.texts as f32,
        net(added.texts, removed.texts),
        added.calls as f32,
        net(added.calls, removed.calls),
        distinct as f32,
        removed.all.count() as f32,
        share(distinct, added.tokens),
        added.all.similarity(&removed.all),
        added.all_lines.similarity(&removed.all_lines),
        (names_added - kept_names) as f32,
        share(kept_names, names_added),
        lost_names as f32,
        share(lost_names, names_removed),
        added.all_lines.common(&removed.all_lines) as f32,
        (added.braces - removed.braces) as f32,
        (added.parens - removed.parens) as f32,
        whole.guards as f32,
        share(whole.guards, runs),
        whole.conditions_kept as f32,
        whole.conditions_grown as f32,
        flag(
            same_names
                && added.names == removed.names
                && added.numbers == removed.numbers
                && added.numbers > 0,
        ),
        flag(added.lines == 0),
        flag(removed.lines == 0),
        flag(added.lines <= 1 && removed.lines <= 1),
        share(whole.test_lines, whole.changed_lines),
        share(whole.other_lines, whole.changed_lines),
        share(whole.unsafe_lines, whole.changed_lines),
    ]
}
