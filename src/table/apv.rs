//! The APV table: what is known of each CVE, without prose.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::event::apv::Apv;
use crate::event::codec::read_json;
use crate::event::facts::{ApvFacts, PackageFacts};
use crate::event::id;
use crate::event::limits::EventLimits;
use crate::judge::advisory::Advisory;

/// Bounds of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApvConfig {
    /// The most CVEs held; further ones are counted as bad and stay unknown, so people see them.
    pub max_cves: usize,
}

impl Default for ApvConfig {
    fn default() -> Self {
        Self {
            max_cves: 1_000_000,
        }
    }
}

/// What the table knows of a CVE.
#[derive(Debug, Clone)]
pub enum Known {
    /// The facts of all its records, merged.
    Facts(Arc<Advisory>),
    /// Its newest record could not be read.
    Invalid,
}

/// CVEs and what is known of them.
pub struct ApvTable {
    cves: RwLock<HashMap<Box<str>, Known, RandomState>>,
    config: ApvConfig,
    limits: EventLimits,
}

impl ApvTable {
    /// Returns an empty table.
    pub fn new(config: ApvConfig, limits: EventLimits) -> Self {
        Self {
            cves: RwLock::new(HashMap::default()),
            config,
            limits,
        }
    }

    /// Returns what is known of a CVE; `None` if nothing is.
    pub fn get(&self, cve_id: &str) -> Option<Known> {
        self.cves.read().get(cve_id).cloned()
    }

    /// Returns how many CVEs are known.
    pub fn len(&self) -> usize {
        self.cves.read().len()
    }

    /// Returns whether no CVE is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies one record of the topic.
    ///
    /// A tombstone deletes the CVE. Records of one CVE are merged by package, where the newest
    /// `modified` wins, and of two with the same time the later record. A record that cannot be read
    /// makes its CVE invalid until a readable one follows, because nobody can say what it took back.
    ///
    /// # Errors
    /// What is wrong with the record, for the log.
    pub fn apply(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), String> {
        let key = key.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(value) = value else {
            let key = key.ok_or("a tombstone without a readable key")?;
            self.cves.write().remove(key);
            return Ok(());
        };
        let read = read_json::<Apv<'_>>(Some(value), &self.limits)
            .and_then(|apv| apv.facts().map(|facts| (apv.cve_id, facts)));
        match read {
            Ok((cve_id, facts)) => self.merge(&cve_id, facts),
            Err(error) => {
                if let Some(cve_id) = key.filter(|key| id::check_cve_id(key).is_ok()) {
                    self.insert(cve_id, Known::Invalid)?;
                }
                Err(error.to_string())
            }
        }
    }

    fn merge(&self, cve_id: &str, facts: ApvFacts) -> Result<(), String> {
        let merged = match self.get(cve_id) {
            Some(Known::Facts(before)) => merge(&before, facts),
            Some(Known::Invalid) | None => facts,
        };
        self.insert(cve_id, Known::Facts(Arc::new(merged.into())))
    }

    fn insert(&self, cve_id: &str, known: Known) -> Result<(), String> {
        let mut cves = self.cves.write();
        if cves.len() >= self.config.max_cves && !cves.contains_key(cve_id) {
            return Err(format!(
                "the table is full: max_cves is {}",
                self.config.max_cves
            ));
        }
        cves.insert(Box::from(cve_id), known);
        Ok(())
    }
}

