//! Bounds of the engine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::log::client::SESSION_TIMEOUT;

/// How much is in flight and how often it is committed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Worker threads.
    pub workers: usize,
    /// The most records in one batch.
    pub batch_records: usize,
    /// The most bytes in one batch, past its first record.
    pub batch_bytes: usize,
    /// The longest finished records wait for their commit, in milliseconds.
    pub commit_interval_ms: u64,
    /// A commit is due at this many finished records.
    pub commit_records: usize,
    /// A commit is due at this many bytes of finished outputs.
    pub commit_bytes: usize,
    /// A partition takes no more while this many of its records are in flight.
    pub partition_records: usize,
    /// A partition takes no more while this many of its bytes are in flight.
    pub partition_bytes: usize,
    /// The longest a rebalance or a shutdown waits for work in flight, in milliseconds.
    pub drain_ms: u64,
    /// So many bad records in a row halt a partition, if they are a flood by `flood_share` too.
    pub flood_records: u64,
    /// The share of bad records in the window that must be passed to halt a partition, 0 to 1.
    pub flood_share: f64,
    /// That window, in milliseconds.
    pub flood_window_ms: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            workers: 2,
            batch_records: 256,
            batch_bytes: /* 1 MiB */ 1_024 * 1_024,
            commit_interval_ms: 100,
            commit_records: 10_000,
            commit_bytes: /* 16 MiB */ 16 * 1_024 * 1_024,
            partition_records: 4_096,
            partition_bytes: /* 8 MiB */ 8 * 1_024 * 1_024,
            drain_ms: 7_000,
            flood_records: 1_000,
            flood_share: 0.9,
            flood_window_ms: /* 5 min */ 300_000,
        }
    }
}

/// A bound that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("engine.{field}: {problem}")]
pub struct InvalidEngineConfig {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl EngineConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`InvalidEngineConfig`] names the first field that makes no sense.
    pub fn validate(&self) -> Result<(), InvalidEngineConfig> {
        let at_least_one = [
            ("workers", self.workers == 0),
            ("batch_records", self.batch_records == 0),
            ("batch_bytes", self.batch_bytes == 0),
            ("commit_records", self.commit_records == 0),
            ("commit_bytes", self.commit_bytes == 0),
            ("partition_bytes", self.partition_bytes == 0),
            ("flood_records", self.flood_records == 0),
            ("flood_window_ms", self.flood_window_ms == 0),
        ];
        if let Some((field, _)) = at_least_one.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(InvalidEngineConfig {
                field,
                problem: "must be at least 1",
            });
        }
        if self.partition_records < self.batch_records {
            return Err(InvalidEngineConfig {
                field: "partition_records",
                problem: "must be at least batch_records",
            });
        }
        if !(0.0..1.0).contains(&self.flood_share) {
            return Err(InvalidEngineConfig {
                field: "flood_share",
                problem: "must be at least 0 and less than 1, because the share of bad records must pass it",
            });
        }
        if self.drain() >= SESSION_TIMEOUT {
            return Err(InvalidEngineConfig {
                field: "drain_ms",
                problem: "must be less than the session timeout of 10 s, or the group gives up on a draining replica",
            });
        }
        Ok(())
    }

    /// Returns the longest finished records wait for their commit.
    pub fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }

    /// Returns the longest a rebalance or a shutdown waits for work in flight.
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked_against_each_other() {
        EngineConfig::default().validate().unwrap();
        let wrong = |change: fn(&mut EngineConfig)| {
            let mut config = EngineConfig::default();
            change(&mut config);
            config.validate().unwrap_err().field
        };
        assert_eq!(wrong(|c| c.workers = 0), "workers");
        assert_eq!(wrong(|c| c.partition_records = 1), "partition_records");
        assert_eq!(wrong(|c| c.drain_ms = 10_000), "drain_ms");
        assert_eq!(wrong(|c| c.flood_records = 0), "flood_records");
        assert_eq!(wrong(|c| c.flood_share = 1.0), "flood_share");
    }
}
