//! The judges: p = P(patch is right), and why.
//!
//! Pure dependency bumps go to [`advisory`]; [`code`] goes to the forest.

pub mod advisory;
pub mod calibrate;
pub mod code;
pub mod confusion;
pub mod drift;
pub mod explain;
pub mod features;
pub mod forest;
pub mod metrics;
pub mod model;
pub mod models;
mod opinion;
pub mod precedent;
pub mod priors;
pub mod row;
pub mod shelf;
pub mod shipped;
pub mod sketch;
pub mod train;
mod wilson;

pub use opinion::{
    ADVISORY, ADVISORY_FILES, Judgement, Opinion, evidence_of, is_remedied, judge,
    refuted_by_wargame,
};
pub use wilson::{wilson_bounds, wilson_lower_bound};
