//! What a model knows before memory knows anything: how often generators' patches were right among those it was made
//! from, and how far a wargame that passes is to be believed in a language.
//!
//! Memory counts what wargames said, and begins anew on each table. These counts are of what was right, do not change,
//! and are part of the model's file. A training row reads counts of other folds of projects than its own.

use std::collections::BTreeMap;

use ahash::RandomState;
use serde::{Deserialize, Serialize};

use crate::judge::features::{Column, Language};
use crate::judge::precedent::generator_hash;

/// Features of this kind.
pub const COLUMNS: usize = 2;

/// Patches that a share is drawn with towards the wider one. Of 30, 60, 120 and 250 the one with the largest area under
/// the curve out of fold, by little (0.816, 0.817, 0.816, 0.816).
const DRAWN: f32 = 60.0;

type Map<K, V> = hashbrown::HashMap<K, V, RandomState>;

/// Returns the columns in order.
pub fn columns() -> impl Iterator<Item = Column> {
    ["generator", "passed"].into_iter().map(|name| Column {
        name: format!("prior_{name}"),
        unit: "share",
        group: "prior",
    })
}

/// How many patches were right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Those that were.
    pub right: u32,
    /// All.
    pub n: u32,
}

impl Tally {
    fn count(&mut self, right: bool) {
        self.right += u32::from(right);
        self.n += 1;
    }

    fn add(&mut self, other: Self) {
        self.right = self.right.saturating_add(other.right);
        self.n = self.n.saturating_add(other.n);
    }

    /// The share that was right, drawn towards `wider` as by `weight` patches.
    fn share(self, wider: f32, weight: f32) -> f32 {
        (self.right as f32 + weight * wider) / (self.n as f32 + weight)
    }

    fn holds(self) -> bool {
        self.right <= self.n
    }
}

/// The counts, as a model's file has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Priors {
    /// Patches of each generator, by its name and their language.
    pub generators: BTreeMap<String, BTreeMap<Language, Tally>>,
    /// Patches that passed a wargame, by their language.
    pub passed: BTreeMap<Language, Tally>,
}

impl Priors {
    /// Counts a patch; `passed` says whether it passed a wargame.
    pub fn count(&mut self, generator: &str, language: Language, passed: bool, right: bool) {
        let languages = match self.generators.get_mut(generator) {
            Some(languages) => languages,
            None => self.generators.entry(generator.to_owned()).or_default(),
        };
        languages.entry(language).or_default().count(right);
        if passed {
            self.passed.entry(language).or_default().count(right);
        }
    }

    /// Whether no count says that more were right than there were.
    pub fn hold(&self) -> bool {
        let generators = self.generators.values().flat_map(BTreeMap::values);
        generators
            .chain(self.passed.values())
            .all(|one| one.holds())
    }

    /// Returns what scoring asks for.
    pub fn table(&self) -> Table {
        let sum = |tallies: &mut dyn Iterator<Item = &Tally>| {
            let mut all = Tally::default();
            tallies.for_each(|one| all.add(*one));
            all
        };
        let all = sum(&mut self.generators.values().flat_map(BTreeMap::values));
        let anybody = all.share(0.5, 1.0);
        let passed = sum(&mut self.passed.values()).share(0.5, 1.0);
        let generators = self.generators.iter().map(|(name, languages)| {
            let elsewhere = sum(&mut languages.values()).share(anybody, DRAWN);
            let shares = languages.iter();
            let shares = shares.map(|(language, one)| (*language, one.share(elsewhere, DRAWN)));
            let known = Generator {
                elsewhere,
                languages: shares.collect(),
            };
            (generator_hash(name), known)
        });
        let by_language = self.passed.iter();
        Table {
            anybody,
            generators: generators.collect(),
            passed,
            by_language: by_language
                .map(|(language, one)| (*language, one.share(passed, DRAWN)))
                .collect(),
        }
    }
}

/// Shares of a generator's patches.
#[derive(Debug, Clone, PartialEq)]
struct Generator {
    /// In a language of which none was counted.
    elsewhere: f32,
    languages: Map<Language, f32>,
}

/// The shares that follow from the counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    anybody: f32,
    generators: Map<u64, Generator>,
    passed: f32,
    by_language: Map<Language, f32>,
}

impl Table {
    /// Returns the features of a patch: how often such of its generator were right, and how often those in its language
    /// were that passed a wargame; both 0 to 1. Nobody's are taken for anybody's.
    pub fn features(&self, language: Language, generator: Option<u64>) -> [f32; COLUMNS] {
        let known = generator.and_then(|hash| self.generators.get(&hash));
        let of_generator = known.map_or(self.anybody, |known| {
            let here = known.languages.get(&language);
            here.copied().unwrap_or(known.elsewhere)
        });
        let passed = self.by_language.get(&language);
        [of_generator, passed.copied().unwrap_or(self.passed)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Priors {
        let mut priors = Priors::default();
        for n in 0..100 {
            priors.count("careful", Language::Rust, n < 60, n < 80);
            priors.count("hasty", Language::C, n < 50, n < 10);
        }
        priors
    }

    #[test]
    fn a_name_that_was_counted_has_its_share_and_any_other_is_anybody() {
        let table = counted().table();
        let share = |language, name: Option<&str>| {
            let [share, _] = table.features(language, name.map(generator_hash));
            share
        };
        let anybody = share(Language::Rust, None);
        assert!((anybody - 90.5 / 201.0).abs() < 1e-6);
        assert_eq!(
            share(Language::C, Some("never seen")).to_bits(),
            anybody.to_bits()
        );
        let careful = share(Language::Rust, Some("careful"));
        let elsewhere = share(Language::Go, Some("careful"));
        assert!(careful > elsewhere && elsewhere > anybody);
        assert!(share(Language::C, Some("hasty")) < anybody);
        // 80 of 100, drawn to what the name has in all languages, which is drawn to all.
        let in_all = (80.0 + 60.0 * anybody) / 160.0;
        assert!((careful - (80.0 + 60.0 * in_all) / 160.0).abs() < 1e-6);
    }

    #[test]
    fn passing_is_worth_what_was_right_among_those_that_passed() {
        let table = counted().table();
        let passed = |language| table.features(language, None)[1];
        assert!(passed(Language::Rust) > passed(Language::Go));
        assert!(passed(Language::C) < passed(Language::Go));
        let [nobody, nothing] = Priors::default().table().features(Language::C, Some(1));
        assert_eq!([nobody, nothing], [0.5, 0.5]);
    }

    #[test]
    fn more_right_than_there_were_is_refused() {
        let mut priors = counted();
        assert!(priors.hold());
        priors.passed.insert(Language::Go, Tally { right: 2, n: 1 });
        assert!(!priors.hold());
    }
}
