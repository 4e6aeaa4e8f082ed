//! What is known of generators and languages without the folds that must not be looked at: a row that knew the labels of
//! its own fold would teach trees to read them off.

use crate::judge::priors::{Priors, Table};
use crate::judge::train::row::Sample;
use crate::judge::train::stream::Taught;

/// Returns the counts over samples.
pub(super) fn counted<'s>(samples: impl Iterator<Item = &'s Sample>, taught: Taught) -> Priors {
    let mut priors = Priors::default();
    for sample in samples {
        let passed = taught.verdict(sample) == Some(true);
        priors.count(&sample.made_by, sample.language, passed, sample.label);
    }
    priors
}

/// Returns for each fold, and each that is held out beside it, what is known of patches by whoever has seen neither.
pub(super) fn without_two(
    samples: &[Sample],
    folds: &[Vec<usize>],
    taught: Taught,
) -> Vec<Vec<Table>> {
    let without = |own: usize, held_out: usize| {
        let others = folds.iter().enumerate();
        let others = others.filter(|(fold, _)| *fold != own && *fold != held_out);
        let members = others.flat_map(|(_, members)| members);
        counted(members.filter_map(|at| samples.get(*at)), taught).table()
    };
    let all = 0..folds.len();
    all.clone()
        .map(|own| all.clone().map(|held_out| without(own, held_out)).collect())
        .collect()
}
