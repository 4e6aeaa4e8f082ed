//! Sets of hashes as bit maps: what is in both, in one alone, and how many, without a table.

/// Words of a map. 4,096 bits: two things share one with a chance of 2 % in a set of 100.
const WORDS: usize = 64;

/// A set of hashes, as one bit each.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    words: [u64; WORDS],
    /// How many bits are set.
    count: u32,
}

impl Default for Bits {
    fn default() -> Self {
        Self {
            words: [0; WORDS],
            count: 0,
        }
    }
}

impl Bits {
    /// Puts a hash in.
    pub(super) fn insert(&mut self, hash: u64) {
        // The lowest bits choose lanes of sketches; these are others.
        let at = hash >> 32;
        if let Some(word) = self.words.get_mut((at >> 6) as usize % WORDS) {
            let bit = 1 << (at & 63);
            self.count += u32::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Returns how many bits are set.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Returns how many bits both have.
    pub(super) fn common(&self, other: &Self) -> u32 {
        // Most words of most patches are empty, and counting bits costs more than looking.
        let both = self.words.iter().zip(&other.words).map(|(a, b)| a & b);
        both.filter(|both| *both != 0).map(u64::count_ones).sum()
    }

    /// Returns the share of what either has that both have, 0 to 1; 0 if both are empty.
    pub(super) fn similarity(&self, other: &Self) -> f32 {
        let common = self.common(other);
        let either = self.count() + other.count() - common;
        super::share(common, either)
    }
}
