//! A stream of candidates as it would come: each is judged with what memory knows by then, those that are not
//! decided alone are replayed, and so is a part of the rest; memory learns what the replay says.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::judge::features::Language;
use crate::judge::forest::Draws;
use crate::judge::precedent::{Background, Experience, Precedent, features};
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
    /// Its features, memory included.
    pub features: Vec<f32>,
    /// What the judge said.
    pub said: Said,
    /// Whether it was replayed.
    pub replayed: bool,
}

/// What memory knows at a moment of a stream.
#[derive(Default)]
struct Known<'a> {
    candidates: HashMap<&'a str, Vec<(usize, Option<bool>)>>,
    all: Experience,
    languages: HashMap<Language, Experience>,
    generators: HashMap<u64, Experience>,
    both: HashMap<(u64, Language), Experience>,
}

impl<'a> Known<'a> {
    fn background(&self, sample: &Sample) -> Background {
        let of = |found: Option<&Experience>| found.copied().unwrap_or_default();
        Background {
            all: self.all,
            language: of(self.languages.get(&sample.language)),
            generator: of(self.generators.get(&sample.generator)),
            generator_language: of(self.both.get(&(sample.generator, sample.language))),
        }
    }

    fn learn(&mut self, at: usize, sample: &'a Sample, mitigated: Option<bool>) {
        self.candidates
            .entry(&sample.instance)
            .or_default()
            .push((at, mitigated));
        if let Some(mitigated) = mitigated {
            let both = (sample.generator, sample.language);
            self.all.count(mitigated);
            self.languages
                .entry(sample.language)
                .or_default()
                .count(mitigated);
            self.generators
                .entry(sample.generator)
                .or_default()
                .count(mitigated);
            self.both.entry(both).or_default().count(mitigated);
        }
    }
}

/// Sends samples in this order past a judge. Of those that it decides, `explored` (a share, 0 to 1) are
/// replayed all the same, drawn with `draws`.
pub fn run(
    samples: &[Sample],
    order: &[usize],
    taught: Taught,
    explored: f64,
    draws: &mut Draws,
    mut judge: impl FnMut(usize, &[f32]) -> Said,
) -> Vec<Arrived> {
    let mut known = Known::default();
    let mut arrived = Vec::with_capacity(order.len());
    for &at in order {
        let Some(sample) = samples.get(at) else {
            continue;
        };
        let earlier = known.candidates.get(sample.instance.as_str());
        let precedents: Vec<Precedent<'_>> = earlier
            .into_iter()
            .flatten()
            .filter_map(|(earlier, mitigated)| {
                let sample = samples.get(*earlier)?;
                Some(Precedent {
                    sketch: &sample.sketch,
                    mitigated: *mitigated,
                    generator: Some(sample.generator),
                })
            })
            .collect();
        let memory = features(
            &sample.sketch,
            Some(sample.generator),
            &precedents,
            &known.background(sample),
        );
        let row = [sample.edit.as_slice(), &memory].concat();
        let said = judge(at, &row);
        // Drawn for each, so that one that is decided otherwise does not change what is drawn later.
        let chosen = draws.unit() < explored;
        let replayed = said.decided.is_none() || chosen;
        if replayed {
            let mitigated = match taught {
                Taught::Replay => sample.replay.mitigated(),
                // What came to no end teaches nothing in either case.
                Taught::Label => sample.replay.mitigated().map(|_| sample.label),
            };
            known.learn(at, sample, mitigated);
        }
        arrived.push(Arrived {
            sample: at,
            features: row,
            said,
            replayed,
        });
    }
    arrived
}

/// Returns the numbers below `count` in an order drawn with `draws`.
pub fn shuffled(numbers: &[usize], draws: &mut Draws) -> Vec<usize> {
    let mut order = numbers.to_vec();
    for at in (1..order.len()).rev() {
        order.swap(at, draws.below(at + 1));
    }
    order
}
