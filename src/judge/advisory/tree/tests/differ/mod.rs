//! Fuzz by disagreement: made bumps, judged on hunks and on whole files, beside a plain model of what they
//! install.
//!
//! The model is no reader: a project is made as a list of installed versions and what their bookkeeping says,
//! and written in some format. So what is right is known before anything is parsed.
//!
//! `CRISOL_LONG=100000 cargo test --lib tree::tests::differ -- --nocapture` tries that many and prints counts.

mod project;
mod tools;
mod write;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Change, diff_of};
use crate::diff::{DiffLimits, parse};
use crate::judge::advisory::tree::kind::Kind as FileKind;
use crate::judge::advisory::tree::{Before, assess};
use crate::judge::advisory::{Advisory, Assessment};

use project::{Bump, Format, Kind};

/// Kinds that hunks cannot see in general: what is wrong with them stands outside of the lines that change. Of
/// these a reader of hunks may be wrong while it is being rewritten; the long form counts them.
const BEYOND_HUNKS: [Kind; 6] = [
    Kind::SecondLeft,
    Kind::AliasLeft,
    Kind::PinLeft,
    Kind::DecoyOnly,
    Kind::StaleDigest,
    Kind::Replaced,
];

/// What both readers say of one bump.
struct Said {
    by_hunks: &'static str,
    by_files: &'static str,
}

fn judged(bump: &Bump) -> Option<Said> {
    let files = bump.files();
    let changes: Vec<Change<'_>> = files
        .iter()
        .map(|(path, before, after)| (path.as_str(), before.as_str(), after.as_str()))
        .filter(|(_, before, after)| before != after)
        .collect();
    if changes.is_empty() {
        return None;
    }
    let text = diff_of(&changes);
    let diff = parse(&text, &DiffLimits::default()).unwrap();
    let advisory = Advisory::from(bump.facts());
    let befores: Vec<Before<'_>> = changes
        .iter()
        .map(|(path, before, _)| Before { path, text: before })
        .collect();
    let code = |files: &[Before<'_>]| assess(&diff, files, &advisory).0;
    let (by_hunks, by_files) = (code(&[]), code(&befores));
    assert!(
        !matches!(&by_files, Assessment::Unverifiable(open) if open.reason.as_str() == "files_disagree")
    );
    Some(Said {
        by_hunks: by_hunks.code(),
        by_files: by_files.code(),
    })
}

fn told(bump: &Bump) -> String {
    let files = bump.files();
    let diffs: String = files
        .iter()
        .map(|(path, before, after)| crate::diff::synthesize(path, before, after))
        .collect();
    format!("{bump:?}\n{diffs}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_remedies_by_hunks_remedies_by_files(bump in project::any()) {
        prop_assume!(!BEYOND_HUNKS.contains(&bump.kind));
        if let Some(said) = judged(&bump) && said.by_hunks == "remedies" {
            prop_assert_eq!(said.by_files, "remedies", "{}", told(&bump));
        }
    }

    #[test]
    fn what_remedies_by_files_installs_nothing_that_is_affected(bump in project::any()) {
        if let Some(said) = judged(&bump) && said.by_files == "remedies" {
            prop_assert!(bump.is_sound(), "{}", told(&bump));
        }
    }

    /// A file that was torn, doubled or sewn together wrong is understood or not, and nothing worse.
    #[test]
    fn no_text_makes_a_reader_panic(
        bump in project::any(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        for (path, before, _) in bump.files() {
            let mut text: Vec<char> = before.chars().collect();
            for (from, to) in &cuts {
                let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
                let piece: Vec<char> = text[from.min(to)..from.max(to)].iter().take(400).copied().collect();
                match from < to {
                    true => drop(text.splice(from..to.min(from + 40), [])),
                    false => drop(text.splice(to..to, piece)),
                }
                if text.is_empty() {
                    text.push('\n');
                }
            }
            let text: String = text.into_iter().collect();
            let kind = FileKind::of(&path).unwrap();
            drop(kind.read(&text, &bump.facts()));
        }
    }

    #[test]
    fn a_good_bump_of_every_format_remedies_by_files(bump in project::of(Just(Kind::Good))) {
        let said = judged(&bump).unwrap();
        prop_assert_eq!(said.by_files, "remedies", "{}", told(&bump));
    }
}

#[test]
fn every_kind_of_bad_bump_is_made_and_refused_in_some_format() {
    let mut runner = runner();
    let mut refused: BTreeMap<Kind, usize> = BTreeMap::new();
    for _ in 0..2_000 {
        let bump = project::any().new_tree(&mut runner).unwrap().current();
        if let Some(said) = judged(&bump)
            && said.by_files != "remedies"
        {
            *refused.entry(bump.kind).or_default() += 1;
        }
    }
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Good) {
        assert!(refused.contains_key(&kind), "{kind:?}: {refused:?}");
    }
}

/// What is counted of one format and kind.
#[derive(Default)]
struct Count {
    made: usize,
    hunks: usize,
    files: usize,
    unsound_hunks: usize,
    unsound_files: usize,
    apart: usize,
    first: Option<String>,
}

#[test]
fn the_long_form_counts() {
    let Some(cases) = std::env::var("CRISOL_LONG")
        .ok()
        .and_then(|n| n.parse::<usize>().ok())
    else {
        return;
    };
    let mut runner = runner();
    let mut counts: BTreeMap<(Kind, Format), Count> = BTreeMap::new();
    for _ in 0..cases {
        let bump = project::any().new_tree(&mut runner).unwrap().current();
        let Some(said) = judged(&bump) else {
            continue;
        };
        let [hunks, files] = [said.by_hunks, said.by_files].map(|code| code == "remedies");
        let count = counts.entry((bump.kind, bump.format)).or_default();
        count.made += 1;
        count.hunks += usize::from(hunks);
        count.files += usize::from(files);
        count.unsound_hunks += usize::from(hunks && !bump.is_sound());
        count.unsound_files += usize::from(files && !bump.is_sound());
        if hunks && !files {
            count.apart += 1;
            count.first.get_or_insert_with(|| said.by_files.to_owned());
        }
    }
    println!(
        "kind            format          made  hunks  files  unsound: hunks files  hunks only"
    );
    for ((kind, format), count) in &counts {
        println!(
            "{:15} {:15} {:5} {:6} {:6} {:14} {:5} {:11} {}",
            format!("{kind:?}"),
            format!("{format:?}"),
            count.made,
            count.hunks,
            count.files,
            count.unsound_hunks,
            count.unsound_files,
            count.apart,
            count.first.as_deref().unwrap_or_default()
        );
    }
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    let good = |of: fn(&Count) -> usize| -> usize {
        let good = counts.iter().filter(|((kind, _), _)| *kind == Kind::Good);
        good.map(|(_, count)| of(count)).sum()
    };
    println!(
        "{} made, {} good; approved of the good: {} by hunks, {} by files; unsound: {} by hunks, {} by files; hunks alone: {}",
        sum(|c| c.made),
        good(|c| c.made),
        good(|c| c.hunks),
        good(|c| c.files),
        sum(|c| c.unsound_hunks),
        sum(|c| c.unsound_files),
        sum(|c| c.apart),
    );
    assert_eq!(sum(|c| c.unsound_files), 0);
}

/// The same cases each time.
fn runner() -> TestRunner {
    let seed = [7; 32];
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    )
}
