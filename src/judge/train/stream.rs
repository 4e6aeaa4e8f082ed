//! A stream of candidates as it would come: each is judged with what memory knows by then, those that are not
//! decided alone are replayed, and so is a part of the rest; memory learns what the replay says.

use serde::{Deserialize, Serialize};

use crate::judge::forest::Draws;
use crate::judge::precedent::{Candidate, Casebook, Digest};
use crate::judge::priors::Table;
use crate::judge::train::row::Sample;

/// What memory learns of a candidate that is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taught {
    /// What a wargame would say, as in service.
    Replay,
    /// Whether it is right: nobody knows that in service, so this is an upper bound.
    Label,
}

impl Taught {
    /// Returns what memory learns of a sample that is replayed; `None` if that came to no end.
    pub fn verdict(self, sample: &Sample) -> Option<bool> {
        let said = sample.replay.mitigated();
        match self {
            Self::Replay => said,
            // What came to no end teaches nothing in either case.
            Self::Label => said.map(|_| sample.label),
        }
    }
}

/// What a judge says of a candidate in a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// P(patch is right), 0 to 1.
    pub p: f64,
    /// What is decided without a wargame: whether it is right.
    pub decided: Option<bool>,
}

/// A candidate that came.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its place among the samples.
    pub sample: usize,
    /// Its features, those of memory and of what was known before included.
    pub features: Vec<f32>,
    /// What the judge said.
    pub said: Said,
    /// Whether it was replayed.
    pub replayed: bool,
}

/// Sends samples in this order past a judge who knew `priors` before. Of those that it decides, `explored` (a share, 0 to 1) are
/// replayed all the same, drawn with `draws`.
pub fn run(
    samples: &[Sample],
    order: &[usize],
    taught: Taught,
    explored: f64,
    priors: &Table,
    draws: &mut Draws,
    mut judge: impl FnMut(usize, &[f32]) -> Said,
) -> Vec<Arrived> {
    let mut casebook = Casebook::default();
    let mut arrived = Vec::with_capacity(order.len());
    for &at in order {
        let Some(sample) = samples.get(at) else {
            continue;
        };
        let digest = digest_of(at);
        let memory = casebook.recall(
            &sample.instance,
            &digest,
            &sample.sketch,
            sample.language,
            Some(sample.generator),
        );
        let before = priors.features(sample.language, Some(sample.generator));
        let row = [sample.edit.as_slice(), &memory, &before].concat();
        let said = judge(at, &row);
        // Drawn for each, so that one that is decided otherwise does not change what is drawn later.
        let chosen = draws.unit() < explored;
        let replayed = said.decided.is_none() || chosen;
        let candidate = Candidate {
            sketch: sample.sketch.clone(),
            language: sample.language,
            generator: Some(sample.generator),
            mitigated: taught.verdict(sample).filter(|_| replayed),
        };
        casebook.learn(&sample.instance, digest, candidate);
        arrived.push(Arrived {
            sample: at,
            features: row,
            said,
            replayed,
        });
    }
    arrived
}

/// Returns a name for a sample: each is a patch of its own.
fn digest_of(at: usize) -> Digest {
    let mut digest = Digest::default();
    for (byte, of) in digest.iter_mut().zip(at.to_le_bytes()) {
        *byte = of;
    }
    digest
}

/// Returns the numbers below `count` in an order drawn with `draws`.
pub fn shuffled(numbers: &[usize], draws: &mut Draws) -> Vec<usize> {
    let mut order = numbers.to_vec();
    for at in (1..order.len()).rev() {
        order.swap(at, draws.below(at + 1));
    }
    order
}
