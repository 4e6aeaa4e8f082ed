//! APV records as Oráculo sends them.

use serde_json::{Value, json};

use super::facts::{ApvRecord, Ecosystem, End, Package, Severity};
use super::random::Random;

/// The last minute of [`ApvRecord::modified`] that has a time: the 28th of January, 23:59.
pub const LAST_MINUTE: u32 = 28 * 1_440 - 1;

/// Returns the record in the upstream shape, with a severity that is stated by CVSS or by priority.
pub fn json_of(record: &ApvRecord, random: &mut Random) -> Value {
    let (cvss, priority) = stated(record.severity, random);
    let alias = format!(
        "GHSA-{:04x}-{:04x}",
        random.below(65_536),
        random.below(65_536)
    );
    let modified = time(record.modified);
    let packages: Vec<Value> = record.packages.iter().map(package).collect();
    json!({
        "cve_id": record.cve_id,
        "aliases": [alias],
        "published": "2023-11-20T08:15:00Z",
        "modified": modified,
        "processed_at": modified,
        "summary": "Improper neutralisation of input lets a remote sender reach memory it should not",
        "details": "A crafted request makes the parser read past its buffer. Upgrade it.",
        "cvss": cvss,
        "priority": priority,
        "affected_packages": packages,
        "ast_grep_patterns": [],
        "recommended_strategy": "dependency_upgrade",
        "remediation_complexity": "low",
        "remediation_notes": null,
        "maximus_context": {},
        "source_feed": "OSV.dev",
        "oraculo_version": "1.0.0",
        "kev": record.kev,
        "is_critical": false,
        "requires_immediate_action": false,
        "_published_at": modified,
        "_publisher": "maximus_oraculo",
    })
}

fn package(package: &Package) -> Value {
    let entry = |line: &super::facts::ReleaseLine| match line.end {
        End::FixedIn(fix) => format!(">={},<{fix}", line.first),
        End::LastAffected(last) => format!(">={},<={last}", line.first),
    };
    let affected: Vec<String> = package.lines.iter().map(entry).collect();
    let fixed: Vec<String> = package.fixes().iter().map(ToString::to_string).collect();
    let last_affected = package.lines.iter().find_map(|line| match line.end {
        End::LastAffected(last) => Some(last.to_string()),
        End::FixedIn(_) => None,
    });
    json!({
        "ecosystem": package.ecosystem.name(),
        "name": package.name,
        "affected_versions": affected,
        "has_fix": !fixed.is_empty(),
        "fixed_versions": fixed,
        "purl": purl(package.ecosystem, &package.name),
        "introduced": package.lines[0].first.to_string(),
        "last_affected": last_affected,
    })
}

fn purl(ecosystem: Ecosystem, name: &str) -> String {
    let kind = match ecosystem {
        Ecosystem::Npm => "npm",
        Ecosystem::PyPi => "pypi",
        Ecosystem::CratesIo => "cargo",
        Ecosystem::Go => "golang",
        Ecosystem::Maven => "maven",
    };
    format!("pkg:{kind}/{}", name.replace(':', "/"))
}

/// Returns `cvss` and `priority`. Where both stand, CVSS counts and priority may say anything.
fn stated(severity: Severity, random: &mut Random) -> (Value, Value) {
    let (name, low, high) = match severity {
        Severity::Unknown => return (Value::Null, Value::Null),
        Severity::Low => ("low", 1, 39),
        Severity::Medium => ("medium", 40, 69),
        Severity::High => ("high", 70, 89),
        Severity::Critical => ("critical", 90, 100),
    };
    let score = f64::from(random.between(low, high)) / 10.0;
    let cvss = json!({
        "version": "3.1",
        "base_score": score,
        "severity": name.to_uppercase(),
        "vector_string": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
    });
    match random.below(4) {
        0 => (Value::Null, json!(name)),
        1 => (cvss, Value::Null),
        2 => (cvss, json!(name)),
        _ => (
            cvss,
            json!(random.pick(&["low", "medium", "high", "critical"])),
        ),
    }
}

/// Returns the RFC 3339 time of a minute after the beginning of 2024.
fn time(minutes: u32) -> String {
    assert!(minutes <= LAST_MINUTE, "the world's clock ends in January");
    let (day, rest) = (minutes / 1_440, minutes % 1_440);
    let (hour, minute) = (rest / 60, rest % 60);
    format!("2024-01-{:02}T{hour:02}:{minute:02}:00Z", day + 1)
}
