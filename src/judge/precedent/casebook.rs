//! Earlier candidates by CVE, and what all of them together say of languages and generators.
//!
//! What it answers depends on the verdicts that it holds and, for each CVE, on their order; not on the order in
//! which CVEs came. So replicas that have read the same table say the same.

use std::collections::{HashMap, HashSet};

use super::MOST;
use super::columns::{COLUMNS, Precedent, features};
use super::experience::{Background, Experience};
use crate::judge::features::Language;
use crate::judge::sketch::Sketch;

/// SHA-256 of a candidate's diff.
pub type Digest = [u8; 32];

/// What is kept of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What others are compared with.
    pub sketch: Sketch,
    /// The language of most of its changed lines.
    pub language: Language,
    /// The hash of who made it, if that is told.
    pub generator: Option<u64>,
    /// Whether its wargame called it mitigated; `None` if it had none, or one that came to no end.
    pub mitigated: Option<bool>,
}

/// Candidates of a CVE, oldest first.
#[derive(Debug, Default)]
struct Case {
    candidates: Vec<(Digest, Candidate)>,
}

impl Case {
    fn verdicts(&self, of: impl Fn(&Candidate) -> bool) -> Experience {
        let mut counts = Experience::default();
        for (_, candidate) in &self.candidates {
            if let Some(mitigated) = candidate.mitigated.filter(|_| of(candidate)) {
                counts.count(mitigated);
            }
        }
        counts
    }

    fn generators(&self) -> HashSet<u64> {
        let all = self.candidates.iter();
        all.filter_map(|(_, candidate)| candidate.generator)
            .collect()
    }
}

/// What is known of a generator.
#[derive(Debug, Default)]
struct Generator {
    all: Experience,
    languages: HashMap<Language, Experience>,
    beside_others: i64,
}

/// Earlier candidates by CVE, the newest [`MOST`] of each.
#[derive(Debug, Default)]
pub struct Casebook {
    cases: HashMap<Box<str>, Case>,
    candidates: usize,
    all: Experience,
    languages: HashMap<Language, Experience>,
    generators: HashMap<u64, Generator>,
}

impl Casebook {
    /// Returns how many candidates it holds.
    pub fn len(&self) -> usize {
        self.candidates
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.candidates == 0
    }

    /// Returns how many CVEs it holds candidates of.
    pub fn cves(&self) -> usize {
        self.cases.len()
    }

    /// Takes a candidate in, in place of what was known of it; returns the oldest one of its CVE if that had to
    /// go for it.
    pub fn learn(&mut self, cve: &str, digest: Digest, candidate: Candidate) -> Option<Digest> {
        self.forget(cve, &digest);
        self.skills(cve, -1);
        let case = match self.cases.get_mut(cve) {
            Some(case) => case,
            None => self.cases.entry(cve.into()).or_default(),
        };
        let oldest = (case.candidates.len() >= MOST).then(|| case.candidates.remove(0));
        case.candidates.push((digest, candidate.clone()));
        self.skills(cve, 1);
        self.candidates += 1;
        self.count(&candidate, Experience::count);
        oldest.map(|(digest, oldest)| {
            self.candidates -= 1;
            self.count(&oldest, Experience::forget);
            digest
        })
    }

    /// Takes a candidate out; returns whether it was there.
    pub fn forget(&mut self, cve: &str, digest: &Digest) -> bool {
        let Some(case) = self.cases.get(cve) else {
            return false;
        };
        let Some(at) = case
            .candidates
            .iter()
            .position(|(known, _)| known == digest)
        else {
            return false;
        };
        self.skills(cve, -1);
        let gone = self
            .cases
            .get_mut(cve)
            .map(|case| case.candidates.remove(at).1);
        self.skills(cve, 1);
        self.candidates -= 1;
        if let Some(gone) = gone {
            self.count(&gone, Experience::forget);
        }
        if self
            .cases
            .get(cve)
            .is_some_and(|case| case.candidates.is_empty())
        {
            self.cases.remove(cve);
        }
        true
    }

