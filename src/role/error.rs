//! Why a process ends.

use crate::config::{InvalidSecret, InvalidSecretKey};
use crate::engine::EngineError;
use crate::judge::shipped::LoadError;
use crate::log::pulse::PulseError;
use crate::log::table::TableError;
use crate::log::topics::{Drift, TopicsError};
use crate::memory::StoreError;

/// Why a process ends.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The topics cannot be looked at.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The topics are not as they must be.
    #[error("{}", describe(.0))]
    Drifted(Vec<Drift>),
    /// A table cannot start.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Nobody can watch the brokers.
    #[error(transparent)]
    Pulse(#[from] PulseError),
    /// There is no secret key, or none that can be used.
    #[error(transparent)]
    SecretKey(#[from] InvalidSecretKey),
    /// The token of operators cannot be used.
    #[error(transparent)]
    Token(#[from] InvalidSecret),
    /// Memory cannot start.
    #[error("memory.redis_url (REDIS_URL): {0}")]
    Memory(#[from] StoreError),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// The sidecar cannot listen.
    #[error(
        "cannot listen on {listen}: {source}; is another replica on this host? set CRISOL_HTTP_LISTEN"
    )]
    Listen {
        /// The address.
        listen: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Two metrics have one name: a defect.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// An engine ended.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A helper of the start cannot run.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

fn describe(drifts: &[Drift]) -> String {
    let lines: Vec<String> = drifts.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
