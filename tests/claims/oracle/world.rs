//! The vulnerabilities and settings that a run starts from.

use std::sync::Arc;

use serde_json::{Value, json};

use super::expect::Evidence;
use super::facts::{Package, Table};
use super::make::Maker;
use super::random::Random;

/// A record for a table topic (`apv`, `control`), in the order of [`World::apv`] and [`World::control`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRecord {
    /// The key.
    pub key: String,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Everything that is known before the first event.
#[derive(Debug, Clone)]
pub struct World {
    /// The records for `apv`, to be produced in this order.
    pub apv: Vec<TableRecord>,
    /// The records for `control`, to be produced in this order.
    pub control: Vec<TableRecord>,
    pub(super) cves: Vec<Cve>,
    pub(super) table: Arc<Table>,
    pub(super) evidence: Evidence,
}

/// What a CVE is there for. A role keeps to its own kinds of events, so that approvals stay possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Only good bumps and refusals, which block nobody.
    Clean,
    /// Two packages; items open for the first alone.
    Split,
    /// Everything.
    Contested,
    /// Critical by one record at least.
    Critical,
    /// No severity by one record at least, and not critical.
    UnstatedSeverity,
    /// Known to be exploited.
    Exploited,
    /// No fixed version.
    Unfixed,
    /// The newest record cannot be read.
    Invalid,
    /// The newest record is a tombstone.
    Deleted,
}

/// One CVE and its packages as the table knows them in the end.
#[derive(Debug, Clone)]
pub struct Cve {
    /// Its id.
    pub id: String,
    /// What it is there for.
    pub role: Role,
    /// Its packages, oldest release line first in each.
    pub packages: Vec<Package>,
}

/// The roles of each run of 20 CVEs.
const ROLES: [Role; 20] = [
    Role::Clean,
    Role::Contested,
    Role::Clean,
    Role::Split,
    Role::Clean,
    Role::Critical,
    Role::Clean,
    Role::Contested,
    Role::UnstatedSeverity,
    Role::Clean,
    Role::Exploited,
    Role::Clean,
    Role::Contested,
    Role::Unfixed,
    Role::Clean,
    Role::Invalid,
    Role::Clean,
    Role::Split,
    Role::Deleted,
    Role::Contested,
];

/// Agreement per level as two writers count it. Alone, neither writer's count passes the threshold; their sums
/// do for patch and minor (120 of 120: at least 0.968), and lie between refusal and approval for major.
const EVIDENCE: [(&str, &str, u64, u64); 6] = [
    ("patch", "w0", 60, 60),
    ("patch", "w1", 60, 60),
    ("minor", "w0", 71, 71),
    ("minor", "w1", 49, 49),
    ("major", "w0", 20, 25),
    ("major", "w1", 10, 15),
];

// === impl World ===

impl World {
    /// Makes a world of `cves` known vulnerabilities.
    ///
    /// # Panics
    /// Panics below 20, where not every role has a CVE.
    pub fn generate(seed: u64, cves: usize) -> Self {
        assert!(cves >= ROLES.len(), "a world has at least 20 CVEs");
        let mut maker = Maker::new(Random::new(seed));
        let cves = (0..cves)
            .map(|at| maker.cve(at, ROLES[at % ROLES.len()]))
            .collect();
        let mut control = vec![
            setting("auto_approve", &json!(true)),
            setting("policy_version", &json!(1)),
        ];
        let mut evidence = Evidence::default();
        for (level, writer, agreed, n) in EVIDENCE {
            let key = format!("evidence.advisory.{level}.{writer}");
            control.push(setting(&key, &json!({ "agreed": agreed, "n": n })));
            evidence.add(level, agreed, n);
        }
        Self {
            apv: maker.apv,
            control,
            cves,
            table: Arc::new(maker.table),
            evidence,
        }
    }

    /// Returns one CVE of a role.
    pub(super) fn pick(&self, role: Role, random: &mut Random) -> &Cve {
        let runs = self.cves.len() / ROLES.len();
        let run = random.below(u32::try_from(runs).expect("few CVEs")) as usize;
        let places: Vec<usize> = (0..ROLES.len()).filter(|at| ROLES[*at] == role).collect();
        let place = random.pick(&places);
        &self.cves[run * ROLES.len() + place]
    }
}

fn setting(key: &str, value: &Value) -> TableRecord {
    TableRecord {
        key: key.to_owned(),
        value: Some(value.to_string().into_bytes()),
    }
}
