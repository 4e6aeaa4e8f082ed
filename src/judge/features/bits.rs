//! Sets of hashes as bit maps: what is in both, in one alone, and how many, without a table.

/// Words of a map. 4,096 bits: two things share one with a chance of 2 % in a set of 100.
const WORDS: usize = 64;

/// A set of hashes, as one bit each.
#[derive(Debug, Clone)]
pub(super) struct Bits([u64; WORDS]);

impl Default for Bits {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Bits {
    /// Puts a hash in.
    pub(super) fn insert(&mut self, hash: u64) {
        // The lowest bits choose lanes of sketches; these are others.
        let at = hash >> 32;
        if let Some(word) = self.0.get_mut((at >> 6) as usize % WORDS) {
            *word |= 1 << (at & 63);
        }
    }

    /// Returns how many bits are set.
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Returns how many bits both have.
    pub(super) fn common(&self, other: &Self) -> u32 {
        let both = self.0.iter().zip(&other.0);
        both.map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// Returns the share of what either has that both have, 0 to 1; 0 if both are empty.
    pub(super) fn similarity(&self, other: &Self) -> f32 {
        let common = self.common(other);
        let either = self.count() + other.count() - common;
        super::share(common, either)
    }
}
