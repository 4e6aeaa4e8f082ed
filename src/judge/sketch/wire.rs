//! A sketch as text on a topic: its bytes in base64.
//!
//! One byte for the form; of each of the four sets a bit for each lane that is used (8 bytes), then those lanes
//! (2 bytes each); regions and files, each a count (1 byte) and as many hashes (4 bytes each), rising; the edit
//! (8 bytes); the length (4 bytes). All numbers have their lowest byte first. A patch of ten lines takes about
//! 500 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Few, LANES, MinHash, PLACES, Sketch};

/// The form of the bytes; another one is another build's.
const FORM: u8 = 1;
/// The longest text: every lane and place used.
const LONGEST: usize = (1 + 4 * (8 + 2 * LANES) + 2 * (1 + 4 * PLACES) + 8 + 4) * 4 / 3 + 3;

/// Why a text is no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SketchError {
    /// It is longer than any sketch, or no base64.
    #[error("a sketch is at most {LONGEST} characters of base64 without padding")]
    Text,
    /// It is of another form.
    #[error("a sketch of form {0}; this build reads {FORM}")]
    Form(u8),
    /// It ends too early or too late, or says one thing twice.
    #[error("a sketch whose bytes do not fit together at its {0}")]
    Shape(&'static str),
}

impl Sketch {
    /// Returns the sketch as text.
    pub fn to_text(&self) -> String {
        let mut bytes = vec![FORM];
        for set in [&self.tokens, &self.added, &self.lines, &self.trigrams] {
            let used = set.lanes.iter().rev();
            let used = used.fold(0_u64, |bits, lane| bits << 1 | u64::from(*lane != 0));
            bytes.extend(used.to_le_bytes());
            for lane in set.lanes.iter().filter(|lane| **lane != 0) {
                bytes.extend(lane.to_le_bytes());
            }
        }
        for Few(hashes) in [&self.regions, &self.files] {
            bytes.push(hashes.len() as u8);
            for hash in hashes {
                bytes.extend(hash.to_le_bytes());
            }
        }
        bytes.extend(self.edit.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        STANDARD_NO_PAD.encode(bytes)
    }

    /// Returns the sketch of a text that [`Sketch::to_text`] made.
    ///
    /// # Errors
    /// [`SketchError`] for any other text.
    pub fn from_text(text: &str) -> Result<Self, SketchError> {
        if text.len() > LONGEST {
            return Err(SketchError::Text);
        }
        let bytes = STANDARD_NO_PAD
            .decode(text)
            .map_err(|_| SketchError::Text)?;
        let mut rest = Rest(&bytes);
        let [form] = rest.take("form")?;
        if form != FORM {
            return Err(SketchError::Form(form));
        }
        let sketch = Self {
            tokens: rest.set("tokens")?,
            added: rest.set("added")?,
            lines: rest.set("lines")?,
            trigrams: rest.set("trigrams")?,
            regions: rest.few("regions")?,
            files: rest.few("files")?,
            edit: u64::from_le_bytes(rest.take("edit")?),
            length: u32::from_le_bytes(rest.take("length")?),
        };
        if rest.0.is_empty() {
            Ok(sketch)
        } else {
            Err(SketchError::Shape("end"))
        }
    }
}

/// Bytes that have not been read yet.
struct Rest<'b>(&'b [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SketchError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SketchError::Shape(what))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn set(&mut self, what: &'static str) -> Result<MinHash, SketchError> {
        let used = u64::from_le_bytes(self.take(what)?);
        let mut set = MinHash::default();
        for (at, lane) in set.lanes.iter_mut().enumerate() {
            if used >> at & 1 == 1 {
                *lane = u16::from_le_bytes(self.take(what)?);
                if *lane == 0 {
                    return Err(SketchError::Shape(what));
                }
            }
        }
        Ok(set)
    }

    fn few(&mut self, what: &'static str) -> Result<Few, SketchError> {
        let [count] = self.take(what)?;
        if usize::from(count) > PLACES {
            return Err(SketchError::Shape(what));
        }
        let mut hashes: Vec<u32> = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let hash = u32::from_le_bytes(self.take(what)?);
            if hashes.last().is_some_and(|last| *last >= hash) {
                return Err(SketchError::Shape(what));
            }
            hashes.push(hash);
        }
        Ok(Few(hashes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch(words: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        for (at, word) in words.iter().enumerate() {
            match at % 6 {
                0 => sketch.tokens.insert(*word),
                1 => sketch.added.insert(*word),
                2 => sketch.lines.insert(*word),
                3 => sketch.trigrams.insert(*word),
                4 => sketch.regions.insert(*word as u32),
                _ => sketch.files.insert(*word as u32),
            }
            sketch.edit ^= word;
            sketch.length = *word as u32;
        }
        sketch
    }

    proptest! {
        #[test]
        fn a_sketch_comes_back_as_it_went(words in prop::collection::vec(any::<u64>(), 0..2_000)) {
            let before = sketch(&words);
            let text = before.to_text();
            prop_assert!(text.len() <= LONGEST);
            prop_assert_eq!(Sketch::from_text(&text), Ok(before));
        }

        #[test]
        fn any_text_is_a_sketch_or_an_error(text in "[A-Za-z0-9+/=]{0,60}|.{0,40}") {
            if let Ok(sketch) = Sketch::from_text(&text) {
                prop_assert_eq!(sketch.to_text(), text);
            }
        }

        #[test]
        fn a_sketch_that_is_cut_or_lengthened_is_refused(
            words in prop::collection::vec(any::<u64>(), 0..100),
            cut in 0..500_usize,
        ) {
            let bytes = STANDARD_NO_PAD.decode(sketch(&words).to_text()).unwrap();
            let short = &bytes[..cut.min(bytes.len() - 1)];
            prop_assert!(Sketch::from_text(&STANDARD_NO_PAD.encode(short)).is_err());
            let long = [bytes.as_slice(), &[0]].concat();
            prop_assert!(Sketch::from_text(&STANDARD_NO_PAD.encode(long)).is_err());
        }
    }

    #[test]
    fn the_form_is_told() {
        let other = STANDARD_NO_PAD.encode([2, 0, 0]);
        assert_eq!(Sketch::from_text(&other), Err(SketchError::Form(2)));
        let long = "A".repeat(LONGEST + 1);
        assert_eq!(Sketch::from_text(&long), Err(SketchError::Text));
    }
}
