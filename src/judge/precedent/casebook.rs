//! Earlier candidates by CVE, and what all of them together say of languages and generators.
//!
//! What it answers depends on the verdicts that it holds and, for each CVE, on their order; not on the order in
//! which CVEs came. So replicas that have read the same table say the same.

use std::collections::{BTreeMap, HashSet};

use ahash::RandomState;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::MOST;
use super::columns::{COLUMNS, Precedent, features, log_length};
use super::experience::{Background, Experience};
use crate::judge::features::Language;
use crate::judge::sketch::Sketch;

type Map<K, V> = hashbrown::HashMap<K, V, RandomState>;

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

/// A candidate that had to go for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evicted {
    /// Its CVE.
    pub cve: Box<str>,
    /// Its diff.
    pub digest: Digest,
}

/// A candidate as it is kept, with what every comparison asks of it.
#[derive(Debug)]
struct Kept {
    digest: Digest,
    candidate: Candidate,
    log_length: f32,
    distinct: f32,
}

impl Kept {
    fn new(digest: Digest, candidate: Candidate) -> Self {
        Self {
            digest,
            log_length: log_length(&candidate.sketch),
            distinct: candidate.sketch.added.distinct(),
            candidate,
        }
    }
}

/// Candidates of a CVE, oldest first.
#[derive(Debug, Default)]
struct Case {
    candidates: Vec<Kept>,
    /// When the newest came: the number of candidates that had come by then.
    touched: u64,
    /// Changes whenever what is known of a candidate does: all their [`mark`]s, put together.
    version: u64,
}

impl Case {
    fn verdicts(&self, of: impl Fn(&Candidate) -> bool) -> Experience {
        let mut counts = Experience::default();
        for Kept { candidate, .. } in &self.candidates {
            if let Some(mitigated) = candidate.mitigated.filter(|_| of(candidate)) {
                counts.count(mitigated);
            }
        }
        counts
    }

    fn generators(&self) -> HashSet<u64> {
        let all = self.candidates.iter();
        all.filter_map(|kept| kept.candidate.generator).collect()
    }
}

/// Returns a number that is another one for every digest and verdict.
fn mark(digest: &Digest, candidate: &Candidate) -> u64 {
    let verdict = candidate.mitigated.map_or(2, u64::from);
    xxh3_64_with_seed(digest, verdict)
}

/// What is known of a generator.
#[derive(Debug, Default)]
struct Generator {
    all: Experience,
    languages: Map<Language, Experience>,
    beside_others: i64,
}

/// Earlier candidates by CVE, the newest [`MOST`] of each. Past its bound, the CVE for which none has come for
/// the longest time is forgotten whole.
#[derive(Debug)]
pub struct Casebook {
    cases: Map<Box<str>, Case>,
    candidates: usize,
    bound: usize,
    came: u64,
    by_touch: BTreeMap<u64, Box<str>>,
    all: Experience,
    languages: Map<Language, Experience>,
    generators: Map<u64, Generator>,
}

impl Default for Casebook {
    fn default() -> Self {
        Self::bounded(usize::MAX)
    }
}

impl Casebook {
    /// Returns an empty book that holds at most so many candidates; at least those of one CVE.
    pub fn bounded(bound: usize) -> Self {
        Self {
            cases: Map::default(),
            candidates: 0,
            bound: bound.max(MOST),
            came: 0,
            by_touch: BTreeMap::new(),
            all: Experience::default(),
            languages: Map::default(),
            generators: Map::default(),
        }
    }

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

    /// Takes a candidate in, in place of what was known of it; returns those that had to go for it.
    pub fn learn(&mut self, cve: &str, digest: Digest, candidate: Candidate) -> Vec<Evicted> {
        self.forget(cve, &digest);
        let mut evicted = Vec::new();
        if let Some(oldest) = self.cases.get(cve).and_then(|case| {
            let full = case.candidates.len() >= MOST;
            case.candidates.first().filter(|_| full)
        }) {
            let digest = oldest.digest;
            self.forget(cve, &digest);
            evicted.push(Evicted {
                cve: cve.into(),
                digest,
            });
        }
        self.skills(cve, -1);
        self.came += 1;
        let case = match self.cases.get_mut(cve) {
            Some(case) => case,
            None => self.cases.entry(cve.into()).or_default(),
        };
        self.by_touch.remove(&case.touched);
        case.touched = self.came;
        self.by_touch.insert(self.came, cve.into());
        case.version ^= mark(&digest, &candidate);
        case.candidates.push(Kept::new(digest, candidate.clone()));
        self.skills(cve, 1);
        self.candidates += 1;
        self.count(&candidate, Experience::count);
        while self.candidates > self.bound {
            let Some(cve) = self.by_touch.first_key_value().map(|(_, cve)| cve.clone()) else {
                break;
            };
            let gone = self.forget_cve(&cve);
            evicted.extend(gone.into_iter().map(|digest| Evicted {
                cve: cve.clone(),
                digest,
            }));
        }
        evicted
    }

