//! Sampling for A/B comparisons: which outcomes a wargame checks as well.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::{KeyedHash, SecretKey};
use crate::event::control::Control;

/// The use of the secret key.
const LABEL: &str = "crisol/ab-sampling/1";

/// Whether outcomes are sampled, where `control` says nothing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AbConfig {
    /// Whether any are.
    pub enabled: bool,
    /// The share of them, 0 to 1.
    pub rate: f64,
}

impl Default for AbConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            rate: 0.1,
        }
    }
}

/// A rate that is no share.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("ab.rate (AB_TEST_RATE) must be 0 to 1, not {0}")]
pub struct InvalidRate(f64);

impl AbConfig {
    /// Returns what `control` says, and this where it says nothing.
    pub fn in_force(self, control: &Control) -> Self {
        Self {
            enabled: control.ab_enabled.unwrap_or(self.enabled),
            rate: control.ab_rate.unwrap_or(self.rate),
        }
    }

    /// Checks the rate.
    ///
    /// # Errors
    /// [`InvalidRate`].
    pub fn validate(&self) -> Result<(), InvalidRate> {
        if (0.0..=1.0).contains(&self.rate) {
            Ok(())
        } else {
            Err(InvalidRate(self.rate))
        }
    }
}

/// Draws the sample by a keyed hash of the question: a replay samples the same, every replica samples
/// the same, and who makes patches cannot tell which are sampled.
#[derive(Debug, Clone)]
pub struct Sampler {
    hash: KeyedHash,
}

impl Sampler {
    /// Returns the sampler of this key.
    pub fn new(key: &SecretKey) -> Self {
        Self {
            hash: key.keyed(LABEL),
        }
    }

    /// Returns whether the question is in a sample of `rate`, 0 to 1. A larger sample holds every
    /// smaller one.
    pub fn holds(&self, decision_id: Uuid, rate: f64) -> bool {
        let hash = self.hash.of(&[decision_id.as_bytes()]);
        let head = hash.first_chunk().copied().map_or(0, u64::from_le_bytes);
        // 53 bits: every value is a number of its own, from 0 to just below 1.
        let place = (head >> 11) as f64 / (1_u64 << 53) as f64;
        place < rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, SecretKeyConfig};

    fn sampler(key: &str) -> Sampler {
        let key = SecretKeyConfig {
            key: Some(Secret::new(key)),
            key_file: None,
        }
        .load()
        .unwrap();
        Sampler::new(&key)
    }

    fn ids() -> impl Iterator<Item = Uuid> {
        (0..20_000u128).map(Uuid::from_u128)
    }

    #[test]
    fn a_sample_has_the_share_that_was_asked_for_and_lies_within_every_larger_one() {
        let sampler = sampler("0123456789abcdef");
        let tenth: Vec<Uuid> = ids().filter(|id| sampler.holds(*id, 0.1)).collect();
        // Six standard deviations of 20,000 draws at 0.1 are 255.
        assert!(tenth.len().abs_diff(2_000) < 255, "{}", tenth.len());
        assert!(tenth.iter().all(|id| sampler.holds(*id, 0.2)));
        assert_eq!(ids().filter(|id| sampler.holds(*id, 0.0)).count(), 0);
        assert_eq!(ids().filter(|id| sampler.holds(*id, 1.0)).count(), 20_000);
    }

    #[test]
    fn another_key_draws_another_sample() {
        let (one, other) = (sampler("0123456789abcdef"), sampler("0123456789abcdeF"));
        let both = ids().filter(|id| one.holds(*id, 0.1) && other.holds(*id, 0.1));
        // Independent draws share a hundredth.
        assert!(both.count().abs_diff(200) < 90);
    }

    #[test]
    fn a_rate_is_a_share() {
        for rate in [-0.1, 1.1, f64::NAN] {
            let config = AbConfig {
                enabled: true,
                rate,
            };
            assert!(config.validate().is_err(), "{rate}");
        }
    }
}
