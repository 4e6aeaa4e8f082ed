//! What the probes ask of the engine.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::log::client::TRANSACTION_TIMEOUT;

/// The longest between two polls while all is well: a transaction may take its whole timeout.
const MAX_POLL_AGE: Duration = TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(15));

/// The engine's state, written by its thread and read by the probes.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    last_poll_ms: AtomicU64,
    partitions: AtomicUsize,
    joined: AtomicBool,
    fenced: AtomicBool,
    draining: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            last_poll_ms: AtomicU64::new(0),
            partitions: AtomicUsize::new(0),
            joined: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }
}

impl Health {
    /// Notes that the engine polls.
    pub fn polled(&self) {
        self.last_poll_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Notes how many partitions are assigned.
    pub fn assigned(&self, partitions: usize) {
        self.partitions.store(partitions, Ordering::Relaxed);
        self.joined.store(true, Ordering::Relaxed);
    }

    /// Notes whether the producer is fenced.
    pub fn set_fenced(&self, fenced: bool) {
        self.fenced.store(fenced, Ordering::Relaxed);
    }

    /// Notes that the process is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns the time since the last poll.
    pub fn poll_age(&self) -> Duration {
        let last = self.last_poll_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.now_ms().saturating_sub(last))
    }

    /// Returns whether the engine is alive: it polled within a transaction's timeout and a margin.
    pub fn is_live(&self) -> bool {
        self.poll_age() <= MAX_POLL_AGE
    }

    /// Returns what keeps the engine from being ready; empty if nothing does.
    ///
    /// A replica beyond the number of partitions is joined but idle, which is ready.
    pub fn not_ready(&self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if !self.joined.load(Ordering::Relaxed) {
            reasons.push("not assigned");
        }
        if self.fenced.load(Ordering::Relaxed) {
            reasons.push("producer fenced");
        }
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("draining");
        }
        if !self.is_live() {
            reasons.push("not polling");
        }
        reasons
    }

    /// Returns how many partitions are assigned.
    pub fn partitions(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }

    /// Returns the time since the start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_replica_is_live_but_not_ready() {
        let health = Health::default();
        assert_eq!(health.not_ready(), ["not assigned"]);
        health.polled();
        health.assigned(3);
        assert!(health.not_ready().is_empty());
        health.drain();
        assert!(health.is_live());
        assert_eq!(health.not_ready(), ["draining"]);
    }
}
