//! What the demo feeds: facts of real CVEs, patches written for them, and evidence that is assumed.

use serde::Deserialize;

use crate::cli::{Exit, Failure};
use crate::event::control::ControlValue;
use crate::event::evidence::EvidenceCount;
use crate::judge::{ADVISORY, ADVISORY_FILES};

/// Facts of real CVEs, as Oráculo would send them.
const VULNERABILITIES: &str = include_str!("../../../demo/apv.jsonl");
/// Patches written for them, good and bad, as Eureka would send them.
const PATCHES: &str = include_str!("../../../demo/patches.jsonl");
/// Evidence of the advisory judge that is assumed, because nothing was tried live: its name, level, agreed, n.
/// None for major bumps: they show what a lack of evidence means.
pub(super) const ASSUMED: [(&str, &str, u64, u64); 3] = [
    (ADVISORY, "patch", 120, 120),
    (ADVISORY, "minor", 80, 80),
    (ADVISORY_FILES, "patch", 120, 120),
];
/// Who is said to have counted it.
const WRITER: &str = "demo";

/// One line of the patches.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// What it is called in the table: its patch id, or its line where it has none.
    pub name: String,
    /// Its CVE, where it can be read: the record's key.
    pub cve_id: Option<String>,
    /// The record's value.
    pub value: &'static str,
}

#[derive(Deserialize)]
struct Named {
    patch_id: Option<String>,
    cve_id: String,
}

/// Returns the patches, in order.
pub(super) fn patches() -> Vec<Sample> {
    PATCHES
        .lines()
        .enumerate()
        .map(|(at, value)| {
            let named = serde_json::from_str::<Named>(value).ok();
            // Broken ones cannot be named, and validation requests have no id of their own.
            let line = format!("line {}", at + 1);
            let (name, cve_id) = match named {
                None => (line, None),
                Some(named) => (named.patch_id.unwrap_or(line), Some(named.cve_id)),
            };
            Sample {
                name,
                cve_id,
                value,
            }
        })
        .collect()
}

/// Returns key and value of each vulnerability.
pub(super) fn vulnerabilities() -> impl Iterator<Item = (Option<String>, &'static str)> {
    VULNERABILITIES.lines().map(|value| {
        let named = serde_json::from_str::<Named>(value).ok();
        (named.map(|named| named.cve_id), value)
    })
}

/// Returns key and value of each setting that the demo assumes.
pub(super) fn assumed_settings() -> Result<Vec<(String, String)>, Failure> {
    ASSUMED
        .into_iter()
        .map(|(judge, level, agreed, n)| {
            let value = ControlValue::Evidence(EvidenceCount {
                source: Some("assumed by the demo".to_owned()),
                ..EvidenceCount::plain(agreed, n)
            });
            let text =
                serde_json::to_string(&value).map_err(|e| Failure::new(Exit::Internal, e))?;
            Ok((format!("evidence.{judge}.{level}.{WRITER}"), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::apv::Apv;
    use crate::event::control::ControlKey;

    #[test]
    fn every_vulnerability_is_one_and_every_setting_is_known() {
        for (key, value) in vulnerabilities() {
            let apv: Apv<'_> = serde_json::from_str(value).unwrap();
            assert_eq!(key.as_deref(), Some(apv.cve_id.as_ref()));
            apv.facts().unwrap();
        }
        for (key, value) in assumed_settings().unwrap() {
            let value: ControlValue = serde_json::from_str(&value).unwrap();
            ControlKey::parse(&key).unwrap().check(&value).unwrap();
        }
    }

    #[test]
    fn one_patch_is_broken_and_one_has_no_id() {
        let patches = patches();
        assert!(patches.len() >= 20);
        let unkeyed = patches.iter().filter(|sample| sample.cve_id.is_none());
        assert_eq!(unkeyed.count(), 1);
        let unnamed = patches
            .iter()
            .filter(|sample| sample.name.starts_with("line "));
        assert_eq!(unnamed.count(), 2);
    }
}
