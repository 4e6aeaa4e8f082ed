//! Numbers that are the same for the same seed, on every machine.

/// The splitmix64 generator.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with the constants
/// of Vigna's public-domain `splitmix64.c`.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Returns a generator of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number in `0..bound`; `bound` is at least 1.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "no number is below 0");
        // The upper half of the product: a bias of at most bound / 2^64.
        let product = u128::from(self.next()) * u128::from(bound);
        u32::try_from(product >> 64).expect("below a u32")
    }

    /// Returns a number in `low..=high`.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// Returns `true` in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Returns one of `items`, each as likely as any other.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        let at = self.below(u32::try_from(items.len()).expect("a short list"));
        items[at as usize].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_the_published_ones() {
        // The first outputs for seed 1234567, as Rosetta Code lists them for splitmix64.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
