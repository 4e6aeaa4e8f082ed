//! The row that a model judges by, and how what memory knew of it is written down, so that it comes back to the bit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::diff::Diff;
use crate::event::decision::ForestRecord;
use crate::judge::features::{Extractor, Language};
use crate::judge::precedent::{self, Casebook, Digest, generator_hash, without_generator};
use crate::judge::priors::{self, Table};

/// Features of memory.
pub(super) type Memory = [f32; precedent::COLUMNS];

/// What a model is asked of: features of the diff, then those of memory, then what the model knew before.
#[derive(Debug, Clone, Default)]
pub struct Row {
    values: Vec<f32>,
    pub(super) language: Language,
    pub(super) generator: Option<u64>,
}

impl Row {
    /// Returns the row of a diff of which nothing is known: no earlier candidate, no generator, an empty memory.
    pub fn of_stranger(priors: &Table, diff: &Diff<'_>) -> Self {
        let read = Extractor::default().read(diff);
        let nobody = Casebook::default();
        let memory = nobody.recall("", &Digest::default(), &read.sketch, read.language, None);
        let mut row = Self {
            language: read.language,
            ..Self::default()
        };
        row.fill(&read.features, &memory, priors);
        row
    }

    /// Returns the row that a model judges by: the features of the diff, those of memory as they were recorded, and
    /// what that model knew before of the patch's generator; `None` if what was recorded is not of this build's columns.
    pub fn recorded(
        priors: &Table,
        diff: &Diff<'_>,
        forest: &ForestRecord,
        generator: Option<&str>,
    ) -> Option<Self> {
        let memory = from_text(&forest.recalled)?;
        let read = Extractor::default().read(diff);
        let mut row = Self {
            language: read.language,
            generator: generator.map(generator_hash),
            ..Self::default()
        };
        row.fill(&read.features, &memory, priors);
        row.values
            .iter()
            .all(|value| value.is_finite())
            .then_some(row)
    }

    /// Returns its values, in the order of the columns.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn fill(&mut self, features: &[f32], memory: &Memory, priors: &Table) {
        self.values.clear();
        self.values.extend_from_slice(features);
        self.values.extend_from_slice(memory);
        self.values
            .extend_from_slice(&priors.features(self.language, self.generator));
    }

    /// Puts in what another model knew before.
    pub(super) fn know(&mut self, priors: &Table) -> Option<()> {
        *self.values.last_chunk_mut::<{ priors::COLUMNS }>()? =
            priors.features(self.language, self.generator);
        Some(())
    }

    /// Returns it as if its generator had no name.
    pub(super) fn unnamed(&self, priors: &Table) -> Option<Self> {
        let mut row = Self {
            generator: None,
            ..self.clone()
        };
        row.know(priors)?;
        let (rest, _) = row.values.split_last_chunk_mut::<{ priors::COLUMNS }>()?;
        let memory = rest.last_chunk_mut::<{ precedent::COLUMNS }>()?;
        *memory = without_generator(memory);
        Some(row)
    }
}

/// Bytes that say which columns of memory are told.
const TOLD_BYTES: usize = size_of::<u64>();
const _: () = assert!(precedent::COLUMNS <= u64::BITS as usize);

/// Returns features of memory as text, so that they come back to the bit: eight bytes of which bit n says whether
/// column n is told, for any other value than zero, then four bytes for each that is; lowest first, in base64. Of a
/// CVE without candidates most are zero.
pub(super) fn to_text(memory: &Memory) -> String {
    let mut bytes = [0; TOLD_BYTES + 4 * precedent::COLUMNS];
    let (head, values) = bytes.split_at_mut(TOLD_BYTES);
    let mut told = 0_u64;
    let mut slots = values.as_chunks_mut::<4>().0.iter_mut();
    for (column, value) in memory.iter().enumerate() {
        if value.to_bits() != 0
            && let Some(slot) = slots.next()
        {
            told |= 1 << column;
            *slot = value.to_le_bytes();
        }
    }
    head.copy_from_slice(&told.to_le_bytes());
    let length = TOLD_BYTES + 4 * told.count_ones() as usize;
    STANDARD_NO_PAD.encode(bytes.get(..length).unwrap_or_default())
}

/// Returns what [`to_text`] made into text; `None` if it has not made this, for so many columns.
fn from_text(text: &str) -> Option<Memory> {
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let (told, values) = bytes.split_first_chunk::<TOLD_BYTES>()?;
    let told = u64::from_le_bytes(*told);
    let (values, rest) = values.as_chunks::<4>();
    if told.checked_shr(precedent::COLUMNS as u32).unwrap_or(0) != 0
        || values.len() != told.count_ones() as usize
        || !rest.is_empty()
    {
        return None;
    }
    let mut values = values.iter();
    let mut memory = [0.0; precedent::COLUMNS];
    for (column, slot) in memory.iter_mut().enumerate() {
        if told >> column & 1 == 1 {
            *slot = f32::from_le_bytes(*values.next()?);
        }
    }
    Some(memory)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_memory_knew_comes_back_to_the_bit(
            values in prop::collection::vec(
                prop_oneof![Just(0.0_f32), Just(-0.0), Just(-1.0), any::<f32>()],
                precedent::COLUMNS,
            ),
        ) {
            let memory: Memory = values.try_into().unwrap();
            let back = from_text(&to_text(&memory)).unwrap();
            prop_assert_eq!(back.map(f32::to_bits), memory.map(f32::to_bits));
        }

        #[test]
        fn any_other_text_is_refused_or_written_alike(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = STANDARD_NO_PAD.encode(&bytes);
            if let Some(memory) = from_text(&text) {
                // A zero that is told is the one thing that can be written in two ways.
                let again = from_text(&to_text(&memory)).unwrap();
                prop_assert_eq!(again.map(f32::to_bits), memory.map(f32::to_bits));
            }
        }
    }

    #[test]
    fn a_text_of_other_columns_is_refused() {
        let written = to_text(&[1.0; precedent::COLUMNS]);
        let mut bytes = STANDARD_NO_PAD.decode(&written).unwrap();
        // A column past the last one.
        bytes[TOLD_BYTES - 1] |= 0x80;
        for damaged in [
            &bytes[..],
            &bytes[..bytes.len() - 4],
            &bytes[..TOLD_BYTES - 1],
            &[],
        ] {
            assert_eq!(from_text(&STANDARD_NO_PAD.encode(damaged)), None);
        }
        assert_eq!(from_text("no base64!"), None);
    }
}
