//! Fitting a look: forest, calibration and thresholds, all from the training samples alone.
//!
//! In service a judge meets what it decided itself: memory holds no verdict on what was decided alone. So it is
//! trained on simulated streams, some with verdicts held back by chance, some by an earlier model's own
//! decisions; and its thresholds are those that hold when the stream is simulated with them, on projects that
//! the scoring model has not seen.

use serde::{Deserialize, Serialize};

use crate::judge::calibrate::{Calibration, CalibrationError};
use crate::judge::drift::Spread;
use crate::judge::forest::{Draws, Forest, Matrix, MatrixError, TrainError};
use crate::judge::model::{self, Look, decided};
use crate::judge::train::folds::by_project;
use crate::judge::train::row::Sample;
use crate::judge::train::stream::{Arrived, Said, Taught, run, shuffled};
use crate::judge::train::threshold::accept_at;

/// Shares of verdicts that are known in the streams where chance holds them back.
const REVEALED: [f64; 3] = [0.3, 0.6, 1.0];
/// Orders in which each fold's stream is simulated.
const ORDERS: u64 = 3;
/// P at and below which a patch may be refused: what is tried. Below 0 nothing is refused.
const REFUSALS: [f64; 26] = [
    -1.0, 0.02, 0.03, 0.035, 0.04, 0.045, 0.05, 0.055, 0.06, 0.065, 0.07, 0.075, 0.08, 0.085, 0.09,
    0.095, 0.1, 0.105, 0.11, 0.115, 0.12, 0.125, 0.13, 0.14, 0.15, 0.16,
];
/// What the first closed loop is simulated with, before anything is known.
const FIRST_REFUSAL: f64 = 0.08;

/// How a look is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Folds of projects.
    pub folds: usize,
    /// The share of what is decided alone that must be right in the simulation. A margin above what is
    /// promised, because projects differ.
    pub goal: f64,
    /// The share of what the second look accepts that must be right out of fold. The margin is wider, because
    /// it approves, and because what passes its wargame differs more from project to project.
    pub second_goal: f64,
    /// The share of what is decided alone that is replayed all the same.
    pub explored: f64,
    /// P from which a patch may be accepted; policy's threshold.
    pub accept: f64,
    /// What memory learns.
    pub taught: Taught,
    /// Groups of columns that no tree may read: those that fit projects rather than patches.
    pub without: Vec<String>,
    /// Where chance begins.
    pub seed: u64,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            folds: 5,
            goal: 0.952,
            second_goal: 0.975,
            explored: 0.1,
            accept: 0.95,
            taught: Taught::Replay,
            without: vec!["word".to_owned(), "operator".to_owned()],
            seed: 1,
        }
    }
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Too few projects to hold some out.
    #[error("{projects} projects for {folds} folds: a fold needs one of its own")]
    Projects {
        /// Projects.
        projects: usize,
        /// Folds.
        folds: usize,
    },
    /// A row is no row.
    #[error(transparent)]
    Rows(#[from] MatrixError),
    /// The trees cannot be fitted.
    #[error(transparent)]
    Trees(#[from] TrainError),
    /// The scores cannot be calibrated.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
}

/// What fits trees to rows: boosting or bagging with all its parameters.
pub type Fit<'a> = &'a (dyn Fn(&Matrix, &[bool]) -> Result<Forest, TrainError> + Sync);

/// What came of fitting.
pub struct Fitted {
    /// The first look.
    pub first: Look,
    /// The second look, at what passed its wargame; none where all of that is right, or none of it.
    pub second: Option<Look>,
    /// How the features that trees may read are spread over the training rows.
    pub reference: Vec<Spread>,
    /// Out-of-fold p and truth of what arrived in the closed loop.
    pub out_of_fold: Vec<(f64, bool)>,
    /// The share that was decided alone in the simulation, and the share of that which was right.
    pub decided: (f64, f64),
}

impl Fitted {
    /// How often fitting tells what it does next.
    pub const STEPS: u64 = 7;
}

/// A fold's stream.
struct Streamed {
    fold: usize,
    arrived: Vec<Arrived>,
}

/// The threshold that was chosen, and the streams simulated with it.
#[derive(Default)]
struct Chosen {
    refuse: f64,
    /// The share that was decided alone, and the share of that which was right.
    decided: (f64, f64),
    scored: Vec<(f64, bool)>,
    streams: Vec<Streamed>,
}

struct Fitter<'a> {
    samples: &'a [Sample],
    folds: Vec<Vec<usize>>,
    /// Whether trees may read a column.
    read: Vec<bool>,
    protocol: &'a Protocol,
    fit: Fit<'a>,
}