    /// Takes a candidate out; returns whether it was there.
    pub fn forget(&mut self, cve: &str, digest: &Digest) -> bool {
        let Some(case) = self.cases.get(cve) else {
            return false;
        };
        let Some(at) = case
            .candidates
            .iter()
            .position(|kept| kept.digest == *digest)
        else {
            return false;
        };
        self.skills(cve, -1);
        let gone = self.cases.get_mut(cve).map(|case| {
            let gone = case.candidates.remove(at);
            case.version ^= mark(&gone.digest, &gone.candidate);
            gone.candidate
        });
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
            let gone = self.cases.remove(cve);
            gone.map(|case| self.by_touch.remove(&case.touched));
        }
        true
    }

    /// Takes all candidates of a CVE out; returns their digests, oldest first.
    pub fn forget_cve(&mut self, cve: &str) -> Vec<Digest> {
        let all: Vec<Digest> = self.cases.get(cve).map_or(Vec::new(), |case| {
            case.candidates.iter().map(|kept| kept.digest).collect()
        });
        for digest in &all {
            self.forget(cve, digest);
        }
        all
    }

    /// Returns what is known of a candidate itself.
    pub fn of(&self, cve: &str, digest: &Digest) -> Option<&Candidate> {
        let mut all = self.cases.get(cve)?.candidates.iter();
        all.find(|kept| kept.digest == *digest)
            .map(|kept| &kept.candidate)
    }

    /// Returns a number that changes whenever what is known of a CVE's candidates does; 0 for none.
    pub fn version(&self, cve: &str) -> u64 {
        self.cases.get(cve).map_or(0, |case| case.version)
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
            .filter(|kept| kept.digest != *digest)
            .map(|kept| Precedent {
                sketch: &kept.candidate.sketch,
                log_length: kept.log_length,
                distinct: kept.distinct,
                mitigated: kept.candidate.mitigated,
                generator: kept.candidate.generator,
                expected: self
                    .background(kept.candidate.language, kept.candidate.generator)
                    .expected(),
            })
            .collect();
        let background = self.background(language, generator);
        features(sketch, generator, &precedents, &background)
    }

    fn background(&self, language: Language, generator: Option<u64>) -> Background {
        let known = generator.and_then(|generator| self.generators.get(&generator));
        let of_language =
            |counts: &Map<Language, Experience>| counts.get(&language).copied().unwrap_or_default();
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
            assert_eq!(book.learn("CVE-1", digest(n), candidate(n, 1, None)), []);
        }
        assert_eq!(
            book.learn("CVE-1", digest(0), candidate(0, 1, Some(true))),
            []
        );
        assert_eq!(
            book.learn("CVE-1", digest(500), candidate(5, 1, None)),
            [Evicted {
                cve: "CVE-1".into(),
                digest: digest(1)
            }]
        );
        assert_eq!(book.len(), MOST);
        assert_eq!(book.forget_cve("CVE-1").len(), MOST);
        assert!(book.is_empty() && book.cves() == 0);
    }

    #[test]
    fn past_its_bound_it_forgets_the_cve_that_was_quiet_for_longest() {
        let mut book = Casebook::bounded(MOST);
        for n in 0..MOST as u64 {
            let cve = if n % 2 == 0 { "CVE-1" } else { "CVE-2" };
            assert_eq!(book.learn(cve, digest(n), candidate(n, 1, Some(true))), []);
        }
        let gone = book.learn("CVE-3", digest(500), candidate(5, 1, None));
        assert_eq!(gone.len(), MOST / 2);
        assert!(gone.iter().all(|one| &*one.cve == "CVE-1"));
        assert_eq!((book.len(), book.cves()), (MOST / 2 + 1, 2));
        // What went says nothing of its maker any more.
        let mut plain = Casebook::default();
        for n in (1..MOST as u64).step_by(2) {
            plain.learn("CVE-2", digest(n), candidate(n, 1, Some(true)));
        }
        assert_eq!(asked(&book, "CVE-2"), asked(&plain, "CVE-2"));
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
