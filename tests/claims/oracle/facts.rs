//! What is known of vulnerabilities: versions as three numbers, and the table as a map.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// The ecosystems whose bumps are generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ecosystem {
    /// npm, by `package.json`.
    Npm,
    /// PyPI, by `requirements.txt`.
    PyPi,
    /// crates.io, by `Cargo.toml`.
    CratesIo,
    /// Go, by `go.mod`.
    Go,
    /// Maven, by `pom.xml`.
    Maven,
}

/// A version of three numbers; every ecosystem orders those alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// How bad it is, in the order in which the worst counts; unknown is nearly as bad as critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// CVSS below 4.
    Low,
    /// CVSS 4 to 6.9.
    Medium,
    /// CVSS 7 to 8.9.
    High,
    /// Stated by nobody.
    Unknown,
    /// CVSS from 9.
    Critical,
}

/// One release line of a package: affected from its first version to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseLine {
    /// The first affected version.
    pub first: Version,
    /// Where the affected versions end.
    pub end: End,
}

/// How a release line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// This version holds the fix; all before it are affected.
    FixedIn(Version),
    /// No fix is known; this version is the last one affected.
    LastAffected(Version),
}

/// A vulnerable package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Where it lives.
    pub ecosystem: Ecosystem,
    /// Its name, as the APV spells it.
    pub name: String,
    /// Its release lines, oldest first.
    pub lines: Vec<ReleaseLine>,
}

/// One readable APV record.
#[derive(Debug, Clone)]
pub struct ApvRecord {
    /// The CVE.
    pub cve_id: String,
    /// Minutes after the beginning of 2024; the newest record of a package wins.
    pub modified: u32,
    /// The severity that the record states.
    pub severity: Severity,
    /// Listed as known to be exploited.
    pub kev: bool,
    /// The packages.
    pub packages: Vec<Package>,
}

/// What the table holds of one CVE.
#[derive(Debug, Clone)]
pub enum Known {
    /// Readable facts.
    Facts(Facts),
    /// The newest record cannot be read.
    Invalid,
}

/// The merged facts of one CVE.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Listed as known to be exploited, by any record.
    pub kev: bool,
    packages: BTreeMap<(Ecosystem, String), Current>,
}

/// The newest that is known of one package.
#[derive(Debug, Clone)]
struct Current {
    modified: u32,
    severity: Severity,
    package: Package,
}

/// Everything on `apv`, by CVE.
#[derive(Debug, Clone, Default)]
pub struct Table(HashMap<String, Known>);

// === impl Ecosystem ===

impl Ecosystem {
    /// Every ecosystem.
    pub const ALL: [Self; 5] = [Self::Npm, Self::PyPi, Self::CratesIo, Self::Go, Self::Maven];

    /// Returns the name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::PyPi => "PyPI",
            Self::CratesIo => "crates.io",
            Self::Go => "Go",
            Self::Maven => "Maven",
        }
    }

    /// Whether two names mean one package: exact, but for PyPI's PEP 503.
    pub fn same_name(self, left: &str, right: &str) -> bool {
        match self {
            Self::PyPi => pep_503(left) == pep_503(right),
            _ => left == right,
        }
    }
}

/// Returns the normalised name: lower case, each run of `-`, `_`, `.` one `-`.
fn pep_503(name: &str) -> String {
    let mut normal = String::new();
    for c in name.to_lowercase().chars() {
        let c = if matches!(c, '-' | '_' | '.') { '-' } else { c };
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    normal
}

// === impl Version ===

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

// === impl Package ===

impl Package {
    /// Whether a version is affected.
    pub fn is_affected(&self, version: Version) -> bool {
        self.lines.iter().any(|line| {
            line.first <= version
                && match line.end {
                    End::FixedIn(fix) => version < fix,
                    End::LastAffected(last) => version <= last,
                }
        })
    }

    /// Returns the versions that hold a fix.
    pub fn fixes(&self) -> Vec<Version> {
        let fix = |line: &ReleaseLine| match line.end {
            End::FixedIn(fix) => Some(fix),
            End::LastAffected(_) => None,
        };
        self.lines.iter().filter_map(fix).collect()
    }
}

// === impl Facts ===

impl Facts {
    /// Returns the packages as they are known now.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().map(|current| &current.package)
    }

    /// Returns the package of a name, if the facts name it.
    pub fn package(&self, ecosystem: Option<Ecosystem>, name: &str) -> Option<&Package> {
        self.packages().find(|package| {
            let lives_there = ecosystem.is_none() || ecosystem == Some(package.ecosystem);
            lives_there && package.ecosystem.same_name(&package.name, name)
        })
    }

    /// Returns the worst severity of the packages as they are known now.
    pub fn severity(&self) -> Severity {
        let stated = self.packages.values().map(|current| current.severity);
        stated.max().unwrap_or(Severity::Unknown)
    }
}

// === impl Table ===

impl Table {
    /// Takes a readable record: per package, the newest `modified` wins.
    pub fn apply(&mut self, record: &ApvRecord) {
        let known = self
            .0
            .entry(record.cve_id.clone())
            .or_insert_with(|| Known::Facts(Facts::default()));
        let Known::Facts(facts) = known else {
            panic!("the world sends no good record after a broken one");
        };
        facts.kev |= record.kev;
        for package in &record.packages {
            let key = (package.ecosystem, package.name.clone());
            let newer = facts
                .packages
                .get(&key)
                .is_none_or(|current| current.modified < record.modified);
            if newer {
                let current = Current {
                    modified: record.modified,
                    severity: record.severity,
                    package: package.clone(),
                };
                facts.packages.insert(key, current);
            }
        }
    }

    /// Takes a record that cannot be read.
    pub fn break_off(&mut self, cve_id: &str) {
        self.0.insert(cve_id.to_owned(), Known::Invalid);
    }

    /// Takes a tombstone.
    pub fn delete(&mut self, cve_id: &str) {
        self.0.remove(cve_id);
    }

    /// Returns what is known of a CVE.
    pub fn get(&self, cve_id: &str) -> Option<&Known> {
        self.0.get(cve_id)
    }
}