    /// Takes all candidates of a CVE out; returns their digests, oldest first.
    pub fn forget_cve(&mut self, cve: &str) -> Vec<Digest> {
        let all: Vec<Digest> = self.cases.get(cve).map_or(Vec::new(), |case| {
            case.candidates.iter().map(|(digest, _)| *digest).collect()
        });
        for digest in &all {
            self.forget(cve, digest);
        }
        all
    }

    /// Returns what is known of a candidate for a CVE, but for itself, as features.
    pub fn recall(
        &self,
        cve: &str,
        digest: &Digest,
        sketch: &Sketch,
        language: Language,
        generator: Option<u64>,
    ) -> [f32; COLUMNS] {
        let earlier = self.cases.get(cve).map_or(&[][..], |case| &case.candidates);
        let precedents: Vec<Precedent<'_>> = earlier
            .iter()
            .filter(|(known, _)| known != digest)
            .map(|(_, one)| Precedent {
                sketch: &one.sketch,
                mitigated: one.mitigated,
                generator: one.generator,
                expected: self.background(one.language, one.generator).expected(),
            })
            .collect();
        let background = self.background(language, generator);
        features(sketch, generator, &precedents, &background)
    }

    fn background(&self, language: Language, generator: Option<u64>) -> Background {
        let known = generator.and_then(|generator| self.generators.get(&generator));
        let of_language = |counts: &HashMap<Language, Experience>| {
            counts.get(&language).copied().unwrap_or_default()
        };
        Background {
            all: self.all,
            language: of_language(&self.languages),
            generator: known.map_or(Experience::default(), |known| known.all),
            generator_language: known
                .map_or(Experience::default(), |known| of_language(&known.languages)),
            generator_beside_others: known.map_or(0, |known| known.beside_others),
        }
    }

    fn count(&mut self, candidate: &Candidate, how: fn(&mut Experience, bool)) {
        let Some(mitigated) = candidate.mitigated else {
            return;
        };
        let language = candidate.language;
        how(&mut self.all, mitigated);
        how(self.languages.entry(language).or_default(), mitigated);
        if let Some(generator) = candidate.generator {
            let known = self.generators.entry(generator).or_default();
            how(&mut known.all, mitigated);
            how(known.languages.entry(language).or_default(), mitigated);
            if known.all.n == 0 {
                self.generators.remove(&generator);
            }
        }
    }

