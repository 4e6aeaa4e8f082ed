//! The judge of code: a model in force, asked for one patch at a time.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::diff::Diff;
use crate::event::decision::{ForestRecord, JudgeName, JudgementRecord};
use crate::judge::features::{Extractor, Language};
use crate::judge::model::{Model, ModelError, digest_of};
use crate::judge::opinion::{Judgement, Opinion};
use crate::judge::precedent::{self, Casebook, Digest, without_generator};
use crate::judge::sketch::Sketch;

/// The version of what stands around the model: it changes whenever the way from a score to an opinion does.
const VERSION: u32 = 1;
/// Its findings, as they stand on events.
const APPROVES: &str = "approves";
const REFUSES: &str = "refuses";
const UNSURE: &str = "unsure";
/// A wargame of this very patch says that it does not work.
const REFUTED: &str = "refuted_by_wargame";
/// All of them.
pub(super) const FINDINGS: [&str; 4] = [APPROVES, REFUSES, UNSURE, REFUTED];

/// A model that was read, and the digest by which events name it.
#[derive(Debug, PartialEq)]
pub struct Loaded {
    model: Model,
    digest: String,
}

impl Loaded {
    /// Reads a model's file.
    ///
    /// # Errors
    /// [`ModelError`] if it is none for this build.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        Ok(Self {
            model: Model::read(file)?,
            digest: digest_of(file),
        })
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns the SHA-256 of its file, 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// A patch of code about to be judged.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its diff.
    pub diff: &'a Diff<'a>,
    /// Its CVE.
    pub cve_id: &'a str,
    /// The digest of its diff.
    pub digest: &'a Digest,
    /// The hash of who made it, if its producer says.
    pub generator: Option<u64>,
}

/// What later candidates are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketched {
    /// The sketch.
    pub sketch: Sketch,
    /// The language of most of the changed lines.
    pub language: Language,
    /// Whether memory knows this very patch already.
    pub known: bool,
}

/// Reads and scores patches one after another; keeps what it needs from one to the next.
#[derive(Debug, Default)]
pub struct Scorer {
    extractor: Extractor,
    row: Vec<f32>,
    looks: u32,
}

/// What came of asking the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// What it says.
    Judged(Box<(Judgement, Sketched)>),
    /// The patch changes no code that runs beside tests, so it is like nothing that the model learnt from.
    NoSource,
}

/// Judging failed: a defect, caught so that the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model failed on this patch")]
pub struct ModelFailed;

impl Scorer {
    /// Takes the first look at a patch, with what memory knows.
    ///
    /// An approval must also hold with the generator's name taken away: a name is the producer's word, and may
    /// make an approval harder but never easier.
    ///
    /// # Errors
    /// [`ModelFailed`] if the model panics or says no number.
    pub fn first_look(
        &mut self,
        loaded: &Loaded,
        asked: &Asked<'_>,
        book: &Casebook,
    ) -> Result<Seen, ModelFailed> {
        catch_unwind(AssertUnwindSafe(|| self.look(loaded, asked, book)))
            .ok()
            .flatten()
            .ok_or(ModelFailed)
    }

    /// Returns how many rows it has looked at, as far as 32 bits go.
    pub(super) fn looks(&self) -> u32 {
        self.looks
    }

    /// Returns the row that it has looked at last.
    pub(super) fn row(&self) -> &[f32] {
        &self.row
    }

    /// Returns what another model says of the row that was looked at last: p, and what it would find.
    ///
    /// # Errors
    /// [`ModelFailed`] if the model panics or says no number.
    pub(super) fn look_again(
        &mut self,
        other: &Loaded,
    ) -> Result<(f64, &'static str), ModelFailed> {
        let row = &mut self.row;
        let said = catch_unwind(AssertUnwindSafe(|| {
            judged(other, row, String::new(), false)
        }));
        let record = said.ok().flatten().ok_or(ModelFailed)?.record;
        let found = record.finding.as_deref();
        let finding = FINDINGS.into_iter().find(|known| found == Some(*known));
        Ok((record.p.ok_or(ModelFailed)?, finding.ok_or(ModelFailed)?))
    }

    fn look(&mut self, loaded: &Loaded, asked: &Asked<'_>, book: &Casebook) -> Option<Seen> {
        let read = self.extractor.read(asked.diff);
        if !read.has_source {
            return Some(Seen::NoSource);
        }
        let memory = book.recall(
            asked.cve_id,
            asked.digest,
            &read.sketch,
            read.language,
            asked.generator,
        );
        self.row.clear();
        self.row.extend_from_slice(&read.features);
        self.row.extend_from_slice(&memory);
        self.looks = self.looks.wrapping_add(1);
        let own = book.of(asked.cve_id, asked.digest);
        let refuted = own.and_then(|own| own.mitigated) == Some(false);
        let judgement = judged(loaded, &mut self.row, to_text(&memory), refuted)?;
        let sketched = Sketched {
            sketch: read.sketch,
            language: read.language,
            known: own.is_some(),
        };
        Some(Seen::Judged(Box::new((judgement, sketched))))
    }
}

type Memory = [f32; precedent::COLUMNS];

