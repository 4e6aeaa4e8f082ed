//! Roles: composition only. Each builds its parts from the settings and runs them.

pub mod error;
mod models;
mod operations;
pub mod process;
pub mod settings;
mod validate;
mod wargame;

pub use settings::{InvalidSettings, Settings};