    /// Adds to its generators, or takes away from them with -1, what a CVE says of them.
    fn skills(&mut self, cve: &str, sign: i64) {
        let Some(case) = self.cases.get(cve) else {
            return;
        };
        let all = case.verdicts(|_| true);
        for generator in case.generators() {
            let own = case.verdicts(|one| one.generator == Some(generator));
            if own.n > 0 {
                self.generators.entry(generator).or_default().beside_others +=
                    sign * own.better_than(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns a candidate of which everything follows from three numbers.
    fn candidate(words: u64, generator: u64, mitigated: Option<bool>) -> Candidate {
        let mut sketch = Sketch::default();
        for word in 0..words % 9 {
            let hash = (word + words / 3).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            sketch.tokens.insert(hash);
            sketch.lines.insert(hash ^ 1);
        }
        sketch.length = words as u32;
        Candidate {
            sketch,
            language: [Language::C, Language::Java, Language::Python][generator as usize % 3],
            generator: (generator > 0).then_some(generator),
            mitigated,
        }
    }

    fn digest(n: u64) -> Digest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_be_bytes());
        digest
    }

    fn asked(book: &Casebook, cve: &str) -> [f32; COLUMNS] {
        let one = candidate(40, 2, None);
        book.recall(
            cve,
            &digest(9_999),
            &one.sketch,
            one.language,
            one.generator,
        )
    }

    type Verdict = (u8, u64, u64, Option<bool>);

    fn verdicts() -> impl Strategy<Value = Vec<Verdict>> {
        let one = (
            0..4_u8,
            0..60_u64,
            0..5_u64,
            prop::option::of(any::<bool>()),
        );
        prop::collection::vec(one, 0..300)
    }

    proptest! {
        #[test]
        fn what_it_says_is_finite_and_it_stays_bounded(verdicts in verdicts()) {
            let mut book = Casebook::default();
            for (n, (cve, words, generator, mitigated)) in verdicts.into_iter().enumerate() {
                book.learn(&format!("CVE-{cve}"), digest(n as u64), candidate(words, generator, mitigated));
            }
            prop_assert!(book.len() <= book.cves() * MOST);
            for cve in ["CVE-0", "CVE-1", "CVE-9"] {
                for value in asked(&book, cve) {
                    prop_assert!(value.is_finite() && value.abs() <= 100.0);
                }
            }
        }

        #[test]
        fn what_is_forgotten_has_never_been(verdicts in verdicts(), extra in verdicts()) {
            let mut book = Casebook::default();
            let mut plain = Casebook::default();
            let few = verdicts.into_iter().take(50);
            for (n, (cve, words, generator, mitigated)) in few.enumerate() {
                let one = candidate(words, generator, mitigated);
                book.learn(&format!("CVE-{cve}"), digest(n as u64), one.clone());
                plain.learn(&format!("CVE-{cve}"), digest(n as u64), one);
            }
            let extra: Vec<Verdict> = extra.into_iter().take(9).collect();
            for (n, (cve, words, generator, mitigated)) in extra.iter().enumerate() {
                let one = candidate(*words, *generator, *mitigated);
                book.learn(&format!("CVE-{cve}"), digest(1_000 + n as u64), one);
            }
            for (n, (cve, ..)) in extra.iter().enumerate() {
                let was_there = book.forget(&format!("CVE-{cve}"), &digest(1_000 + n as u64));
                prop_assert!(was_there);
            }
            for cve in ["CVE-0", "CVE-1", "CVE-9"] {
                prop_assert_eq!(asked(&book, cve), asked(&plain, cve));
            }
        }

        #[test]
        fn the_order_of_cves_does_not_matter(verdicts in verdicts()) {
            let mut book = Casebook::default();
            let mut sorted = Casebook::default();
            let mut by_cve: Vec<(usize, Verdict)> = verdicts.into_iter().enumerate().collect();
            for (n, (cve, words, generator, mitigated)) in &by_cve {
                let one = candidate(*words, *generator, *mitigated);
                book.learn(&format!("CVE-{cve}"), digest(*n as u64), one);
            }
            by_cve.sort_by_key(|(_, verdict)| verdict.0);
            for (n, (cve, words, generator, mitigated)) in &by_cve {
                let one = candidate(*words, *generator, *mitigated);
                sorted.learn(&format!("CVE-{cve}"), digest(*n as u64), one);
            }
            for cve in ["CVE-0", "CVE-3"] {
                prop_assert_eq!(asked(&book, cve), asked(&sorted, cve));
            }
        }
    }

    #[test]
    fn the_oldest_of_a_cve_goes_first_and_a_new_verdict_makes_a_candidate_new() {
        let mut book = Casebook::default();
        for n in 0..MOST as u64 {
            assert_eq!(book.learn("CVE-1", digest(n), candidate(n, 1, None)), None);
        }
        assert_eq!(
            book.learn("CVE-1", digest(0), candidate(0, 1, Some(true))),
            None
        );
        assert_eq!(
            book.learn("CVE-1", digest(500), candidate(5, 1, None)),
            Some(digest(1))
        );
        assert_eq!(book.len(), MOST);
        assert_eq!(book.forget_cve("CVE-1").len(), MOST);
        assert!(book.is_empty() && book.cves() == 0);
    }

    #[test]
    fn a_candidate_is_no_precedent_of_its_own() {
        let mut book = Casebook::default();
        let one = candidate(40, 0, Some(true));
        book.learn("CVE-1", digest(1), one.clone());
        let of = |own: u64| book.recall("CVE-1", &digest(own), &one.sketch, one.language, None);
        assert!(of(1) != of(2));
    }
}