/// Returns what a model says of a row; `None` if it says no number.
fn judged(loaded: &Loaded, row: &mut [f32], recalled: String, refuted: bool) -> Option<Judgement> {
    let look = &loaded.model.first;
    let p = look.probability(row);
    let mut unnamed = None;
    if p >= look.accept {
        let memory = row.last_chunk_mut::<{ precedent::COLUMNS }>()?;
        let named = std::mem::replace(memory, without_generator(memory));
        unnamed = Some(look.probability(row));
        *row.last_chunk_mut()? = named;
    }
    let record = ForestRecord {
        model: loaded.digest.clone(),
        accept: look.accept,
        refuse: look.refuse,
        unnamed,
        recalled,
    };
    let numbers = [Some(p), unnamed];
    let are_numbers = numbers.iter().flatten().all(|p| p.is_finite());
    are_numbers.then(|| judgement(p, record, refuted))
}

/// Returns what another model says of a recorded judgement's patch, with what memory knew then; `None` if what was
/// recorded is not of this build's columns.
pub fn judge_recorded(
    loaded: &Loaded,
    diff: &Diff<'_>,
    record: &JudgementRecord,
) -> Option<Judgement> {
    let forest = record.forest.as_ref()?;
    let mut row = recorded_row(diff, forest)?;
    let refuted = record.finding.as_deref() == Some(REFUTED);
    judged(loaded, &mut row, forest.recalled.clone(), refuted)
}

fn judgement(p: f64, forest: ForestRecord, refuted: bool) -> Judgement {
    let sure = forest.unnamed.map_or(p, |unnamed| unnamed.min(p));
    let finding = match () {
        () if refuted => REFUTED,
        () if sure >= forest.accept => APPROVES,
        () if p <= forest.refuse => REFUSES,
        () => UNSURE,
    };
    let record = JudgementRecord {
        judge: JudgeName::Forest,
        version: VERSION,
        p: Some(p),
        finding: Some(Cow::Borrowed(finding)),
        detail: None,
        level: None,
        evidence: None,
        bumps: Vec::new(),
        forest: Some(forest),
    };
    Judgement {
        opinion: opinion_of(&record).unwrap_or(Opinion::Unavailable),
        pure_bump: false,
        record,
    }
}

/// Returns what a patch is remembered by, whether or not it is code.
pub fn sketched(diff: &Diff<'_>) -> Sketched {
    let read = Extractor::default().read(diff);
    Sketched {
        sketch: read.sketch,
        language: read.language,
        known: false,
    }
}

/// Returns the second look at a patch that passed its wargame: p and the model's threshold. As in the first, a
/// generator's name may make it lower and never higher. `None` if the model has no second look, was not the one that
/// took the first, or says no number.
pub(super) fn second_look(
    loaded: &Loaded,
    diff: &Diff<'_>,
    first: &ForestRecord,
) -> Option<(f64, f64)> {
    let look = loaded.model.second.as_ref()?;
    if first.model != loaded.digest {
        return None;
    }
    let mut row = recorded_row(diff, first)?;
    let named = look.probability(&row);
    let memory = row.last_chunk_mut::<{ precedent::COLUMNS }>()?;
    *memory = without_generator(memory);
    let p = look.probability(&row).min(named);
    p.is_finite().then_some((p, look.accept))
}

/// Returns the opinion of a recorded judgement; `None` if it is none of this judge and version.
pub(super) fn opinion_of(record: &JudgementRecord) -> Option<Opinion> {
    if record.judge != JudgeName::Forest || record.version != VERSION {
        return None;
    }
    let forest = record.forest.as_ref()?;
    let p = record.p?;
    let finding = record.finding.as_deref()?;
    Some(Opinion::Estimate {
        p: forest.unnamed.map_or(p, |unnamed| unnamed.min(p)),
        approves: finding == APPROVES,
        refuses: finding == REFUSES || finding == REFUTED,
    })
}

/// Bytes that say which columns of memory are told.
const TOLD_BYTES: usize = size_of::<u64>();
const _: () = assert!(precedent::COLUMNS <= u64::BITS as usize);

/// Returns features of memory as text, so that they come back to the bit: eight bytes of which bit n says whether
/// column n is told, for any other value than zero, then four bytes for each that is; lowest first, in base64. Of a
/// CVE without candidates most are zero.
fn to_text(memory: &Memory) -> String {
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

/// Returns the row of a diff of which nothing is known: no earlier candidate, no generator, an empty memory.
pub fn row_of_stranger(diff: &Diff<'_>) -> Vec<f32> {
    let read = Extractor::default().read(diff);
    let nobody = Casebook::default();
    let memory = nobody.recall("", &Digest::default(), &read.sketch, read.language, None);
    [read.features.as_slice(), &memory].concat()
}

/// Returns the row that a recorded judgement was made on: the features of the diff, and those of memory as they
/// were recorded; `None` if what was recorded is not of this build's columns.
pub fn recorded_row(diff: &Diff<'_>, forest: &ForestRecord) -> Option<Vec<f32>> {
    let memory = from_text(&forest.recalled)?;
    let mut row = Extractor::default().read(diff).features;
    row.extend(memory);
    row.iter().all(|value| value.is_finite()).then_some(row)
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
