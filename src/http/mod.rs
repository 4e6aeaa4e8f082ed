//! The sidecar: probes, metrics and operations over HTTP.

mod health;
mod metrics;
mod operations;
mod operator;
mod problem;
mod server;
mod token;

pub use health::{Probe, Probes};
pub use metrics::BuildInfo;
pub use operations::{BreakerState, Dependency, HaltedPartition, OperationError, Operations};
pub use server::{HttpConfig, InvalidHttpConfig, Serving, Sidecar};
pub use token::{OpsConfig, Token};
