//! The judges: p = P(patch is right), and why.
//!
//! Pure dependency bumps go to [`advisory`]; code goes to the forest once there is one.

pub mod advisory;
pub mod calibrate;
pub mod features;
pub mod forest;
pub mod model;
mod opinion;
pub mod precedent;
pub mod sketch;
pub mod train;
mod wilson;

pub use opinion::{Judgement, Opinion, judge};
pub use wilson::wilson_lower_bound;
