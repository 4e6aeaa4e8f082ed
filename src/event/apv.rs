//! APV events: what Oráculo says of a vulnerability, and the facts judging keeps of it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::event::codec::CodecError;
use crate::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};
use crate::event::id;
use crate::event::timestamp::parse_rfc3339_ms;

/// The most affected packages one record may name.
const MAX_PACKAGES: usize = 200;
/// The most ranges or versions one package may list: the longest real one has 15.
const MAX_VERSIONS: usize = 2_000;
/// The longest version or range, in bytes.
const MAX_VERSION_BYTES: usize = 256;

/// One APV record as Oráculo publishes it; fields not read here are tolerated and dropped.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Apv<'a> {
    /// The CVE, or another advisory id.
    #[serde(borrow)]
    pub cve_id: Cow<'a, str>,
    /// When the advisory last changed, RFC 3339: the newest record of a package wins.
    #[serde(borrow)]
    pub modified: Cow<'a, str>,
    /// CVSS, if the feed has it.
    #[serde(default, borrow)]
    pub cvss: Option<Cvss<'a>>,
    /// Oráculo's own priority: critical, high, medium or low.
    #[serde(default, borrow)]
    pub priority: Option<Cow<'a, str>>,
    /// The vulnerable packages.
    #[serde(borrow)]
    pub affected_packages: Vec<AffectedPackage<'a>>,
    /// Weaknesses, `CWE-<number>`.
    #[serde(default, borrow)]
    pub cwe_ids: Option<Vec<Cow<'a, str>>>,
    /// Probability of exploitation within 30 days, 0 to 1.
    #[serde(default)]
    pub epss: Option<f32>,
    /// Listed as known to be exploited.
    #[serde(default)]
    pub kev: Option<bool>,
    /// When the advisory was withdrawn, RFC 3339; absent or null where it stands. `true` says so too.
    #[serde(default, borrow)]
    pub withdrawn: Option<Withdrawn<'a>>,
}

/// That an advisory was withdrawn, and perhaps when.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Withdrawn<'a> {
    /// Whether it was.
    Said(bool),
    /// When it was; an empty text says that it was not.
    At(#[serde(borrow)] Cow<'a, str>),
}

/// The CVSS assessment of an APV.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Cvss<'a> {
    /// 0.0 to 10.0.
    #[serde(default)]
    pub base_score: Option<f32>,
    /// NONE, LOW, MEDIUM, HIGH or CRITICAL.
    #[serde(default, borrow)]
    pub severity: Option<Cow<'a, str>>,
}

/// One vulnerable package of an APV.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AffectedPackage<'a> {
    /// OSV's name of the ecosystem.
    #[serde(borrow)]
    pub ecosystem: Cow<'a, str>,
    /// The package's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Ranges (`>=1.0,<1.2`) and single versions.
    #[serde(default, borrow)]
    pub affected_versions: Vec<Cow<'a, str>>,
    /// The versions that hold the fix.
    #[serde(default, borrow)]
    pub fixed_versions: Vec<Cow<'a, str>>,
    /// The last affected version, where no fix is known.
    #[serde(default, borrow)]
    pub last_affected: Option<Cow<'a, str>>,
}

impl Apv<'_> {
    /// Returns the facts that judging needs.
    ///
    /// # Errors
    /// [`CodecError::Schema`] names the field that is out of bounds.
    pub fn facts(&self) -> Result<ApvFacts, CodecError> {
        id::check_cve_id(&self.cve_id).map_err(|e| CodecError::schema("cve_id", e.to_string()))?;
        let modified_ms = parse_rfc3339_ms(&self.modified)
            .ok_or_else(|| CodecError::schema("modified", "not an RFC 3339 time"))?;
        if self.affected_packages.len() > MAX_PACKAGES {
            return Err(CodecError::schema(
                "affected_packages",
                format!(
                    "{} entries, the limit is {MAX_PACKAGES}",
                    self.affected_packages.len()
                ),
            ));
        }
        if let Some(epss) = self.epss
            && !(0.0..=1.0).contains(&epss)
        {
            return Err(CodecError::schema("epss", "outside 0 to 1"));
        }
        let severity = self.severity()?;
        let withdrawn = match &self.withdrawn {
            None => false,
            Some(Withdrawn::Said(withdrawn)) => *withdrawn,
            Some(Withdrawn::At(when)) => !when.trim().is_empty(),
        };
        let mut packages = self
            .affected_packages
            .iter()
            .enumerate()
            .map(|(at, package)| package.facts(at, modified_ms, severity, withdrawn))
            .collect::<Result<Vec<_>, _>>()?;
        packages.sort_by(|a, b| (a.ecosystem, &a.name).cmp(&(b.ecosystem, &b.name)));
        let mut cwes = self
            .cwe_ids
            .iter()
            .flatten()
            .filter_map(|cwe| cwe.trim_start_matches("CWE-").parse().ok())
            .collect::<Vec<u16>>();
        cwes.sort_unstable();
        cwes.dedup();
        Ok(ApvFacts {
            packages: packages.into_boxed_slice(),
            kev: self.kev.unwrap_or(false),
            epss: self.epss,
            cwes: cwes.into_boxed_slice(),
            withdrawn: withdrawn && self.affected_packages.is_empty(),
        })
    }

    /// Returns the severity: CVSS first, else `priority`, else unknown. Where score and name of one
    /// CVSS disagree, the worse counts.
    fn severity(&self) -> Result<Severity, CodecError> {
        let by_score = match self.cvss.as_ref().and_then(|cvss| cvss.base_score) {
            None => None,
            Some(score) if (0.0..=10.0).contains(&score) => Some(severity_of_score(score)),
            Some(_) => return Err(CodecError::schema("cvss.base_score", "outside 0 to 10")),
        };
        let by_name = match self.cvss.as_ref().and_then(|cvss| cvss.severity.as_deref()) {
            None => None,
            Some(name) => Some(severity_of_name("cvss.severity", name)?),
        };
        let by_priority = match self.priority.as_deref() {
            None => None,
            Some(name) => Some(severity_of_name("priority", name)?),
        };
        Ok(by_score
            .max(by_name)
            .or(by_priority)
            .unwrap_or(Severity::Unknown))
    }
}

