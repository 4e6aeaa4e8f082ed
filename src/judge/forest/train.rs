//! What both trainings share: why one fails, what they check, and work split over threads.

use super::bins::BinError;
use super::flat::ForestError;
use super::matrix::Matrix;

/// Why a forest cannot be trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// There is not one label a row.
    #[error("{labels} labels for {rows} rows")]
    Labels {
        /// Rows that came.
        rows: usize,
        /// Labels that came.
        labels: usize,
    },
    /// There is not one weight a row.
    #[error("{weights} weights for {rows} rows")]
    Weights {
        /// Rows that came.
        rows: usize,
        /// Weights that came.
        weights: usize,
    },
    /// A weight is negative or not finite.
    #[error("the weight of row {0} is negative or not finite")]
    Weight(usize),
    /// All rows that weigh anything have the same label, or there are none.
    #[error("the labels do not show both outcomes")]
    OneOutcome,
    /// More rows than a training counts.
    #[error("{0} rows are too many")]
    Rows(usize),
    /// A parameter is out of the bounds that its field states.
    #[error("parameter `{0}` is out of bounds")]
    Param(&'static str),
    /// The number of bins is out of bounds.
    #[error(transparent)]
    Bins(#[from] BinError),
    /// A split could not be fitted.
    #[error("a split could not be fitted: {0}")]
    Fit(String),
    /// The forest that came out is not valid.
    #[error("the trained forest is not valid")]
    Forest(#[from] ForestError),
}

/// Checks that the rows can be counted and that each has a label.
pub(super) fn check_labels(rows: &Matrix, labels: &[bool]) -> Result<(), TrainError> {
    if rows.rows() != labels.len() {
        return Err(TrainError::Labels {
            rows: rows.rows(),
            labels: labels.len(),
        });
    }
    if u32::try_from(rows.rows()).is_err() {
        return Err(TrainError::Rows(rows.rows()));
    }
    Ok(())
}

/// Returns `share` of `all`, rounded, at least 1.
pub(super) fn share_of(all: usize, share: f64) -> usize {
    ((all as f64 * share).round() as usize).clamp(1, all.max(1))
}

/// Returns the number of threads to use: what was asked for, or what the machine has for 0.
pub(super) fn threads_or_all(asked: usize) -> usize {
    match asked {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        asked => asked,
    }
}

/// Does `work` on contiguous parts of the items, one part a thread; `work` also gets the place of its
/// first item. It must do the same to an item in whatever part that lies.
///
/// # Panics
/// When `work` does.
pub(super) fn in_parts<T: Send>(
    items: &mut [T],
    threads: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let size = items.len().div_ceil(threads.max(1)).max(1);
    if size >= items.len() {
        return work(0, items);
    }
    std::thread::scope(|scope| {
        let mut parts = items.chunks_mut(size).enumerate();
        let first = parts.next();
        for (at, part) in parts {
            let work = &work;
            scope.spawn(move || work(at * size, part));
        }
        // This thread works too.
        if let Some((_, part)) = first {
            work(0, part);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_knows_its_place() {
        for count in [0, 1, 2, 7, 100] {
            for threads in [0, 1, 2, 3, 200] {
                let mut items = vec![0; count];
                in_parts(&mut items, threads, |from, part| {
                    for (at, item) in part.iter_mut().enumerate() {
                        *item += from + at + 1;
                    }
                });
                assert!(items.iter().enumerate().all(|(at, &item)| item == at + 1));
            }
        }
    }

    #[test]
    fn a_share_is_at_least_one_and_at_most_all() {
        assert_eq!(share_of(220, 0.2), 44);
        assert_eq!(share_of(3, 0.1), 1);
        assert_eq!(share_of(3, 1.0), 3);
        assert_eq!(share_of(0, 0.5), 1);
    }
}
