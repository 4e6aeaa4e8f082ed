//! Forests: tree ensembles in one flat format, whoever trained them.
//!
//! [`Forest`] is the format. It is scored ([`Forest::score`], [`Forest::score_batch`]), explained
//! ([`Forest::explain`]) and trained in two ways: [`boost`] adds trees up in log-odds, [`bag`]
//! averages the probabilities of trees grown apart.

mod matrix;
mod flat;
mod walk;
mod shap;
mod draw;
mod bins;
mod train;
mod histogram;
mod grow;
mod boost;
mod ballot;
mod bag;

pub use bag::{BagParams, bag};
pub use bins::{BinError, Bins, MAX_BINS};
pub use boost::{BoostParams, boost};
pub use draw::Draws;
pub use flat::{
    Forest, ForestError, ForestParts, Link, MAX_DEPTH, MAX_NODES, MAX_TREE_NODES, MAX_TREES,
};
pub use matrix::{MAX_COLUMNS, Matrix, MatrixError};
pub use shap::Explanation;
pub use train::TrainError;
