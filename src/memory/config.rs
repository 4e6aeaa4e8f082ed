//! The settings of exact memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::guard::breaker::BreakerPolicy;

/// Where memory is and how long it may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Redis, as `redis://[user:password@]host[:port][/db]`; memory is inside the process without it.
    pub redis_url: Option<Secret>,
    /// How long a judgement is remembered, in hours.
    pub ttl_hours: u64,
    /// How long a batch waits for memory, in milliseconds; past it, nothing is remembered of it.
    pub batch_wait_ms: u64,
    /// How long a connection may take, in milliseconds.
    pub connect_ms: u64,
    /// Failures in a row after which memory is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone, in milliseconds.
    pub breaker_recovery_ms: u64,
    /// The most that memory inside the process holds, in MiB; without Redis, 0 is no memory at all.
    pub local_mib: u64,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            redis_url: None,
            ttl_hours: 24,
            batch_wait_ms: 20,
            connect_ms: 3_000,
            breaker_failures: 5,
            breaker_recovery_ms: 10_000,
            local_mib: 64,
        }
    }
}

/// Settings of memory that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMemoryConfig {
    /// A number out of its bounds.
    #[error("memory.{key} must be {bounds}, not {value}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// What it may be.
        bounds: &'static str,
        /// What it is.
        value: u64,
    },
}

impl MemoryConfig {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`InvalidMemoryConfig`] names the key.
    pub fn validate(&self) -> Result<(), InvalidMemoryConfig> {
        let within = |key, value: u64, least: u64, most: u64, bounds| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(InvalidMemoryConfig::OutOfBounds { key, bounds, value })
            }
        };
        within("ttl_hours", self.ttl_hours, 1, 720, "1 to 720")?;
        // A worker does nothing else meanwhile.
        within("batch_wait_ms", self.batch_wait_ms, 1, 1_000, "1 to 1000")?;
        within("connect_ms", self.connect_ms, 1, 60_000, "1 to 60000")?;
        within("local_mib", self.local_mib, 0, 65_536, "0 to 65536")
    }

    /// Returns whether nothing is remembered.
    pub fn is_off(&self) -> bool {
        self.redis_url.is_none() && self.local_mib == 0
    }

    /// Returns how long a batch waits.
    pub fn batch_wait(&self) -> Duration {
        Duration::from_millis(self.batch_wait_ms)
    }

    /// Returns how long a judgement is remembered.
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_hours * 3_600)
    }

    /// Returns when the breaker opens and closes.
    pub fn breaker(&self) -> BreakerPolicy {
        BreakerPolicy {
            failures: self.breaker_failures,
            recovery: Duration::from_millis(self.breaker_recovery_ms),
        }
    }
}
