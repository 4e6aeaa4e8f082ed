//! Join: each patch with what is known of its CVE.
//!
//! Two topics have no common clock and a patch must not overtake its APV. Where a CVE of the batch
//! is missing, the table first catches up with the end of its topic as of now, once for the whole
//! batch and for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::event::decision::KnownBy;
use crate::event::facts::{ApvFacts, PackageFacts, Severity};
use crate::event::patch::Patch;
use crate::judge::advisory::Advisory;
use crate::stage::Refused;
use crate::table::{Known, Tables};

/// What is known of a patch's CVE.
#[derive(Debug, Clone)]
pub struct Joined {
    /// How it is known.
    pub known_by: KnownBy,
    /// The facts; `None` where nothing is known or nothing could be read.
    pub advisory: Option<Arc<Advisory>>,
}

impl Joined {
    /// Returns the facts alone.
    pub fn facts(&self) -> Option<&ApvFacts> {
        self.advisory.as_deref().map(|advisory| &**advisory)
    }
}

/// Returns what is known of each patch's CVE; `None` for what was refused.
///
/// `wait` bounds how long the APV table may take to catch up; a CVE missing after that is `Stale`.
pub fn join(
    patches: &[Result<Patch<'_>, Refused>],
    tables: &Tables,
    wait: Duration,
) -> Vec<Option<Joined>> {
    let mut known = look_up(patches, tables);
    let mut absent = KnownBy::Unknown;
    if known.iter().flatten().any(Option::is_none) {
        if let Err(error) = tables.catch_up_apv(wait) {
            warn!(%error, "join: judging without the newest vulnerabilities");
            absent = KnownBy::Stale;
        }
        known = look_up(patches, tables);
    }
    patches
        .iter()
        .zip(known)
        .map(|(patch, known)| Some(join_one(patch.as_ref().ok()?, known?, absent)))
        .collect()
}

/// Returns what the table holds of each patch's CVE; `None` for what was refused.
fn look_up(patches: &[Result<Patch<'_>, Refused>], tables: &Tables) -> Vec<Option<Option<Known>>> {
    patches
        .iter()
        .map(|patch| {
            let patch = patch.as_ref().ok()?;
            Some(tables.apv.get(&patch.cve_id))
        })
        .collect()
}

fn join_one(patch: &Patch<'_>, known: Option<Known>, absent: KnownBy) -> Joined {
    let by_table = |withdrawn: bool| match withdrawn {
        true => KnownBy::Withdrawn,
        false => KnownBy::Table,
    };
    match (known, &patch.embedded) {
        (Some(Known::Facts(facts)), None) => Joined {
            known_by: by_table(facts.is_withdrawn()),
            advisory: Some(facts),
        },
        (Some(Known::Facts(facts)), Some(embedded)) => Joined {
            known_by: by_table(facts.is_withdrawn() || embedded.is_withdrawn()),
            advisory: Some(Arc::new(restrict(&facts, embedded).into())),
        },
        (Some(Known::Invalid), _) => Joined {
            known_by: KnownBy::Invalid,
            advisory: None,
        },
        // A stale table may still learn of the CVE, so embedded facts do not hide that.
        (None, Some(embedded)) if absent == KnownBy::Unknown => Joined {
            known_by: KnownBy::Embedded,
            advisory: Some(Arc::new(embedded.clone().into())),
        },
        (None, _) => Joined {
            known_by: absent,
            advisory: None,
        },
    }
}

/// Returns the table's facts, made no less strict by those that came with the patch: a worse
/// severity, a KEV listing, further affected ranges count; fixed versions do not.
fn restrict(facts: &ApvFacts, embedded: &ApvFacts) -> ApvFacts {
    let claimed = embedded.severity();
    let packages = facts
        .packages
        .iter()
        .map(|package| {
            let further = embedded
                .packages
                .iter()
                .filter(|e| e.ecosystem == package.ecosystem && e.name == package.name)
                .flat_map(|e| e.affected.iter().cloned());
            let severity = match claimed {
                Severity::Unknown => package.severity,
                _ => package.severity.max(claimed),
            };
            PackageFacts {
                affected: package.affected.iter().cloned().chain(further).collect(),
                severity,
                ..package.clone()
            }
        })
        .collect();
    ApvFacts {
        packages,
        kev: facts.kev || embedded.kev,
        epss: match (facts.epss, embedded.epss) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        },
        cwes: facts.cwes.clone(),
        withdrawn: facts.withdrawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::limits::EventLimits;
    use crate::event::record::Record;
    use crate::stage::decode::decode;
    use crate::table::TableBounds;

    #[test]
    fn an_advisory_that_was_withdrawn_is_known_as_such() {
        let tables = Tables::detached(&TableBounds::default(), &EventLimits::default());
        let put = |package: &str, extra: &str| {
            let value = format!(
                r#"{{"cve_id":"CVE-1","modified":"2020-01-01T00:00:00Z","priority":"low"{extra},
                "affected_packages":[{{"ecosystem":"npm","name":"{package}"}}]}}"#
            );
            tables
                .apv
                .apply(Some(b"CVE-1"), Some(value.as_bytes()))
                .unwrap();
        };
        let known_by = || {
            let records = [Record {
                value: Some(br#"{"patch_id":"p","cve_id":"CVE-1","diff_content":"x"}"#.to_vec()),
                ..Record::default()
            }];
            let patches = decode(&records, &EventLimits::default());
            let joined = join(&patches, &tables, Duration::ZERO).remove(0).unwrap();
            joined.known_by
        };
        let withdrawn = r#","withdrawn":"2021-01-01T00:00:00Z""#;
        put("x", withdrawn);
        assert_eq!(known_by(), KnownBy::Withdrawn);
        // Another record of the CVE still stands.
        put("y", "");
        assert_eq!(known_by(), KnownBy::Table);
        put("y", withdrawn);
        assert_eq!(known_by(), KnownBy::Withdrawn);
    }

    fn tables() -> Tables {
        let limits = EventLimits::default();
        let tables = Tables::detached(&TableBounds::default(), &limits);
        let value = br#"{"cve_id":"CVE-1","modified":"2020-01-01T00:00:00Z","priority":"low",
            "affected_packages":[{"ecosystem":"npm","name":"x","affected_versions":["<2"],"fixed_versions":["2"]}]}"#;
        tables.apv.apply(Some(b"CVE-1"), Some(value)).unwrap();
        tables.apv.apply(Some(b"CVE-2"), Some(b"{")).unwrap_err();
        tables
    }

    fn joined(cve_id: &str, embedded: Option<&str>) -> Joined {
        let apv = embedded.map_or(String::new(), |rest| {
            format!(r#","apv":{{"cve_id":"{cve_id}","modified":"2020-01-01T00:00:00Z",{rest}}}"#)
        });
        let value = format!(r#"{{"patch_id":"p","cve_id":"{cve_id}","diff_content":"x"{apv}}}"#);
        let records = [Record {
            value: Some(value.into_bytes()),
            ..Record::default()
        }];
        let patches = decode(&records, &EventLimits::default());
        join(&patches, &tables(), Duration::ZERO).remove(0).unwrap()
    }

    #[test]
    fn a_cve_is_known_by_the_table_before_anything_else() {
        assert_eq!(joined("CVE-1", None).known_by, KnownBy::Table);
        assert_eq!(joined("CVE-2", None).known_by, KnownBy::Invalid);
        assert_eq!(joined("CVE-3", None).known_by, KnownBy::Unknown);
        let embedded = r#""affected_packages":[{"ecosystem":"npm","name":"x"}]"#;
        assert_eq!(joined("CVE-3", Some(embedded)).known_by, KnownBy::Embedded);
        assert_eq!(joined("CVE-2", Some(embedded)).known_by, KnownBy::Invalid);
    }

    #[test]
    fn facts_that_come_along_only_restrict() {
        let lax = r#""priority":"low","affected_packages":[{"ecosystem":"npm","name":"x","affected_versions":[],"fixed_versions":["1"]}]"#;
        let facts = joined("CVE-1", Some(lax)).advisory.unwrap();
        assert_eq!(facts.packages[0].fixed.len(), 1);
        assert_eq!(&*facts.packages[0].fixed[0], "2");
        assert_eq!(facts.severity(), Severity::Low);
        let strict = r#""kev":true,"priority":"critical","affected_packages":[{"ecosystem":"npm","name":"x","affected_versions":["<3"]}]"#;
        let facts = joined("CVE-1", Some(strict)).advisory.unwrap();
        assert!(facts.kev);
        assert_eq!(facts.severity(), Severity::Critical);
        assert_eq!(facts.packages[0].affected.len(), 2);
    }
}