/// Merges a later record into what is known.
fn merge(before: &ApvFacts, later: ApvFacts) -> ApvFacts {
    let mut packages: Vec<PackageFacts> = before.packages.to_vec();
    for package in later.packages {
        let same = packages
            .iter_mut()
            .find(|known| known.ecosystem == package.ecosystem && known.name == package.name);
        match same {
            Some(known) if known.modified_ms > package.modified_ms => {}
            Some(known) => *known = package,
            None => packages.push(package),
        }
    }
    packages.sort_by(|a, b| (a.ecosystem, &a.name).cmp(&(b.ecosystem, &b.name)));
    let mut cwes: Vec<u16> = before.cwes.iter().chain(&later.cwes).copied().collect();
    cwes.sort_unstable();
    cwes.dedup();
    ApvFacts {
        packages: packages.into_boxed_slice(),
        kev: before.kev || later.kev,
        epss: later.epss.or(before.epss),
        cwes: cwes.into_boxed_slice(),
        withdrawn: later.withdrawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(package: &str, modified: &str, fixed: &str) -> String {
        format!(
            r#"{{"cve_id":"CVE-1","modified":"{modified}","priority":"low","affected_packages":
            [{{"ecosystem":"PyPI","name":"{package}","fixed_versions":["{fixed}"]}}]}}"#
        )
    }

    fn table(max_cves: usize) -> ApvTable {
        ApvTable::new(ApvConfig { max_cves }, EventLimits::default())
    }

    fn apply(table: &ApvTable, value: &str) -> Result<(), String> {
        table.apply(Some(b"CVE-1"), Some(value.as_bytes()))
    }

    fn fixes(table: &ApvTable) -> Vec<String> {
        match table.get("CVE-1") {
            Some(Known::Facts(facts)) => facts
                .packages
                .iter()
                .map(|p| format!("{} {}", p.name, p.fixed[0]))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_of_one_cve_merge_by_package_and_the_newest_wins() {
        let table = table(10);
        apply(&table, &record("a", "2020-01-01T00:00:00Z", "1")).unwrap();
        apply(&table, &record("b", "2020-01-01T00:00:00Z", "1")).unwrap();
        apply(&table, &record("a", "2021-01-01T00:00:00Z", "2")).unwrap();
        apply(&table, &record("b", "2019-01-01T00:00:00Z", "9")).unwrap();
        assert_eq!(fixes(&table), ["a 2", "b 1"]);
    }

    #[test]
    fn a_record_that_was_withdrawn_takes_back_its_packages_or_all() {
        let table = table(10);
        let withdrawn =
            |value: String| value.replace("\"priority\"", "\"withdrawn\":true,\"priority\"");
        let is_withdrawn = || match table.get("CVE-1") {
            Some(Known::Facts(facts)) => facts.is_withdrawn(),
            other => panic!("{other:?}"),
        };
        apply(&table, &record("a", "2020-01-01T00:00:00Z", "1")).unwrap();
        apply(&table, &record("b", "2020-01-01T00:00:00Z", "1")).unwrap();
        apply(&table, &withdrawn(record("a", "2021-01-01T00:00:00Z", "1"))).unwrap();
        assert!(!is_withdrawn());
        apply(&table, &withdrawn(record("b", "2021-01-01T00:00:00Z", "1"))).unwrap();
        assert!(is_withdrawn());
        // An older record does not bring it back, a newer one does.
        apply(&table, &record("b", "2020-01-01T00:00:00Z", "1")).unwrap();
        assert!(is_withdrawn());
        apply(&table, &record("b", "2022-01-01T00:00:00Z", "1")).unwrap();
        assert!(!is_withdrawn());
        let bare = r#"{"cve_id":"CVE-1","modified":"2023-01-01T00:00:00Z","withdrawn":"2023-01-01T00:00:00Z","affected_packages":[]}"#;
        apply(&table, bare).unwrap();
        assert!(is_withdrawn());
    }

    #[test]
    fn a_tombstone_deletes() {
        let table = table(10);
        apply(&table, &record("a", "2020-01-01T00:00:00Z", "1")).unwrap();
        table.apply(Some(b"CVE-1"), None).unwrap();
        assert!(table.get("CVE-1").is_none());
    }

    #[test]
    fn a_bad_record_makes_its_cve_invalid_until_a_good_one_follows() {
        let table = table(10);
        apply(&table, &record("a", "2020-01-01T00:00:00Z", "1")).unwrap();
        assert!(apply(&table, "{").is_err());
        assert!(matches!(table.get("CVE-1"), Some(Known::Invalid)));
        apply(&table, &record("a", "2020-01-01T00:00:00Z", "1")).unwrap();
        assert_eq!(fixes(&table), ["a 1"]);
        assert!(table.apply(None, Some(b"{")).is_err());
    }

    #[test]
    fn a_full_table_refuses_new_cves_and_keeps_the_old() {
        let table = table(1);
        apply(&table, &record("a", "2020-01-01T00:00:00Z", "1")).unwrap();
        let other = record("a", "2020-01-01T00:00:00Z", "1").replace("CVE-1", "CVE-2");
        let error = table
            .apply(Some(b"CVE-2"), Some(other.as_bytes()))
            .unwrap_err();
        assert_eq!(error, "the table is full: max_cves is 1");
        apply(&table, &record("b", "2020-01-01T00:00:00Z", "1")).unwrap();
        assert_eq!(table.len(), 1);
    }
}
