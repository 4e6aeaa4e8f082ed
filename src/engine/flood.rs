//! Floods: a partition whose records are nearly all bad is halted, because a producer that is broken
//! fills the dead letters faster than anybody reads them.
//!
//! Both must hold: so many bad ones in a row, and so large a share of the last minutes. The row alone
//! would halt over a burst in a busy stream; the share alone over three bad records in a quiet one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::config::EngineConfig;
use crate::event::reason::Disposition;
use crate::event::record::Handled;

/// The window is counted in this many slices; the oldest goes as a whole.
const SLICES: u32 = 30;

/// When bad records are a flood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloodLimits {
    /// Bad records in a row.
    pub in_a_row: u64,
    /// The share of bad records in the window that must be passed, 0 to 1.
    pub share: f64,
    /// The window.
    pub window: Duration,
}

impl From<&EngineConfig> for FloodLimits {
    fn from(config: &EngineConfig) -> Self {
        Self {
            in_a_row: config.flood_records,
            share: config.flood_share,
            window: Duration::from_millis(config.flood_window_ms),
        }
    }
}

/// What a partition has brought of late, as far as this assignment has seen it.
#[derive(Debug, Default)]
pub struct FloodGauge {
    in_a_row: u64,
    slices: VecDeque<Slice>,
}

#[derive(Debug)]
struct Slice {
    began: Instant,
    bad: u64,
    all: u64,
}

impl FloodGauge {
    /// Counts outcomes in offset order. Returns the length of a row of bad ones among them if that
    /// makes a flood.
    pub fn count(
        &mut self,
        handled: &[Handled],
        now: Instant,
        limits: &FloodLimits,
    ) -> Option<u64> {
        let mut longest = 0;
        let mut bad = 0;
        for outcome in handled {
            if outcome.disposition == Disposition::Dead {
                bad += 1;
                self.in_a_row += 1;
                longest = longest.max(self.in_a_row);
            } else {
                self.in_a_row = 0;
            }
        }
        self.turn(now, limits.window);
        if let Some(slice) = self.slices.back_mut() {
            slice.bad += bad;
            slice.all += handled.len() as u64;
        }
        let (bad, all) = self.slices.iter().fold((0, 0), |(bad, all), slice| {
            (bad + slice.bad, all + slice.all)
        });
        let flood = longest >= limits.in_a_row && bad as f64 > limits.share * all as f64;
        flood.then_some(longest)
    }

    /// Lets go of slices that have left the window, and begins a new one when its time has come.
    fn turn(&mut self, now: Instant, window: Duration) {
        let age = |slice: &Slice| now.saturating_duration_since(slice.began);
        while self
            .slices
            .front()
            .is_some_and(|slice| age(slice) >= window)
        {
            self.slices.pop_front();
        }
        if self
            .slices
            .back()
            .is_none_or(|slice| age(slice) >= window / SLICES)
        {
            self.slices.push_back(Slice {
                began: now,
                bad: 0,
                all: 0,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::reason::Reason;

    const LIMITS: FloodLimits = FloodLimits {
        in_a_row: 1_000,
        share: 0.9,
        window: Duration::from_secs(300),
    };

    fn outcomes(bad: bool, count: usize) -> Vec<Handled> {
        let reason = if bad {
            Reason::InvalidJson
        } else {
            Reason::NoExploit
        };
        (0..count)
            .map(|n| Handled {
                offset: n as i64,
                timestamp_ms: 0,
                disposition: reason.disposition(),
                reason,
                outputs: Vec::new(),
                ab_sampled: false,
                memo: None,
                agreement: None,
            })
            .collect()
    }

    #[test]
    fn a_row_of_bad_records_in_a_bad_stream_is_a_flood() {
        let mut gauge = FloodGauge::default();
        let now = Instant::now();
        assert_eq!(gauge.count(&outcomes(false, 100), now, &LIMITS), None);
        assert_eq!(gauge.count(&outcomes(true, 999), now, &LIMITS), None);
        assert_eq!(
            gauge.count(&outcomes(true, 1), now, &LIMITS),
            Some(1_000),
            "1,000 of 1,100 are more than 90 %"
        );
    }

    #[test]
    fn a_good_record_ends_the_row_even_within_a_batch() {
        let mut gauge = FloodGauge::default();
        let now = Instant::now();
        gauge.count(&outcomes(true, 999), now, &LIMITS);
        let batch = [outcomes(false, 1), outcomes(true, 999)].concat();
        assert_eq!(gauge.count(&batch, now, &LIMITS), None);
        let batch = [outcomes(true, 1), outcomes(false, 1)].concat();
        assert_eq!(gauge.count(&batch, now, &LIMITS), Some(1_000));
    }

    #[test]
    fn a_burst_in_a_good_stream_is_no_flood_until_the_good_ones_are_long_ago() {
        let mut gauge = FloodGauge::default();
        let start = Instant::now();
        assert_eq!(gauge.count(&outcomes(false, 1_000), start, &LIMITS), None);
        assert_eq!(gauge.count(&outcomes(true, 5_000), start, &LIMITS), None);
        let later = start + LIMITS.window - Duration::from_millis(1);
        assert_eq!(gauge.count(&outcomes(true, 1), later, &LIMITS), None);
        let after = start + LIMITS.window;
        assert_eq!(gauge.count(&outcomes(true, 1), after, &LIMITS), Some(5_002));
    }
}
