//! How good a model is on a stream of patches that it has not seen.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::judge::forest::Draws;
use crate::judge::model::{Look, decided};
use crate::judge::priors::Table;
use crate::judge::train::measure::{Reliability, auc, brier, calibration_error, reliability};
use crate::judge::train::row::Sample;
use crate::judge::train::stream::{Arrived, Said, Taught, run, shuffled};

/// Draws of projects for the intervals.
const DRAWS: usize = 400;

/// How a stream is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Simulation {
    /// Orders of arrival.
    pub orders: u64,
    /// The share of what is decided alone that is replayed all the same.
    pub explored: f64,
    /// What memory learns.
    pub taught: Taught,
    /// Where chance begins.
    pub seed: u64,
}

/// A figure for each thing that is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Figures<T> {
    /// The chance that a right one has a higher p than a wrong one.
    pub auc: T,
    /// Expected calibration error of p.
    pub ece: T,
    /// Mean squared error of p.
    pub brier: T,
    /// The share that is decided without a wargame.
    pub decided_share: T,
    /// The share of that which is right.
    pub decided_right: T,
    /// The share that is accepted.
    pub accept_share: T,
    /// The share of that which is right.
    pub accept_precision: T,
    /// The share that is refused.
    pub reject_share: T,
    /// The share of that which is wrong, as was said.
    pub reject_npv: T,
}

/// A candidate of a simulated stream.
#[derive(Debug, Clone, Copy)]
struct Case {
    project: usize,
    p: f64,
    label: bool,
    decided: Option<bool>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The figures, over all orders.
    #[serde(flatten)]
    pub figures: Figures<f64>,
    /// Bounds that hold 95 % of draws of projects and orders.
    pub intervals: Figures<(f64, f64)>,
    /// P against what happened, over all orders.
    pub reliability: Vec<Reliability>,
    /// The share that was replayed, those that are decided alone and explored included.
    pub replayed_share: f64,
    /// Candidates.
    pub n: usize,
    /// Their projects.
    pub projects: usize,
    /// The second look at those that pass their wargame; absent where the model has none.
    pub second_look: Option<SecondLook>,
    /// The figures for each collection.
    pub by_source: BTreeMap<String, Part>,
    /// The figures for each language.
    pub by_language: BTreeMap<String, Part>,
}

/// How well the second look tells right ones among those that pass their wargame.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SecondLook {
    /// Candidates that pass.
    pub n: usize,
    /// The share of them that is right: what passing alone is worth.
    pub right: f64,
    /// The chance that a right one has a higher p than a wrong one.
    pub auc: f64,
    /// The share of them that is accepted.
    pub coverage: f64,
    /// The share of that which is right.
    pub precision: f64,
    /// Bounds of coverage that hold 95 % of draws of projects and orders.
    pub coverage_within: (f64, f64),
    /// The same of precision.
    pub precision_within: (f64, f64),
}

/// A part of the candidates.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Part {
    /// Candidates.
    pub n: usize,
    /// Their figures.
    #[serde(flatten)]
    pub figures: Figures<f64>,
}

/// What is measured: both looks, and what they know before memory does.
#[derive(Debug, Clone)]
pub struct Looks {
    /// The first look.
    pub first: Look,
    /// The second, if there is one.
    pub second: Option<Look>,
    /// What both know before.
    pub priors: Table,
}

/// Simulates streams of the samples in several orders and measures both looks on them.
pub fn closed_loop(samples: &[Sample], looks: &Looks, simulation: &Simulation) -> Measured {
    let all: Vec<usize> = (0..samples.len()).collect();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for sample in samples {
        let next = names.len();
        names.entry(&sample.project).or_insert(next);
    }
    let mut orders = Vec::new();
    let mut arrived_in = Vec::new();
    for nth in 0..simulation.orders {
        let mut draws = Draws::new(simulation.seed, 0x0e << 32 | nth);
        let order = shuffled(&all, &mut draws);
        let arrived = run(
            samples,
            &order,
            simulation.taught,
            simulation.explored,
            &looks.priors,
            &mut draws,
            |_, row| looks.first.said(row),
        );
        let cases: Vec<Case> = arrived
            .iter()
            .filter_map(|one| case(samples, &names, one))
            .collect();
        orders.push(cases);
        arrived_in.push(arrived);
    }
    let pooled: Vec<Case> = orders.concat();
    let replayed = arrived_in
        .iter()
        .flatten()
        .filter(|one| one.replayed)
        .count();
    let part = |wanted: &dyn Fn(&Sample) -> bool| {
        let cases: Vec<Case> = arrived_in
            .iter()
            .flatten()
            .filter(|one| samples.get(one.sample).is_some_and(wanted))
            .filter_map(|one| case(samples, &names, one))
            .collect();
        Part {
            n: cases.len() / simulation.orders.max(1) as usize,
            figures: figures(&cases),
        }
    };
    let parts = |name: fn(&Sample) -> String| {
        let names: std::collections::BTreeSet<String> = samples.iter().map(name).collect();
        names
            .into_iter()
            .map(|wanted| {
                let part = part(&|sample| name(sample) == wanted);
                (wanted, part)
            })
            .collect()
    };
    let passed: Vec<Vec<Case>> = match &looks.second {
        None => Vec::new(),
        Some(second) => arrived_in
            .iter()
            .map(|arrived| {
                let passed = arrived.iter().filter(|one| {
                    let sample = samples.get(one.sample);
                    sample.is_some_and(|sample| sample.replay.mitigated() == Some(true))
                });
                passed
                    .filter_map(|one| {
                        let said = second.said(&one.features);
                        case(
                            samples,
                            &names,
                            &Arrived {
                                said,
                                ..one.clone()
                            },
                        )
                    })
                    .collect()
            })
            .collect(),
    };
    Measured {
        figures: figures(&pooled),
        intervals: intervals(&orders, names.len(), simulation.seed),
        reliability: reliability(&scored(&pooled)),
        replayed_share: replayed as f64 / pooled.len().max(1) as f64,
        n: samples.len(),
        projects: names.len(),
        second_look: looks
            .second
            .as_ref()
            .map(|_| second_look(&passed, names.len(), simulation)),
        by_source: parts(|sample| sample.source.clone()),
        by_language: parts(|sample| format!("{:?}", sample.language)),
    }
}

