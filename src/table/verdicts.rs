//! The table of verdicts: earlier candidates for each CVE, the associative memory of this replica.

use parking_lot::{RwLock, RwLockReadGuard};
use serde::{Deserialize, Serialize};

use crate::event::codec::read_json;
use crate::event::id::{check_cve_id, from_hex};
use crate::event::limits::EventLimits;
use crate::event::verdict::{VerdictEvent, WargameVerdict, parse_verdict_key};
use crate::judge::features::Language;
use crate::judge::precedent::{Candidate, Casebook, Digest, generator_hash};
use crate::judge::sketch::Sketch;

/// Bounds of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerdictsConfig {
    /// The most candidates held, about 800 bytes each. Past it, CVEs that were quiet for longest are forgotten.
    pub max_candidates: usize,
}

impl Default for VerdictsConfig {
    fn default() -> Self {
        Self {
            max_candidates: 200_000,
        }
    }
}

/// Earlier candidates by CVE.
pub struct VerdictTable {
    book: RwLock<Casebook>,
    limits: EventLimits,
}

impl VerdictTable {
    /// Returns an empty table.
    pub fn new(config: &VerdictsConfig, limits: EventLimits) -> Self {
        Self {
            book: RwLock::new(Casebook::bounded(config.max_candidates)),
            limits,
        }
    }

    /// Returns how many candidates are known.
    pub fn len(&self) -> usize {
        self.book.read().len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what is known, for as long as one batch looks at it.
    pub fn read(&self) -> RwLockReadGuard<'_, Casebook> {
        self.book.read()
    }

    /// Applies one record of the topic; a tombstone forgets the candidate.
    ///
    /// # Errors
    /// What is wrong with the record, for the log.
    pub fn apply(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), String> {
        let key = key
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or("no readable key")?;
        let (cve_id, digest) =
            parse_verdict_key(key).ok_or("the key is not cve_id|patch_digest")?;
        check_cve_id(cve_id).map_err(|error| error.to_string())?;
        let digest =
            from_hex(digest).ok_or("the key's patch_digest is not 64 hexadecimal digits")?;
        let Some(value) = value else {
            self.book.write().forget(cve_id, &digest);
            return Ok(());
        };
        let candidate = self.candidate(cve_id, &digest, value)?;
        let mut book = self.book.write();
        // A replica that had not read the verdict yet must not take it back.
        let known = book.of(cve_id, &digest).and_then(|known| known.mitigated);
        let mitigated = candidate.mitigated.or(known);
        book.learn(
            cve_id,
            digest,
            Candidate {
                mitigated,
                ..candidate
            },
        );
        Ok(())
    }

    fn candidate(&self, cve_id: &str, digest: &Digest, value: &[u8]) -> Result<Candidate, String> {
        let event: VerdictEvent<'_> =
            read_json(Some(value), &self.limits).map_err(|error| error.to_string())?;
        if event.cve_id != cve_id || from_hex(&event.patch_digest) != Some(*digest) {
            return Err("key and value name different candidates".to_owned());
        }
        let language = Language::of_name(&event.language).ok_or("language: unknown")?;
        let sketch = Sketch::from_text(&event.sketch).map_err(|e| format!("sketch: {e}"))?;
        Ok(Candidate {
            sketch,
            language,
            generator: event.generator.as_deref().map(generator_hash),
            mitigated: event.verdict.and_then(WargameVerdict::says),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::decision::Source;
    use crate::event::verdict::verdict_key;

    const DIGEST: &str = "00000000000000000000000000000000000000000000000000000000000000ab";

    fn table(max_candidates: usize) -> VerdictTable {
        VerdictTable::new(&VerdictsConfig { max_candidates }, EventLimits::default())
    }

    fn value(verdict: Option<WargameVerdict>, sketch: &str, language: &str) -> Vec<u8> {
        let event = VerdictEvent {
            cve_id: "CVE-1".into(),
            patch_id: "p".into(),
            patch_digest: DIGEST.into(),
            verdict,
            language: language.to_owned().into(),
            generator: Some("tool".into()),
            sketch: sketch.to_owned().into(),
            source: Source {
                topic: "t".into(),
                partition: 0,
                offset: 7,
                timestamp_ms: 0,
            },
        };
        serde_json::to_vec(&event).unwrap()
    }

    fn apply(table: &VerdictTable, value: Option<&[u8]>) -> Result<(), String> {
        table.apply(Some(verdict_key("CVE-1", DIGEST).as_bytes()), value)
    }

    #[test]
    fn a_candidate_is_known_until_its_tombstone() {
        let table = table(100);
        let sketch = Sketch::default().to_text();
        let refuted = value(Some(WargameVerdict::Regression), &sketch, "rust");
        apply(&table, Some(&refuted)).unwrap();
        let digest = from_hex(DIGEST).unwrap();
        let known = table.read().of("CVE-1", &digest).cloned().unwrap();
        assert_eq!(known.mitigated, Some(false));
        assert_eq!(known.language, Language::Rust);
        assert_eq!(known.generator, Some(generator_hash("tool")));
        apply(&table, Some(&value(None, &sketch, "rust"))).unwrap();
        let known = table.read().of("CVE-1", &digest).cloned().unwrap();
        assert_eq!(
            known.mitigated,
            Some(false),
            "a verdict is not taken back by silence"
        );
        apply(&table, None).unwrap();
        assert!(table.is_empty());
    }

    #[test]
    fn a_bad_record_names_what_is_wrong_and_changes_nothing() {
        let table = table(100);
        let sketch = Sketch::default().to_text();
        let good = value(None, &sketch, "c");
        for (key, value, wrong) in [
            (None, good.clone(), "no readable key"),
            (
                Some("CVE-1".to_owned()),
                good.clone(),
                "cve_id|patch_digest",
            ),
            (Some("CVE-1|ab".to_owned()), good.clone(), "64 hexadecimal"),
            (Some(verdict_key("CVE 1", DIGEST)), good.clone(), "cve_id"),
            (Some(verdict_key("CVE-2", DIGEST)), good, "different"),
            (
                Some(verdict_key("CVE-1", DIGEST)),
                value(None, "?", "c"),
                "sketch",
            ),
            (
                Some(verdict_key("CVE-1", DIGEST)),
                value(None, &sketch, "cobol"),
                "language",
            ),
            (Some(verdict_key("CVE-1", DIGEST)), b"{".to_vec(), "json"),
        ] {
            let error = table
                .apply(key.as_deref().map(str::as_bytes), Some(&value))
                .unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(table.is_empty());
    }
}
