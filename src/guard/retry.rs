//! Waits between tries of the same step.
//!
//! The crate `backoff` is unmaintained (RUSTSEC-2025-0012). It is used in this file alone, so that
//! another can take its place without anybody else noticing.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first wait, about.
    pub first: Duration,
    /// No wait is longer than one and a half of this.
    pub longest: Duration,
}

/// The waits of one step that fails again and again: each about one and a half times the one before,
/// spread by half, so that replicas do not come back all at once. They never end.
#[derive(Debug)]
pub struct Retry {
    waits: ExponentialBackoff,
    longest: Duration,
}

impl Retry {
    /// Returns the waits of a step that has not failed yet.
    pub fn new(policy: RetryPolicy) -> Self {
        let waits = ExponentialBackoff {
            current_interval: policy.first,
            initial_interval: policy.first,
            max_interval: policy.longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self {
            waits,
            longest: policy.longest,
        }
    }

    /// Returns how long to wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        // Without a limit of time there is always a next one.
        self.waits.next_backoff().unwrap_or(self.longest)
    }

    /// Begins anew after a success.
    pub fn succeeded(&mut self) {
        self.waits.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        first: Duration::from_millis(100),
        longest: Duration::from_millis(1_000),
    };

    #[test]
    fn waits_grow_up_to_the_longest_and_never_end() {
        let mut retry = Retry::new(POLICY);
        let waits: Vec<Duration> = (0..50).map(|_| retry.next_wait()).collect();
        assert!(waits[0] >= POLICY.first / 2 && waits[0] <= POLICY.first * 2);
        assert!(waits.iter().all(|wait| *wait <= POLICY.longest * 3 / 2));
        assert!(waits[40..].iter().all(|wait| *wait >= POLICY.longest / 2));
    }

    #[test]
    fn a_success_begins_anew() {
        let mut retry = Retry::new(POLICY);
        for _ in 0..20 {
            retry.next_wait();
        }
        retry.succeeded();
        assert!(retry.next_wait() <= POLICY.first * 2);
    }
}