fn second_look(passed: &[Vec<Case>], projects: usize, simulation: &Simulation) -> SecondLook {
    let pooled = passed.concat();
    let figures = figures(&pooled);
    let within = intervals(passed, projects, simulation.seed);
    let right = pooled.iter().filter(|case| case.label).count();
    SecondLook {
        n: pooled.len() / passed.len().max(1),
        right: right as f64 / pooled.len().max(1) as f64,
        auc: figures.auc,
        coverage: figures.accept_share,
        precision: figures.accept_precision,
        coverage_within: within.accept_share,
        precision_within: within.accept_precision,
    }
}

impl Look {
    /// Returns p of a row, and whether that decides it alone.
    pub fn said(&self, row: &[f32]) -> Said {
        let p = self.probability(row);
        let decided = decided(p, self.accept, self.refuse);
        Said { p, decided }
    }
}

fn case(samples: &[Sample], names: &BTreeMap<&str, usize>, one: &Arrived) -> Option<Case> {
    let sample = samples.get(one.sample)?;
    Some(Case {
        project: *names.get(sample.project.as_str())?,
        p: one.said.p,
        label: sample.label,
        decided: one.said.decided,
    })
}

fn scored(cases: &[Case]) -> Vec<(f64, bool)> {
    cases.iter().map(|case| (case.p, case.label)).collect()
}

fn figures(cases: &[Case]) -> Figures<f64> {
    let scored = scored(cases);
    let of = |said: bool| {
        let decided = cases.iter().filter(|case| case.decided == Some(said));
        let right = decided.clone().filter(|case| case.label == said).count() as f64;
        (decided.count() as f64, right)
    };
    let ((accepted, accepted_right), (refused, refused_right)) = (of(true), of(false));
    let n = cases.len().max(1) as f64;
    let share = |part: f64, whole: f64| part / whole.max(1.0);
    Figures {
        auc: auc(&scored),
        ece: calibration_error(&scored),
        brier: brier(&scored),
        decided_share: (accepted + refused) / n,
        decided_right: share(accepted_right + refused_right, accepted + refused),
        accept_share: accepted / n,
        accept_precision: share(accepted_right, accepted),
        reject_share: refused / n,
        reject_npv: share(refused_right, refused),
    }
}

/// Draws projects and an order again and again (cluster bootstrap), and returns the middle 95 % of each figure.
fn intervals(orders: &[Vec<Case>], projects: usize, seed: u64) -> Figures<(f64, f64)> {
    let mut by_project: Vec<Vec<Vec<Case>>> = Vec::new();
    for order in orders {
        let mut split = vec![Vec::new(); projects];
        for case in order {
            if let Some(members) = split.get_mut(case.project) {
                members.push(*case);
            }
        }
        by_project.push(split);
    }
    let mut draws = Draws::new(seed, 0x0b << 32);
    let drawn: Vec<Figures<f64>> = (0..DRAWS)
        .map(|_| {
            let order = by_project.get(draws.below(orders.len()));
            let mut cases = Vec::new();
            for _ in 0..projects {
                let project = draws.below(projects);
                if let Some(members) = order.and_then(|order| order.get(project)) {
                    cases.extend_from_slice(members);
                }
            }
            figures(&cases)
        })
        .collect();
    let middle = |figure: fn(&Figures<f64>) -> f64| {
        let mut values: Vec<f64> = drawn.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (share * (values.len().max(1) - 1) as f64).round() as usize;
            values.get(place).copied().unwrap_or_default()
        };
        (at(0.025), at(0.975))
    };
    Figures {
        auc: middle(|f| f.auc),
        ece: middle(|f| f.ece),
        brier: middle(|f| f.brier),
        decided_share: middle(|f| f.decided_share),
        decided_right: middle(|f| f.decided_right),
        accept_share: middle(|f| f.accept_share),
        accept_precision: middle(|f| f.accept_precision),
        reject_share: middle(|f| f.reject_share),
        reject_npv: middle(|f| f.reject_npv),
    }
}
