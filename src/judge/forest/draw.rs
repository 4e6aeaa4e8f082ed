//! Seeded draws: the only chance in training.
//!
//! The generator is PCG64 of `rand_pcg`, whose output is portable and checked there against the
//! reference vectors. Draws are made from its 64-bit words here, so that no release of a
//! distribution crate changes a forest.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// A stream of draws, the same for the same seed and number on every machine.
#[derive(Debug, Clone)]
pub struct Draws {
    words: Pcg64,
}

impl Draws {
    /// Returns stream number `stream` of `seed`.
    ///
    /// Each stream is seeded by another word of the seed's own generator: the generator's parameter
    /// for streams leaves neighbours correlated.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut parent = Pcg64::seed_from_u64(seed);
        parent.advance(u128::from(stream));
        Self {
            words: Pcg64::seed_from_u64(parent.next_u64()),
        }
    }

    /// Returns a number in `0..bound`, each equally likely; 0 for a bound of 0.
    ///
    /// Source: D. Lemire, "Fast random integer generation in an interval", TOMACS 29 (2019).
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        if bound == 0 {
            return 0;
        }
        // Words below this would make small numbers likelier.
        let reject = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.words.next_u64()) * u128::from(bound);
            if product as u64 >= reject {
                return (product >> 64) as usize;
            }
        }
    }

    /// Returns `count` different numbers of `0..bound`, ascending, each set equally likely.
    ///
    /// All of them when `count` is not below `bound`. Source: D. Knuth, The Art of Computer
    /// Programming 2, algorithm 3.4.2 S.
    pub fn choose(&mut self, bound: usize, count: usize) -> Vec<u32> {
        let count = count.min(bound);
        let mut chosen = Vec::with_capacity(count);
        for at in 0..bound {
            let wanted = count - chosen.len();
            if wanted == 0 {
                break;
            }
            if self.below(bound - at) < wanted {
                chosen.push(at as u32);
            }
        }
        chosen
    }

    /// Returns a number in `0.0..1.0`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.words.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Draws;

    #[test]
    fn streams_are_the_same_for_ever() {
        // Changed numbers here mean that every seed now gives another forest.
        let mut draws = Draws::new(7, 3);
        let seen: Vec<usize> = (0..4).map(|_| draws.below(1_000_000)).collect();
        assert_eq!(seen, [445_964, 679_600, 859_525, 303_363]);
    }

    #[test]
    fn another_seed_or_stream_gives_other_draws() {
        let first = |seed, stream| Draws::new(seed, stream).below(usize::MAX);
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_eq!(first(1, 1), first(1, 1));
    }

    #[test]
    fn a_choice_is_ascending_without_repeats_and_fair() {
        let mut draws = Draws::new(1, 0);
        let mut times = [0_u32; 10];
        for _ in 0..10_000 {
            let chosen = draws.choose(10, 3);
            assert_eq!(chosen.len(), 3);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            for at in chosen {
                times[at as usize] += 1;
            }
        }
        // 3,000 each; the standard deviation is 46.
        assert!(
            times.iter().all(|&n| (2_770..3_230).contains(&n)),
            "{times:?}"
        );
    }

    #[test]
    fn a_choice_of_more_than_there_are_is_all() {
        assert_eq!(Draws::new(1, 0).choose(3, 9), [0, 1, 2]);
        assert!(Draws::new(1, 0).choose(0, 2).is_empty());
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut draws = Draws::new(2, 0);
        let mut times = [0_u32; 7];
        for _ in 0..70_000 {
            times[draws.below(7)] += 1;
        }
        // 10,000 each; the standard deviation is 93.
        assert!(
            times.iter().all(|&n| (9_530..10_470).contains(&n)),
            "{times:?}"
        );
        assert_eq!(draws.below(0), 0);
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&draws.unit())));
    }
}
