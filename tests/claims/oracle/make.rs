//! CVEs in the making, and the records that tell of them.

use super::apv::json_of;
use super::facts::{ApvRecord, Ecosystem, End, Package, ReleaseLine, Severity, Table, Version};
use super::random::Random;
use super::world::{Cve, Role, TableRecord};

/// Parts of package names.
const SYLLABLES: [&str; 16] = [
    "zor", "bik", "ral", "tem", "lun", "vok", "pim", "sar", "dex", "fol", "gri", "nax", "hub",
    "quo", "jat", "wen",
];

/// A world in the making.
#[derive(Debug)]
pub struct Maker {
    random: Random,
    /// The records so far, in order.
    pub apv: Vec<TableRecord>,
    /// What the records come to.
    pub table: Table,
    clock: u32,
}

// === impl Maker ===

impl Maker {
    /// Returns a maker that has made nothing.
    pub fn new(random: Random) -> Self {
        Self {
            random,
            apv: Vec::new(),
            table: Table::default(),
            clock: 0,
        }
    }

    /// Makes the CVE of this serial number, and sends its records.
    pub fn cve(&mut self, at: usize, role: Role) -> Cve {
        let id = format!("CVE-2031-{}", 10_000 + at);
        let count = match (role, self.random.below(20)) {
            (Role::Split, _) => 2,
            (_, 0..=11) => 1,
            (_, 12..=16) => 2,
            (_, 17..=18) => 3,
            _ => 4,
        };
        let packages: Vec<Package> = (0..count)
            .map(|nth| self.package(at * 4 + nth, role != Role::Unfixed))
            .collect();
        if count > 1 && self.random.chance(20) {
            self.record(&id, role, true, packages.clone());
        } else {
            for (nth, package) in packages.iter().enumerate() {
                self.record(&id, role, nth == 0, vec![package.clone()]);
            }
        }
        match role {
            Role::Invalid => self.break_off(&id),
            Role::Deleted => {
                self.table.delete(&id);
                self.apv.push(TableRecord {
                    key: id.clone(),
                    value: None,
                });
            }
            _ => {}
        }
        Cve { id, role, packages }
    }

    fn package(&mut self, serial: usize, has_fix: bool) -> Package {
        let ecosystem = self.random.pick(&Ecosystem::ALL);
        let word =
            |random: &mut Random| format!("{}{}", random.pick(&SYLLABLES), random.pick(&SYLLABLES));
        let (one, two) = (word(&mut self.random), word(&mut self.random));
        let name = match ecosystem {
            Ecosystem::Npm if self.random.chance(30) => format!("@{one}/{two}-{serial}"),
            Ecosystem::PyPi => format!("{one}_{two}.{serial}"),
            Ecosystem::Go => format!("github.com/{one}/{two}{serial}"),
            Ecosystem::Maven => format!("org.{one}:{two}-{serial}"),
            _ => format!("{one}-{two}-{serial}"),
        };
        // From version 2 on, a Go module has another path; so its majors are 0 and 1.
        let major = if ecosystem == Ecosystem::Go {
            0
        } else {
            self.random.between(1, 7)
        };
        let lines = if self.random.chance(35) { 2 } else { 1 };
        let lines = (major..major + lines)
            .map(|major| self.line(major, has_fix))
            .collect();
        Package {
            ecosystem,
            name,
            lines,
        }
    }

    fn line(&mut self, major: u32, has_fix: bool) -> ReleaseLine {
        let end = Version(major, self.random.between(1, 14), self.random.between(2, 9));
        ReleaseLine {
            first: Version(major, 0, 0),
            end: if has_fix {
                End::FixedIn(end)
            } else {
                End::LastAffected(end)
            },
        }
    }

    /// Sends one record, for some together with an outdated one: sent before it, or late.
    fn record(&mut self, cve_id: &str, role: Role, first: bool, packages: Vec<Package>) {
        let severity = match role {
            Role::Critical if first => Severity::Critical,
            Role::UnstatedSeverity if first => Severity::Unknown,
            _ => self
                .random
                .pick(&[Severity::Low, Severity::Medium, Severity::High]),
        };
        let kev = role == Role::Exploited && first;
        let outdated = match self.random.below(10) {
            0..=1 => Some(true),
            2 => Some(false),
            _ => None,
        };
        self.clock = (self.clock + 2) % 40_000;
        let modified = self.clock + 1;
        let record = ApvRecord {
            cve_id: cve_id.to_owned(),
            modified,
            severity,
            kev,
            packages,
        };
        let older = ApvRecord {
            modified: modified - 1,
            severity: self
                .random
                .pick(&[Severity::Low, Severity::Critical, Severity::Unknown]),
            packages: record.packages.iter().map(outdated_facts).collect(),
            ..record.clone()
        };
        if outdated == Some(true) {
            self.send(&older);
        }
        self.send(&record);
        if outdated == Some(false) {
            self.send(&older);
        }
    }

    fn send(&mut self, record: &ApvRecord) {
        self.table.apply(record);
        let value = json_of(record, &mut self.random).to_string();
        self.apv.push(TableRecord {
            key: record.cve_id.clone(),
            value: Some(value.into_bytes()),
        });
    }

    /// Sends a record that no reader can read, in one of several ways.
    fn break_off(&mut self, cve_id: &str) {
        let good = format!(
            "{{\"cve_id\":\"{cve_id}\",\"modified\":\"2024-01-28T00:00:00Z\",\"affected_packages\":[]"
        );
        let value = match self.random.below(4) {
            0 => good.into_bytes(),
            1 => format!("{good},\"priority\":\"urgent\"}}").into_bytes(),
            2 => format!("{{\"cve_id\":\"{cve_id}\"}}").into_bytes(),
            _ => [good.as_bytes(), b",\"summary\":\"\xff\xfe\"}"].concat(),
        };
        self.table.break_off(cve_id);
        self.apv.push(TableRecord {
            key: cve_id.to_owned(),
            value: Some(value),
        });
    }
}

/// Returns what was said of a package before: a fix one patch version earlier.
fn outdated_facts(package: &Package) -> Package {
    let earlier = |line: &ReleaseLine| match line.end {
        End::FixedIn(Version(major, minor, patch)) => ReleaseLine {
            end: End::FixedIn(Version(major, minor, patch - 1)),
            ..*line
        },
        End::LastAffected(_) => *line,
    };
    Package {
        lines: package.lines.iter().map(earlier).collect(),
        ..package.clone()
    }
}
