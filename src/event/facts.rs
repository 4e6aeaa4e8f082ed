//! The facts about a CVE that judging needs, without prose.
//!
//! An APV record becomes one [`ApvFacts`]; records of one CVE are merged by package, the newest
//! `modified` wins per package.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

impl ApvFacts {
    /// Returns the worst severity that any record states; [`Severity::Unknown`] without a package.
    pub fn severity(&self) -> Severity {
        self.packages
            .iter()
            .map(|package| package.severity)
            .max()
            .unwrap_or(Severity::Unknown)
    }
}
