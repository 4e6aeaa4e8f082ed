//! The facts about a CVE that judging needs, without prose.
//!
//! An APV record becomes one [`ApvFacts`]; records of one CVE are merged by package, the newest
//! `modified` wins per package.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The package ecosystems whose version order Crisol knows, and the rest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Ecosystem {
    /// npm, for JavaScript.
    #[serde(rename = "npm")]
    Npm,
    /// The Python package index.
    #[serde(rename = "PyPI")]
    PyPi,
    /// crates.io, for Rust.
    #[serde(rename = "crates.io")]
    CratesIo,
    /// Go modules.
    #[serde(rename = "Go")]
    Go,
    /// Maven Central and its like, for the JVM.
    #[serde(rename = "Maven")]
    Maven,
    /// Any other: its facts are kept, its versions are not compared.
    #[serde(rename = "other")]
    Other,
}

impl Ecosystem {
    /// Returns the ecosystem of an OSV-style name, case-insensitively; [`Ecosystem::Other`] if unknown.
    pub fn from_name(name: &str) -> Self {
        const NAMES: [(&str, Ecosystem); 8] = [
            ("npm", Ecosystem::Npm),
            ("pypi", Ecosystem::PyPi),
            ("crates.io", Ecosystem::CratesIo),
            ("cargo", Ecosystem::CratesIo),
            ("go", Ecosystem::Go),
            ("golang", Ecosystem::Go),
            ("maven", Ecosystem::Maven),
            ("java", Ecosystem::Maven),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or(Self::Other, |(_, ecosystem)| *ecosystem)
    }

    /// Returns the name used on events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::PyPi => "PyPI",
            Self::CratesIo => "crates.io",
            Self::Go => "Go",
            Self::Maven => "Maven",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad a vulnerability is. Unknown orders above high: policy treats it as critical.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// CVSS 0.1 to 3.9.
    Low,
    /// CVSS 4.0 to 6.9.
    Medium,
    /// CVSS 7.0 to 8.9.
    High,
    /// Neither CVSS nor priority is known.
    Unknown,
    /// CVSS 9.0 to 10.0.
    Critical,
}

/// What is known of one vulnerable package.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageFacts {
    /// Where the package lives.
    pub ecosystem: Ecosystem,
    /// The name as the APV spells it.
    pub name: Box<str>,
    /// Affected ranges as the APV states them: comma-joined comparators (`>=2.3.0,<2.3.4`), each
    /// entry one range, or a bare version for exactly that one.
    pub affected: Box<[Box<str>]>,
    /// Versions that hold the fix, one per release line.
    pub fixed: Box<[Box<str>]>,
    /// The last version known to be affected, where no fix is known.
    pub last_affected: Option<Box<str>>,
    /// `modified` of the record this came from, in milliseconds since the epoch: decides merges.
    pub modified_ms: i64,
    /// Severity stated by the record this came from.
    pub severity: Severity,
    /// Whether the record this came from was withdrawn: then it describes no vulnerability.
    pub withdrawn: bool,
}

/// Everything the table knows of one CVE.
#[derive(Debug, Clone, PartialEq)]
pub struct ApvFacts {
    /// The packages, ordered by ecosystem and name.
    pub packages: Box<[PackageFacts]>,
    /// Listed as known to be exploited, by any record.
    pub kev: bool,
    /// Probability of exploitation within 30 days (EPSS), 0 to 1.
    pub epss: Option<f32>,
    /// CWE numbers, ascending.
    pub cwes: Box<[u16]>,
    /// Whether the last record was withdrawn and names no package: it takes back all that others say.
    pub withdrawn: bool,
}

/// Values one after the other, each so that it cannot be taken for part of the next.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

impl ApvFacts {
    /// Returns whether all that is known was withdrawn.
    pub fn is_withdrawn(&self) -> bool {
        let all = || self.packages.iter().all(|package| package.withdrawn);
        self.withdrawn || (!self.packages.is_empty() && all())
    }

    /// Returns the worst severity that any record states; [`Severity::Unknown`] without a package.
    pub fn severity(&self) -> Severity {
        self.packages
            .iter()
            .map(|package| package.severity)
            .max()
            .unwrap_or(Severity::Unknown)
    }

    /// Returns the sha-256 of everything that is known, so that a memory of other facts is never taken
    /// for one of these.
    pub fn digest(&self) -> [u8; 32] {
        let Self {
            packages,
            kev,
            epss,
            cwes,
            withdrawn,
        } = self;
        let mut bytes = Bytes::default();
        bytes.number(packages.len() as u64);
        for package in packages {
            // By name, so that a field that comes later cannot be forgotten here.
            let PackageFacts {
                ecosystem,
                name,
                affected,
                fixed,
                last_affected,
                modified_ms,
                severity,
                withdrawn,
            } = package;
            bytes.text(ecosystem.as_str());
            bytes.text(name);
            for list in [affected, fixed] {
                bytes.number(list.len() as u64);
                list.iter().for_each(|text| bytes.text(text));
            }
            bytes.number(u64::from(last_affected.is_some()));
            bytes.text(last_affected.as_deref().unwrap_or_default());
            bytes.number(modified_ms.cast_unsigned());
            bytes.number(*severity as u64);
            bytes.number(u64::from(*withdrawn));
        }
        bytes.number(u64::from(*kev));
        bytes.number(epss.map_or(u64::MAX, |p| u64::from(p.to_bits())));
        bytes.number(cwes.len() as u64);
        cwes.iter().for_each(|cwe| bytes.number(u64::from(*cwe)));
        bytes.number(u64::from(*withdrawn));
        Sha256::digest(&bytes.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ApvFacts {
        ApvFacts {
            packages: [PackageFacts {
                ecosystem: Ecosystem::Npm,
                name: "x".into(),
                affected: ["<2".into(), "3".into()].into(),
                fixed: ["2".into()].into(),
                last_affected: None,
                modified_ms: 1,
                severity: Severity::Low,
                withdrawn: false,
            }]
            .into(),
            kev: false,
            epss: None,
            cwes: [79].into(),
            withdrawn: false,
        }
    }

    #[test]
    fn facts_that_differ_anywhere_have_another_digest() {
        let changes: [fn(&mut ApvFacts); 17] = [
            |_| {},
            |f| f.kev = true,
            |f| f.epss = Some(0.0),
            |f| f.epss = Some(0.5),
            |f| f.cwes = [79, 80].into(),
            |f| f.packages = [].into(),
            |f| f.packages = [f.packages[0].clone(), f.packages[0].clone()].into(),
            |f| f.packages[0].ecosystem = Ecosystem::PyPi,
            |f| f.packages[0].name = "y".into(),
            |f| f.packages[0].affected = ["<23".into()].into(),
            // The same letters, cut elsewhere.
            |f| f.packages[0].affected = ["<2".into(), "3".into(), "2".into()].into(),
            |f| f.packages[0].fixed = ["2".into(), "2".into()].into(),
            |f| f.packages[0].last_affected = Some("".into()),
            |f| f.packages[0].modified_ms = 2,
            |f| f.packages[0].severity = Severity::High,
            |f| f.packages[0].withdrawn = true,
            |f| f.withdrawn = true,
        ];
        let digests: std::collections::HashSet<[u8; 32]> = changes
            .iter()
            .map(|change| {
                let mut facts = facts();
                change(&mut facts);
                facts.digest()
            })
            .collect();
        assert_eq!(digests.len(), changes.len());
        assert_eq!(facts().digest(), facts().digest());
    }
}
