//! The sidecar: liveness, readiness, health and metrics over HTTP.

mod health;
mod metrics;
mod server;

pub use health::{Probe, Probes};
pub use metrics::BuildInfo;
pub use server::{HttpConfig, InvalidHttpConfig, Sidecar};
