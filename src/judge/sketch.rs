//! What is kept of a candidate so that later ones can be compared with it: small, and of no use to write
//! the patch again.

mod wire;

pub use wire::SketchError;

/// Lanes of a sketch. One hash a thing, the lowest per lane ("one permutation hashing", Li, Owen and Zhang,
/// NIPS 2012): a set smaller than the lanes is compared almost exactly.
pub const LANES: usize = 64;
/// Places and files that a sketch holds.
const PLACES: usize = 16;

/// A set as its lowest hash per lane; 0 is an empty lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinHash {
    lanes: [u16; LANES],
}

impl Default for MinHash {
    fn default() -> Self {
        Self { lanes: [0; LANES] }
    }
}

impl MinHash {
    /// Puts a hash in.
    pub fn insert(&mut self, hash: u64) {
        // 0 is kept for the empty lane.
        let value = ((hash >> 16) as u16).max(1);
        if let Some(lane) = self.lanes.get_mut(hash as usize % LANES)
            && (*lane == 0 || value < *lane)
        {
            *lane = value;
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| *lane == 0)
    }

    /// Returns the estimated share of what either has that both have (Jaccard), 0 to 1; 0 if both are empty.
    pub fn similarity(&self, other: &Self) -> f32 {
        // As wide as a lane, and never checked for more than the 64 that it can be, so that eight lanes are
        // compared at once.
        let (mut equal, mut used) = (0_u16, 0_u16);
        for (a, b) in self.lanes.iter().zip(&other.lanes) {
            used = used.wrapping_add(u16::from(a | b != 0));
            equal = equal.wrapping_add(u16::from(a == b) & u16::from(*a != 0));
        }
        f32::from(equal) / f32::from(used.max(1))
    }

    /// Returns about how many different things are in it: from the empty lanes while there are some, then
    /// from how low the lowest values are.
    pub fn distinct(&self) -> f32 {
        let lanes = LANES as f32;
        let empty = self.lanes.iter().filter(|lane| **lane == 0).count() as f32;
        if empty > 3.0 {
            return lanes * (lanes / empty).ln();
        }
        // The lowest of n uniform values is one part in n + 1, on average.
        let sum: f32 = self.lanes.iter().map(|lane| f32::from(*lane)).sum();
        lanes * (lanes * 65_536.0 / sum.max(1.0) - 1.0).max(1.0)
    }
}

/// Returns the estimated shares of either set's things that the other has too, 0 to 1, from how alike they are
/// (Jaccard) and how many things each has.
pub fn covered(jaccard: f32, [one, other]: [f32; 2]) -> [f32; 2] {
    let common = jaccard / (1.0 + jaccard) * (one + other);
    [one, other].map(|size| {
        if size > 0.0 {
            (common / size).min(1.0)
        } else {
            0.0
        }
    })
}

/// A small set of hashes, the lowest ones if there are too many, so that order does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Few(Vec<u32>);

impl Few {
    /// Puts a hash in.
    pub fn insert(&mut self, hash: u32) {
        if let Err(at) = self.0.binary_search(&hash) {
            self.0.insert(at, hash);
            self.0.truncate(PLACES);
        }
    }

    /// Returns the share of what either has that both have, 0 to 1; 0 if both are empty.
    pub fn similarity(&self, other: &Self) -> f32 {
        let common = self
            .0
            .iter()
            .filter(|hash| other.0.binary_search(hash).is_ok())
            .count();
        let either = self.0.len() + other.0.len() - common;
        common as f32 / either.max(1) as f32
    }
}

/// What is kept of a candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Tokens of added and removed lines.
    pub tokens: MinHash,
    /// Names and numbers of added lines.
    pub added: MinHash,
    /// Added and removed lines with their sign, without space.
    pub lines: MinHash,
    /// Three tokens in a row of added lines.
    pub trigrams: MinHash,
    /// Regions of files, 20 lines each.
    pub regions: Few,
    /// Files.
    pub files: Few,
    /// The edit with its names numbered in order of first use: the same for the same edit in other words.
    pub edit: u64,
    /// Tokens in added and removed lines.
    pub length: u32,
}

/// How alike two candidates for one CVE are, each 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Likeness {
    /// By tokens.
    pub tokens: f32,
    /// By lines.
    pub lines: f32,
    /// By three tokens in a row; by lines where neither adds three.
    pub trigrams: f32,
    /// By region.
    pub regions: f32,
    /// By file.
    pub files: f32,
    /// By names and numbers of added lines.
    pub added: f32,
    /// Whether it is the same edit, in these or other words.
    pub same_edit: bool,
}

impl Sketch {
    /// Returns how alike two are.
    pub fn likeness(&self, other: &Self) -> Likeness {
        let lines = self.lines.similarity(&other.lines);
        let trigrams = if self.trigrams.is_empty() && other.trigrams.is_empty() {
            lines
        } else {
            self.trigrams.similarity(&other.trigrams)
        };
        Likeness {
            tokens: self.tokens.similarity(&other.tokens),
            lines,
            trigrams,
            regions: self.regions.similarity(&other.regions),
            files: self.files.similarity(&other.files),
            added: self.added.similarity(&other.added),
            same_edit: self.edit == other.edit || trigrams > 0.9,
        }
    }
}

impl Likeness {
    /// Returns one figure for all, 0 to 1.
    pub fn overall(&self) -> f32 {
        (self.tokens + self.trigrams + self.regions + self.lines / 2.0) / 3.5
    }
}
