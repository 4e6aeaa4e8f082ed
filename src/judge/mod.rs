//! The judges: p = P(patch is right), and why.
//!
//! Pure dependency bumps go to [`advisory`]; code goes to the forest once there is one.

pub mod advisory;
mod opinion;
mod wilson;

pub use opinion::{Judgement, Opinion, judge};
pub use wilson::wilson_lower_bound;