impl AffectedPackage<'_> {
    fn facts(
        &self,
        at: usize,
        modified_ms: i64,
        severity: Severity,
        withdrawn: bool,
    ) -> Result<PackageFacts, CodecError> {
        let field = |name: &str| format!("affected_packages[{at}].{name}");
        id::check_package("name", &self.name)
            .map_err(|e| CodecError::schema(field("name"), e.to_string()))?;
        let versions = |name: &str, list: &[Cow<'_, str>]| {
            if list.len() > MAX_VERSIONS {
                return Err(CodecError::schema(
                    field(name),
                    format!("{} entries, the limit is {MAX_VERSIONS}", list.len()),
                ));
            }
            list.iter()
                .map(|text| {
                    if text.len() > MAX_VERSION_BYTES {
                        return Err(CodecError::schema(
                            field(name),
                            format!("{} bytes, the limit is {MAX_VERSION_BYTES}", text.len()),
                        ));
                    }
                    Ok(Box::from(text.as_ref()))
                })
                .collect::<Result<Box<[Box<str>]>, _>>()
        };
        Ok(PackageFacts {
            ecosystem: Ecosystem::from_name(&self.ecosystem),
            name: Box::from(self.name.as_ref()),
            affected: versions("affected_versions", &self.affected_versions)?,
            fixed: versions("fixed_versions", &self.fixed_versions)?,
            last_affected: self.last_affected.as_deref().map(Box::from),
            modified_ms,
            severity,
            withdrawn,
        })
    }
}

/// Returns the band of a CVSS base score (FIRST, CVSS v3.1 specification, section 5).
fn severity_of_score(score: f32) -> Severity {
    match score {
        s if s >= 9.0 => Severity::Critical,
        s if s >= 7.0 => Severity::High,
        s if s >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

fn severity_of_name(field: &str, name: &str) -> Result<Severity, CodecError> {
    const NAMES: [(&str, Severity); 6] = [
        ("none", Severity::Low),
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("moderate", Severity::Medium),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];
    NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, severity)| *severity)
        .ok_or_else(|| CodecError::schema(field, format!("unknown severity {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> Result<ApvFacts, CodecError> {
        serde_json::from_str::<Apv<'_>>(json).unwrap().facts()
    }

    fn with(extra: &str) -> String {
        format!(
            r#"{{"cve_id":"CVE-2020-1","modified":"2021-01-01T00:00:00Z",
               "affected_packages":[{{"ecosystem":"PyPI","name":"x","affected_versions":["<2"],
               "fixed_versions":["2"],"has_fix":true}}],"unknown":{{}}{extra}}}"#
        )
    }

    #[test]
    fn severity_is_cvss_then_priority_then_unknown() {
        let cases = [
            (
                r#","cvss":{"base_score":9.1,"severity":"LOW"},"priority":"low""#,
                Severity::Critical,
            ),
            (
                r#","cvss":{"severity":"HIGH"},"priority":"low""#,
                Severity::High,
            ),
            (r#","cvss":null,"priority":"medium""#, Severity::Medium),
            ("", Severity::Unknown),
        ];
        for (extra, severity) in cases {
            assert_eq!(facts(&with(extra)).unwrap().severity(), severity, "{extra}");
        }
    }

    #[test]
    fn a_value_out_of_bounds_names_its_field() {
        for (extra, field) in [
            (r#","epss":1.5"#, "epss"),
            (r#","cvss":{"base_score":11}"#, "cvss.base_score"),
            (r#","priority":"urgent""#, "priority"),
        ] {
            let error = facts(&with(extra)).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn an_advisory_that_was_withdrawn_says_so() {
        for (extra, withdrawn) in [
            (r#","withdrawn":"2024-01-01T00:00:00Z""#, true),
            (r#","withdrawn":true"#, true),
            (r#","withdrawn":false"#, false),
            (r#","withdrawn":null"#, false),
            (r#","withdrawn":"""#, false),
            ("", false),
        ] {
            assert_eq!(
                facts(&with(extra)).unwrap().is_withdrawn(),
                withdrawn,
                "{extra}"
            );
        }
    }

    #[test]
    fn weaknesses_are_numbers_in_order() {
        let known = facts(&with(r#","cwe_ids":["CWE-94","CWE-20","CWE-94","noinfo"]"#)).unwrap();
        assert_eq!(&*known.cwes, &[20, 94]);
    }
}
