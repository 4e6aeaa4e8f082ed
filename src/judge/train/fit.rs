//! Fitting a look: forest, calibration and thresholds, all from the training samples alone.
//!
//! In service a judge meets what it decided itself: memory holds no verdict on what was decided alone. So it is
//! trained on simulated streams, some with verdicts held back by chance, some by an earlier model's own
//! decisions; and its thresholds are those that hold when the stream is simulated with them, on projects that
//! the scoring model has not seen.

use crate::judge::calibrate::{Calibration, CalibrationError};
use crate::judge::drift::Spread;
use crate::judge::forest::{Draws, Forest, Matrix, MatrixError, TrainError};
use crate::judge::model::{self, Look, decided};
use crate::judge::priors::{self, Priors, Table};
use crate::judge::train::folds::by_project;
use crate::judge::train::known::{counted, without_two};
use crate::judge::train::protocol::Protocol;
use crate::judge::train::row::Sample;
use crate::judge::train::stream::{Arrived, Said, run, shuffled};
use crate::judge::train::threshold::accept_at;

/// Shares of verdicts that are known in the streams where chance holds them back.
const REVEALED: [f64; 3] = [0.3, 0.6, 1.0];
/// Orders in which each fold's stream is simulated.
const ORDERS: u64 = 3;
/// P at and below which a patch may be refused: what is tried beside refusing nothing, in steps of 1/400.
const REFUSALS: std::ops::RangeInclusive<u16> = 8..=64;
/// What the first closed loop is simulated with, before anything is known.
const FIRST_REFUSAL: f64 = 0.08;

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
    /// What both know before memory does.
    pub priors: Priors,
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
    /// What was known before of a fold's patches, by the fold and by the one that is held out as well: neither is
    /// counted.
    priors: Vec<Vec<Table>>,
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
        priors: without_two(samples, &folds, protocol.taught),
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
        let forest = self.fitted(&streams, None, &|_| true)?;
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
            priors: counted(self.samples.iter(), self.protocol.taught),
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

    /// Returns what is known before of a fold's patches by whoever has not seen them, nor those held out.
    fn priors_for(&self, fold: usize, held_out: Option<usize>) -> Option<&Table> {
        self.priors.get(fold)?.get(held_out.unwrap_or(fold))
    }

    fn by_chance(&self) -> Vec<Streamed> {
        let mut streams = Vec::new();
        for (fold, members) in self.folds.iter().enumerate() {
            let Some(priors) = self.priors_for(fold, None) else {
                continue;
            };
            for (nth, share) in REVEALED.into_iter().enumerate() {
                let mut draws = self.draws(1, fold, nth as u64);
                let order = shuffled(members, &mut draws);
                let mut chance = self.draws(2, fold, nth as u64);
                let arrived = run(
                    self.samples,
                    &order,
                    self.protocol.taught,
                    0.0,
                    priors,
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
            let Some(priors) = self.priors_for(fold, None) else {
                continue;
            };
            for nth in 0..ORDERS {
                let mut draws = self.draws(3, fold, nth);
                let order = shuffled(members, &mut draws);
                let explored = self.protocol.explored;
                let arrived = run(
                    self.samples,
                    &order,
                    self.protocol.taught,
                    explored,
                    priors,
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
        let tried = REFUSALS.map(|step| f64::from(step) / 400.0);
        for refuse in [-1.0].into_iter().chain(tried) {
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
            .map(|fold| self.fitted(streams, Some(fold), &wanted))
            .collect()
    }

    /// Returns a model fitted to the streams of all folds but the one that is held out.
    fn fitted(
        &self,
        streams: &[Streamed],
        held_out: Option<usize>,
        wanted: &impl Fn(&Sample) -> bool,
    ) -> Result<Forest, FitError> {
        let mut rows = Matrix::empty(self.read.len())?;
        let mut labels = Vec::new();
        let mut row = Vec::with_capacity(self.read.len());
        let streams = streams
            .iter()
            .filter(|stream| Some(stream.fold) != held_out);
        for stream in streams {
            let Some(priors) = self.priors_for(stream.fold, held_out) else {
                continue;
            };
            for arrived in &stream.arrived {
                let Some(sample) = self.samples.get(arrived.sample).filter(|s| wanted(s)) else {
                    continue;
                };
                row.clear();
                row.extend_from_slice(&arrived.features);
                if let Some(known) = row.last_chunk_mut::<{ priors::COLUMNS }>() {
                    *known = priors.features(sample.language, Some(sample.generator));
                }
                // No tree splits a column that has one value.
                let unread = row.iter_mut().zip(&self.read).filter(|(_, read)| !**read);
                unread.for_each(|(value, _)| *value = 0.0);
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
            forest: self.fitted(streams, None, &passed)?,
            calibration,
            accept,
            refuse: 0.0,
        })
    }
}
