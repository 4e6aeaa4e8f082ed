//! A circuit breaker: after some failures in a row a neighbour is left alone for a while, and one
//! call then tries whether it is back.
//!
//! Time comes in as an argument and must be monotonic.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it; 0 counts as 1.
    pub failures: u32,
    /// How long it stays open before one call may try.
    pub recovery: Duration,
}

/// Where a breaker stands, as metrics and operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Calls go through.
    Closed,
    /// One call tries; the others are refused.
    HalfOpen,
    /// Calls are refused.
    Open,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// Returns the name used on metrics and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// A call that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the breaker is open; the next call may try in {} ms", .retry_in.as_millis())]
pub struct Refused {
    /// When a call may try again, at the earliest.
    pub retry_in: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { since: Instant },
    HalfOpen { since: Instant },
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Counts the changes of state: a call that began before one says nothing about the state after.
    changes: u64,
    opened: u64,
}

/// The breaker of one neighbour.
#[derive(Debug)]
pub struct Breaker {
    name: &'static str,
    policy: BreakerPolicy,
    inner: Mutex<Inner>,
}

/// Leave to make one call. Dropped without a word, the call counts as failed.
#[must_use = "a call must tell how it ended"]
#[derive(Debug)]
pub struct Permit<'b> {
    breaker: &'b Breaker,
    changes: u64,
    asked: Instant,
    told: bool,
}

impl Breaker {
    /// Returns a closed breaker.
    pub fn new(name: &'static str, policy: BreakerPolicy) -> Self {
        Self {
            name,
            policy,
            inner: Mutex::new(Inner {
                state: State::Closed { failures: 0 },
                changes: 0,
                opened: 0,
            }),
        }
    }

    /// Returns the neighbour's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Asks for leave to call.
    ///
    /// # Errors
    /// [`Refused`] while the breaker is open, or while another call tries.
    pub fn ask(&self, now: Instant) -> Result<Permit<'_>, Refused> {
        let mut inner = self.inner.lock();
        match inner.state {
            State::Closed { .. } => {}
            // open → half_open: recovery is over, this call tries.
            // half_open → half_open: the call that tries has not come back for a whole recovery; it is
            // given up and this one tries.
            State::Open { since } | State::HalfOpen { since } => {
                let left = self.left(since, now);
                if !left.is_zero() {
                    return Err(Refused { retry_in: left });
                }
                inner.enter(State::HalfOpen { since: now });
            }
        }
        Ok(Permit {
            breaker: self,
            changes: inner.changes,
            asked: now,
            told: false,
        })
    }

    /// Closes the breaker by hand. Calls under way no longer count.
    pub fn reset(&self) {
        self.inner.lock().enter(State::Closed { failures: 0 });
    }

    /// Returns where the breaker stands.
    pub fn standing(&self) -> Standing {
        match self.inner.lock().state {
            State::Closed { .. } => Standing::Closed,
            State::Open { .. } => Standing::Open,
            State::HalfOpen { .. } => Standing::HalfOpen,
        }
    }

    /// Returns how often it has opened.
    pub fn opened(&self) -> u64 {
        self.inner.lock().opened
    }

    fn left(&self, since: Instant, now: Instant) -> Duration {
        self.policy
            .recovery
            .saturating_sub(now.saturating_duration_since(since))
    }

    fn tell(&self, changes: u64, worked: bool, now: Instant) {
        let mut inner = self.inner.lock();
        if inner.changes != changes {
            return;
        }
        match (inner.state, worked) {
            (State::Closed { .. }, true) => inner.state = State::Closed { failures: 0 },
            // closed → open: that was one too many.
            (State::Closed { failures }, false) if failures + 1 >= self.policy.failures => {
                inner.open(now);
            }
            (State::Closed { failures }, false) => {
                inner.state = State::Closed {
                    failures: failures + 1,
                };
            }
            // half_open → closed: it is back.
            (State::HalfOpen { .. }, true) => inner.enter(State::Closed { failures: 0 }),
            // half_open → open: it is not.
            (State::HalfOpen { .. }, false) => inner.open(now),
            // No call is under way that began in this state.
            (State::Open { .. }, _) => {}
        }
    }
}

impl Inner {
    fn enter(&mut self, state: State) {
        self.state = state;
        self.changes += 1;
    }

    fn open(&mut self, now: Instant) {
        self.enter(State::Open { since: now });
        self.opened += 1;
    }
}