/// Fits both looks; tells `progress` what it does next.
///
/// # Errors
/// [`FitError`] says what is missing.
pub fn fit(
    samples: &[Sample],
    protocol: &Protocol,
    fit: Fit<'_>,
    progress: &mut dyn FnMut(&str),
) -> Result<Fitted, FitError> {
    let folds = by_project(samples, protocol.folds);
    let filled = folds.iter().filter(|fold| !fold.is_empty()).count();
    if filled < protocol.folds || protocol.folds < 2 {
        return Err(FitError::Projects {
            projects: filled,
            folds: protocol.folds,
        });
    }
    let without = &protocol.without;
    let read = model::columns()
        .iter()
        .map(|column| without.iter().all(|group| *group != column.group))
        .collect();
    Fitter {
        samples,
        folds,
        read,
        protocol,
        fit,
    }
    .run(progress)
}

impl Fitter<'_> {
    fn run(&self, progress: &mut dyn FnMut(&str)) -> Result<Fitted, FitError> {
        progress("streams with verdicts held back by chance");
        let mut streams = self.by_chance();
        progress("a first model for each fold");
        let models = self.held_out(&streams, |_| true)?;
        let calibration = self.calibrated(&models, &streams, |_| true)?;
        progress("streams with verdicts held back by its decisions");
        let closed = self.closed_loop(&models, &calibration, FIRST_REFUSAL);
        streams.extend(closed);
        progress("a second model for each fold");
        let models = self.held_out(&streams, |_| true)?;
        let closed = self.closed_loop(&models, &calibration, FIRST_REFUSAL);
        let calibration = self.calibrated(&models, &closed, |_| true)?;
        progress("thresholds by simulation");
        let chosen = self.threshold(&models, &calibration);
        progress("the model of all");
        let forest = self.fitted(streams.iter(), &|_| true)?;
        let first = Look {
            forest,
            calibration,
            accept: self.protocol.accept,
            refuse: chosen.refuse,
        };
        progress("the second look");
        let second = match self.second(&streams, &chosen.streams) {
            Ok(look) => Some(look),
            // There is nothing to tell apart; policy then leaves what passed to people.
            Err(FitError::Trees(TrainError::OneOutcome)) => None,
            Err(error) => return Err(error),
        };
        Ok(Fitted {
            reference: self.reference(&streams),
            first,
            second,
            out_of_fold: chosen.scored,
            decided: chosen.decided,
        })
    }

    fn reference(&self, streams: &[Streamed]) -> Vec<Spread> {
        let rows = || streams.iter().flat_map(|stream| &stream.arrived);
        let read = self.read.iter().enumerate().filter(|(_, read)| **read);
        read.filter_map(|(column, _)| {
            let values = rows().filter_map(|one| one.features.get(column).copied());
            Spread::of(column as u16, values.collect())
        })
        .collect()
    }

    fn draws(&self, purpose: u64, fold: usize, order: u64) -> Draws {
        Draws::new(
            self.protocol.seed,
            purpose << 32 | (fold as u64) << 16 | order,
        )
    }

    fn by_chance(&self) -> Vec<Streamed> {
        let mut streams = Vec::new();
        for (fold, members) in self.folds.iter().enumerate() {
            for (nth, share) in REVEALED.into_iter().enumerate() {
                let mut draws = self.draws(1, fold, nth as u64);
                let order = shuffled(members, &mut draws);
                let mut chance = self.draws(2, fold, nth as u64);
                let arrived = run(
                    self.samples,
                    &order,
                    self.protocol.taught,
                    0.0,
                    &mut draws,
                    |_, _| Said {
                        p: 0.5,
                        decided: (chance.unit() >= share).then_some(false),
                    },
                );
                streams.push(Streamed { fold, arrived });
            }
        }
        streams
    }

    fn closed_loop(
        &self,
        models: &[Forest],
        calibration: &Calibration,
        refuse: f64,
    ) -> Vec<Streamed> {
        let mut streams = Vec::new();
        for (fold, (members, model)) in self.folds.iter().zip(models).enumerate() {
            for nth in 0..ORDERS {
                let mut draws = self.draws(3, fold, nth);
                let order = shuffled(members, &mut draws);
                let explored = self.protocol.explored;
                let arrived = run(
                    self.samples,
                    &order,
                    self.protocol.taught,
                    explored,
                    &mut draws,
                    |_, row| {
                        let p = calibration.probability(model.probability(row));
                        Said {
                            p,
                            decided: decided(p, self.protocol.accept, refuse),
                        }
                    },
                );
                streams.push(Streamed { fold, arrived });
            }
        }
        streams
    }

    /// Returns the threshold that decides most while enough of it is right, what that was, and the scores of
    /// the stream simulated with it.
    fn threshold(&self, models: &[Forest], calibration: &Calibration) -> Chosen {
        let mut best = Chosen::default();
        for refuse in REFUSALS {
            let streams = self.closed_loop(models, calibration, refuse);
            let arrived = || streams.iter().flat_map(|stream| &stream.arrived);
            let all = arrived().count().max(1) as f64;
            let (mut decided, mut right) = (0.0, 0.0);
            for one in arrived() {
                if let Some(said) = one.said.decided {
                    decided += 1.0;
                    right += f64::from(u8::from(Some(said) == self.label(one)));
                }
            }
            let shares = (decided / all, right / f64::max(decided, 1.0));
            let scored = arrived()
                .filter_map(|one| Some((one.said.p, self.label(one)?)))
                .collect();
            let (most, enough) = (best.decided.0, shares.1 >= self.protocol.goal);
            if refuse < 0.0 || enough && shares.0 > most {
                best = Chosen {
                    refuse,
                    decided: shares,
                    scored,
                    streams,
                };
            }
        }
        best
    }

    fn label(&self, arrived: &Arrived) -> Option<bool> {
        self.samples.get(arrived.sample).map(|sample| sample.label)
    }

    /// Returns the model of each fold, fitted to the other folds' streams.
    fn held_out(
        &self,
        streams: &[Streamed],
        wanted: impl Fn(&Sample) -> bool,
    ) -> Result<Vec<Forest>, FitError> {
        (0..self.folds.len())
            .map(|fold| {
                let others = streams.iter().filter(|stream| stream.fold != fold);
                self.fitted(others, &wanted)
            })
            .collect()
    }

    fn fitted<'s>(
        &self,
        streams: impl Iterator<Item = &'s Streamed>,
        wanted: &impl Fn(&Sample) -> bool,
    ) -> Result<Forest, FitError> {
        let mut rows = Matrix::empty(self.read.len())?;
        let mut labels = Vec::new();
        let mut row = Vec::with_capacity(self.read.len());
        for arrived in streams.flat_map(|stream| &stream.arrived) {
            if let Some(sample) = self.samples.get(arrived.sample).filter(|s| wanted(s)) {
                // No tree splits a column that has one value.
                row.clear();
                let columns = arrived.features.iter().zip(&self.read);
                row.extend(columns.map(|(value, read)| if *read { *value } else { 0.0 }));
                rows.push_row(&row)?;
                labels.push(sample.label);
            }
        }
        Ok((self.fit)(&rows, &labels)?)
    }

    /// Returns the calibration of out-of-fold scores.
    fn calibrated(
        &self,
        models: &[Forest],
        streams: &[Streamed],
        wanted: impl Fn(&Sample) -> bool,
    ) -> Result<Calibration, FitError> {
        Ok(Calibration::fit(&self.scored(models, streams, wanted))?)
    }

    fn scored(
        &self,
        models: &[Forest],
        streams: &[Streamed],
        wanted: impl Fn(&Sample) -> bool,
    ) -> Vec<(f64, bool)> {
        let mut scored = Vec::new();
        for stream in streams {
            let Some(model) = models.get(stream.fold) else {
                continue;
            };
            for arrived in &stream.arrived {
                if let Some(sample) = self.samples.get(arrived.sample).filter(|s| wanted(s)) {
                    scored.push((model.probability(&arrived.features), sample.label));
                }
            }
        }
        scored
    }

    /// Fits the second look to what a wargame would let pass.
    fn second(&self, streams: &[Streamed], closed: &[Streamed]) -> Result<Look, FitError> {
        let passed = |sample: &Sample| sample.replay.mitigated() == Some(true);
        let models = self.held_out(streams, passed)?;
        let scored = self.scored(&models, closed, passed);
        let calibration = Calibration::fit(&scored)?;
        let accept = accept_at(&calibration, &scored, self.protocol.second_goal);
        Ok(Look {
            forest: self.fitted(streams.iter(), &passed)?,
            calibration,
            accept,
            refuse: 0.0,
        })
    }
}
