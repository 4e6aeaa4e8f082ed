//! The ranges that an APV calls affected.

use std::ops::Bound;

use super::interval::Interval;
use super::version::Version;
use crate::diff::cut::parts;
use crate::event::facts::Ecosystem;

/// More comparators in one entry than any advisory has.
const MAX_COMPARATORS: usize = 8;

/// Longest sign first.
const SIGNS: [&str; 6] = [">=", "<=", "==", ">", "<", "="];

/// Returns the range of one entry: comma-joined comparators (`>=2.3.0,<2.3.4`), or a bare version for
/// exactly that one.
///
/// `>=0` has no lower bound, as in OSV. `None` if any part is not understood. Unlike a requirement,
/// `<5.4` includes the pre-releases of 5.4: the order alone decides.
pub(super) fn range(ecosystem: Ecosystem, entry: &str) -> Option<Interval> {
    let mut all = Interval::all();
    for (index, part) in parts(entry, b',').enumerate() {
        if index >= MAX_COMPARATORS {
            return None;
        }
        all = all.and(comparator(ecosystem, part.trim())?);
    }
    // A contradiction says nothing: better not understood than not affected.
    (!all.is_empty()).then_some(all)
}

/// Returns whether one of the entries holds a version; one that is not understood holds none.
pub fn is_affected<'e>(
    ecosystem: Ecosystem,
    mut entries: impl Iterator<Item = &'e str>,
    version: &str,
) -> bool {
    Version::parse_fact(ecosystem, version).is_some_and(|version| {
        entries.any(|entry| range(ecosystem, entry).is_some_and(|range| range.contains(&version)))
    })
}

fn comparator(ecosystem: Ecosystem, part: &str) -> Option<Interval> {
    if part == "*" {
        return Some(Interval::all());
    }
    let (sign, text) = SIGNS
        .iter()
        .find_map(|sign| Some((*sign, part.strip_prefix(sign)?.trim_start())))
        .unwrap_or(("=", part));
    if sign == ">=" && text == "0" {
        return Some(Interval::all());
    }
    let version = Version::parse_fact(ecosystem, text)?;
    let (lower, upper) = match sign {
        ">=" => (Bound::Included(version), Bound::Unbounded),
        ">" => (Bound::Excluded(version), Bound::Unbounded),
        "<=" => (Bound::Unbounded, Bound::Included(version)),
        "<" => (Bound::Unbounded, Bound::Excluded(version)),
        _ => return Some(Interval::point(version)),
    };
    Some(Interval { lower, upper })
}

#[cfg(test)]
mod tests {
    use super::{Version, range};
    use crate::event::facts::Ecosystem;

    fn holds(ecosystem: Ecosystem, entry: &str, version: &str) -> bool {
        range(ecosystem, entry)
            .unwrap()
            .contains(&Version::parse_fact(ecosystem, version).unwrap())
    }

    #[test]
    fn every_documented_form_is_read() {
        assert!(holds(Ecosystem::PyPi, ">=2.3.0,<2.3.4", "2.3.3"));
        assert!(!holds(Ecosystem::PyPi, ">=2.3.0,<2.3.4", "2.3.4"));
        assert!(holds(Ecosystem::Npm, "<10.3.0", "10.2.99"));
        assert!(holds(Ecosystem::Npm, "<10.3", "10.2.99"));
        assert!(holds(Ecosystem::PyPi, ">=0", "0.dev1"));
        assert!(holds(Ecosystem::Maven, ">=1.0,<=1.4", "1.4"));
        assert!(holds(Ecosystem::CratesIo, "=1.2.0", "1.2"));
        assert!(holds(Ecosystem::Go, "1.2.0", "v1.2.0"));
        assert!(!holds(Ecosystem::Npm, "> 1.0.0, < 2.0.0", "1.0.0"));
    }

    #[test]
    fn a_pre_release_of_the_fix_is_affected() {
        assert!(holds(Ecosystem::PyPi, ">=0,<5.4", "5.4rc1"));
        assert!(holds(Ecosystem::Npm, "<2.0.0", "2.0.0-rc.1"));
    }

    #[test]
    fn odd_but_valid_versions_of_advisories_are_read() {
        assert!(holds(Ecosystem::PyPi, ">=0,<3.8-rc", "3.7"));
        assert!(holds(Ecosystem::PyPi, ">=0,<0.1.7a", "0.1.6"));
        assert!(holds(Ecosystem::PyPi, ">=0,<0.5.0b3.dev78", "0.5.0b2"));
        assert!(holds(Ecosystem::PyPi, ">=0,<1.6.5.post1", "1.6.5"));
    }

    #[test]
    fn what_is_no_version_is_not_guessed() {
        assert!(range(Ecosystem::PyPi, ">=0,<2019-09-12").is_none());
        assert!(range(Ecosystem::PyPi, ">=0,<0.2.0-n653").is_none());
        assert!(range(Ecosystem::Npm, ">=2.0.0,<1.0.0").is_none());
        assert!(range(Ecosystem::Npm, "").is_none());
        assert!(range(Ecosystem::Other, "<1.0.0").is_none());
    }
}
