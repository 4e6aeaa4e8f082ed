//! What is kept of a judgement, and how it is sealed.

use serde::{Deserialize, Serialize};

use crate::config::KeyedHash;
use crate::event::decision::{JudgementRecord, RiskRecord};
use crate::event::record::Memo;

/// Bytes of the seal in front of a value.
const SEAL_BYTES: usize = 32;

/// What was found of a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// The judgement without what changes by itself: p and its evidence are those of now.
    pub judgement: JudgementRecord,
    /// Patch risk.
    pub risk: RiskRecord,
    /// The record whose outcome stands.
    pub first: First,
}

/// Where an input record stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// What was put there.
    Whole(Box<Remembered>),
    /// Something that nobody with the key has written there.
    Forged,
}

impl Remembered {
    /// Returns the memo that keeps this under `key`: the seal over key and value, then the value.
    pub(super) fn seal(&self, key: String, seals: &KeyedHash) -> Memo {
        // A record of strings and numbers always serialises; if it did not, an empty value is a miss.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let seal = seals.of(&[key.as_bytes(), &text]);
        let mut value = Vec::with_capacity(SEAL_BYTES + text.len());
        value.extend_from_slice(&seal);
        value.extend_from_slice(&text);
        Memo { key, value }
    }

    /// Returns what the value under `key` holds. The seal is looked at before anything is read.
    pub(super) fn open(key: &str, value: &[u8], seals: &KeyedHash) -> Found {
        let Some((seal, text)) = value.split_at_checked(SEAL_BYTES) else {
            return Found::Forged;
        };
        if !seals.is_of(&[key.as_bytes(), text], seal) {
            return Found::Forged;
        }
        serde_json::from_slice(text).map_or(Found::Forged, |read| Found::Whole(Box::new(read)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, SecretKeyConfig};
    use crate::event::decision::{JudgeName, RiskLevel};
    use proptest::prelude::*;

    fn seals(key: &str) -> KeyedHash {
        let key = SecretKeyConfig {
            key: Some(Secret::new(key)),
            key_file: None,
        }
        .load()
        .unwrap();
        key.keyed("memory")
    }

    fn remembered() -> Remembered {
        Remembered {
            judgement: JudgementRecord {
                forest: None,
                judge: JudgeName::Advisory,
                version: 1,
                p: None,
                finding: Some("remedies".into()),
                detail: None,
                level: Some("patch".into()),
                evidence: None,
                bumps: Vec::new(),
                basis: None,
            },
            risk: RiskRecord {
                level: RiskLevel::Low,
                factors: Vec::new(),
            },
            first: First {
                topic: "patches".into(),
                partition: 1,
                offset: 2,
            },
        }
    }

    #[test]
    fn what_was_sealed_opens_under_its_own_key_alone() {
        let ours = seals("0123456789abcdef");
        let memo = remembered().seal("k1".into(), &ours);
        let whole = Found::Whole(Box::new(remembered()));
        assert_eq!(Remembered::open("k1", &memo.value, &ours), whole);
        assert_eq!(Remembered::open("k2", &memo.value, &ours), Found::Forged);
        let theirs = seals("0123456789abcdeF");
        assert_eq!(Remembered::open("k1", &memo.value, &theirs), Found::Forged);
    }

    proptest! {
        #[test]
        fn no_other_bytes_open(
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
            cut in any::<prop::sample::Index>(),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let ours = seals("0123456789abcdef");
            let memo = remembered().seal("k".into(), &ours);
            let mut flipped = memo.value.clone();
            let at = at.index(flipped.len());
            flipped[at] ^= 1 << bit;
            prop_assert_eq!(Remembered::open("k", &flipped, &ours), Found::Forged);
            let short = &memo.value[..cut.index(memo.value.len())];
            prop_assert_eq!(Remembered::open("k", short, &ours), Found::Forged);
            prop_assert_eq!(Remembered::open("k", &noise, &ours), Found::Forged);
        }
    }
}
