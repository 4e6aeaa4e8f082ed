//! The judge of code: a model in force, asked for one patch at a time.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::diff::Diff;
use crate::event::decision::{ForestRecord, JudgeName, JudgementRecord};
use crate::judge::features::{Extractor, Language};
use crate::judge::model::{Model, ModelError, digest_of};
use crate::judge::opinion::{Judgement, Opinion};
use crate::judge::precedent::{Casebook, Digest};
use crate::judge::priors::Table;
use crate::judge::row::{Row, to_text};
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
    priors: Table,
    digest: String,
}

impl Loaded {
    /// Reads a model's file.
    ///
    /// # Errors
    /// [`ModelError`] if it is none for this build.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        let model = Model::read(file)?;
        Ok(Self {
            priors: model.priors.table(),
            model,
            digest: digest_of(file),
        })
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns what it knows before memory does.
    pub fn priors(&self) -> &Table {
        &self.priors
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
    row: Row,
    looks: u32,
}

/// What came of asking the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// What it says.
    Judged(Box<Judgement>, Box<Sketched>),
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
        self.row.values()
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
            row.know(&other.priors)?;
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
        self.row.language = read.language;
        self.row.generator = asked.generator;
        self.row.fill(&read.features, &memory, &loaded.priors);
        self.looks = self.looks.wrapping_add(1);
        let own = book.of(asked.cve_id, asked.digest);
        let refuted = own.and_then(|own| own.mitigated) == Some(false);
        let judgement = judged(loaded, &self.row, to_text(&memory), refuted)?;
        let sketched = Box::new(Sketched {
            sketch: read.sketch,
            language: read.language,
            known: own.is_some(),
        });
        Some(Seen::Judged(Box::new(judgement), sketched))
    }
}

/// Returns what a model says of a row; `None` if it says no number.
fn judged(loaded: &Loaded, row: &Row, recalled: String, refuted: bool) -> Option<Judgement> {
    let look = &loaded.model.first;
    let p = look.probability(row.values());
    let unnamed = if p >= look.accept {
        let unnamed = row.unnamed(&loaded.priors)?;
        Some(look.probability(unnamed.values()))
    } else {
        None
    };
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
    generator: Option<&str>,
) -> Option<Judgement> {
    let forest = record.forest.as_ref()?;
    let row = Row::recorded(&loaded.priors, diff, forest, generator)?;
    let refuted = record.finding.as_deref() == Some(REFUTED);
    judged(loaded, &row, forest.recalled.clone(), refuted)
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
        basis: None,
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
    generator: Option<&str>,
) -> Option<(f64, f64)> {
    let look = loaded.model.second.as_ref()?;
    if first.model != loaded.digest {
        return None;
    }
    let row = Row::recorded(&loaded.priors, diff, first, generator)?;
    let unnamed = row.unnamed(&loaded.priors)?;
    let p = look.probability(row.values());
    let p = p.min(look.probability(unnamed.values()));
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
