//! How looks are fitted: the part of it that a model's file tells.

use serde::{Deserialize, Serialize};

use crate::judge::train::stream::Taught;

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
            goal: 0.9535,
            second_goal: 0.975,
            explored: 0.1,
            accept: 0.95,
            taught: Taught::Replay,
            without: vec!["word".to_owned(), "operator".to_owned()],
            seed: 1,
        }
    }
}
