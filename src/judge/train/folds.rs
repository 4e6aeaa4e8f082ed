//! Projects into folds: candidates of one project are not independent, so they stay together.

use std::collections::BTreeMap;

use crate::judge::train::row::Sample;

/// Returns the places of the samples of each fold, about as many in each. The largest projects are dealt out
/// first, each to the fold with the fewest samples; equal ones by name.
pub fn by_project(samples: &[Sample], folds: usize) -> Vec<Vec<usize>> {
    let mut projects: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        projects.entry(&sample.project).or_default().push(at);
    }
    let mut projects: Vec<Vec<usize>> = projects.into_values().collect();
    projects.sort_by_key(|members| std::cmp::Reverse(members.len()));
    let mut dealt = vec![Vec::new(); folds];
    for members in projects {
        if let Some(smallest) = dealt.iter_mut().min_by_key(|fold| fold.len()) {
            smallest.extend(members);
        }
    }
    dealt
}
