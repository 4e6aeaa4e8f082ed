//! Roles: composition only. Each builds its parts from the settings and runs them.

mod models;
mod operations;
pub mod settings;
pub mod validate;

pub use settings::{InvalidSettings, Settings};
