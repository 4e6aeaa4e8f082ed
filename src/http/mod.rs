//! The sidecar: probes, metrics and operations over HTTP.

mod accept;
mod config;
mod connection;
mod connections;
mod health;
mod metrics;
mod operations;
mod operator;
mod problem;
mod server;
mod token;

#[cfg(test)]
mod tests;

pub use config::{HttpConfig, InvalidHttpConfig};
pub use health::{Probe, Probes};
pub use metrics::BuildInfo;
pub use operations::{BreakerState, Dependency, HaltedPartition, OperationError, Operations};
pub use server::{Serving, Sidecar};
pub use token::{OpsConfig, Token};