impl Permit<'_> {
    /// Tells that the call worked.
    pub fn succeeded(mut self) {
        self.told = true;
        self.breaker.tell(self.changes, true, self.asked);
    }

    /// Tells that the call failed, at this time.
    pub fn failed(mut self, now: Instant) {
        self.told = true;
        self.breaker.tell(self.changes, false, now);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.tell(self.changes, false, self.asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECOVERY: Duration = Duration::from_secs(10);

    fn breaker(failures: u32) -> Breaker {
        Breaker::new(
            "cache",
            BreakerPolicy {
                failures,
                recovery: RECOVERY,
            },
        )
    }

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.ask(now).unwrap().failed(now);
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_a_success_between_forgives_them() {
        let (breaker, now) = (breaker(3), Instant::now());
        fail(&breaker, now);
        fail(&breaker, now);
        breaker.ask(now).unwrap().succeeded();
        fail(&breaker, now);
        fail(&breaker, now);
        assert_eq!(breaker.standing(), Standing::Closed);
        fail(&breaker, now);
        assert_eq!(breaker.standing(), Standing::Open);
        let refused = breaker.ask(now + Duration::from_secs(4)).unwrap_err();
        assert_eq!(refused.retry_in, Duration::from_secs(6));
        assert_eq!(breaker.opened(), 1);
    }

    #[test]
    fn after_recovery_one_call_tries_and_its_end_decides() {
        let (breaker, now) = (breaker(1), Instant::now());
        fail(&breaker, now);
        let later = now + RECOVERY;
        let probe = breaker.ask(later).unwrap();
        assert_eq!(breaker.standing(), Standing::HalfOpen);
        breaker.ask(later).unwrap_err();
        probe.failed(later);
        assert_eq!(breaker.standing(), Standing::Open);
        breaker.ask(later + RECOVERY / 2).unwrap_err();
        breaker.ask(later + RECOVERY).unwrap().succeeded();
        assert_eq!(breaker.standing(), Standing::Closed);
    }

    #[test]
    fn a_probe_that_never_comes_back_does_not_hold_the_breaker_for_ever() {
        let (breaker, now) = (breaker(1), Instant::now());
        fail(&breaker, now);
        let lost = breaker.ask(now + RECOVERY).unwrap();
        let second = breaker.ask(now + RECOVERY * 2).unwrap();
        // What the lost one says at last is about another time.
        lost.failed(now + RECOVERY * 2);
        assert_eq!(breaker.standing(), Standing::HalfOpen);
        second.succeeded();
        assert_eq!(breaker.standing(), Standing::Closed);
    }

    #[test]
    fn a_call_that_ends_without_a_word_has_failed() {
        let (breaker, now) = (breaker(1), Instant::now());
        drop(breaker.ask(now).unwrap());
        assert_eq!(breaker.standing(), Standing::Open);
    }

    #[test]
    fn a_reset_closes_it_and_calls_from_before_no_longer_count() {
        let (breaker, now) = (breaker(1), Instant::now());
        let slow = breaker.ask(now).unwrap();
        fail(&breaker, now);
        breaker.reset();
        slow.failed(now);
        assert_eq!(breaker.standing(), Standing::Closed);
    }

    proptest! {
        #[test]
        fn an_open_breaker_lets_at_most_one_call_through_in_a_recovery(
            steps in prop::collection::vec((0u64..4_000, any::<bool>()), 1..200),
            failures in 1u32..5,
        ) {
            let breaker = breaker(failures);
            let mut now = Instant::now();
            let mut in_a_row = 0;
            let mut last_try: Option<Instant> = None;
            for (ms, works) in steps {
                now += Duration::from_millis(ms);
                let open = breaker.standing() != Standing::Closed;
                prop_assert_eq!(open, in_a_row >= failures);
                match breaker.ask(now) {
                    Ok(permit) => {
                        if open {
                            prop_assert!(last_try.is_some_and(|at| now - at >= RECOVERY));
                        }
                        if works {
                            permit.succeeded();
                            in_a_row = 0;
                        } else {
                            permit.failed(now);
                            in_a_row = if open { failures } else { in_a_row + 1 };
                            last_try = Some(now);
                        }
                    }
                    Err(refused) => {
                        prop_assert!(open);
                        prop_assert!(refused.retry_in <= RECOVERY && !refused.retry_in.is_zero());
                    }
                }
            }
        }
    }
}
