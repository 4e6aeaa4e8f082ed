//! The unit of evidence: one thing that a judge was right or wrong about, however often it is tried.

use crate::event::decision::BumpRecord;
use crate::event::id::sha256_hex;

/// The longest name of a trial, in bytes.
pub const MAX_TRIAL_BYTES: usize = 120;
/// Hexadecimal digits of a digest that tell trials apart.
const DIGEST_DIGITS: usize = 32;

/// Returns the name of the trial of a bump: the CVE, and each package with the version before and after.
///
/// Where it stands says nothing: another repository, another file and another way to write the requirement
/// are the same trial.
pub fn of_bump(cve_id: &str, bumps: &[BumpRecord]) -> String {
    let mut moves: Vec<Move<'_>> = bumps.iter().map(Move::of).collect();
    moves.sort_unstable();
    // One package moves once: a lock file tells its versions better than a requirement.
    moves.dedup_by(|later, first| later.place == first.place);
    let moves: Vec<String> = moves.iter().map(Move::text).collect();
    bounded(cve_id, &moves.join(", "))
}

/// Returns the name of the trial of a patch of code: the CVE and the patch.
pub fn of_code(cve_id: &str, patch_digest: &str) -> String {
    let digest: String = patch_digest.chars().take(DIGEST_DIGITS).collect();
    bounded(cve_id, &["patch ", &digest].concat())
}

fn bounded(cve_id: &str, what: &str) -> String {
    let name = [cve_id, " ", what].concat();
    let is_plain = name
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain && name.len() <= MAX_TRIAL_BYTES {
        return name;
    }
    let digest: String = sha256_hex(what.as_bytes())
        .chars()
        .take(DIGEST_DIGITS)
        .collect();
    [cve_id, " sha256:", &digest].concat()
}

/// Ordered by package, then by how exactly it is told.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Move<'b> {
    place: (&'static str, &'b str),
    is_requirement: bool,
    from: &'b str,
    to: &'b str,
}

impl<'b> Move<'b> {
    fn of(bump: &'b BumpRecord) -> Self {
        let from = bump.from.as_deref().unwrap_or("");
        let (old, new) = (version_in(from), version_in(&bump.to));
        Self {
            place: (bump.ecosystem.as_str(), &bump.package),
            is_requirement: old != from || new != bump.to,
            from: old,
            to: new,
        }
    }

    fn text(&self) -> String {
        let (ecosystem, package) = self.place;
        let from = if self.from.is_empty() { "?" } else { self.from };
        [ecosystem, "/", package, " ", from, " -> ", self.to].concat()
    }
}

/// Returns the first version in a requirement; all of it where there is none.
fn version_in(text: &str) -> &str {
    let Some(begin) = text.find(|c: char| c.is_ascii_digit()) else {
        return text;
    };
    let rest = text.get(begin..).unwrap_or(text);
    let is_of_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    let end = rest.find(|c: char| !is_of_version(c)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::facts::Ecosystem;

    fn bump(package: &str, from: &str, to: &str, file: &str) -> BumpRecord {
        BumpRecord {
            ecosystem: Ecosystem::Npm,
            package: package.to_owned(),
            from: (!from.is_empty()).then(|| from.to_owned()),
            to: to.to_owned(),
            file: file.to_owned(),
        }
    }

    #[test]
    fn the_same_move_is_one_trial_wherever_it_stands_and_however_it_is_written() {
        let wanted = "CVE-2021-1 npm/x 1.2.3 -> 1.2.4";
        for bumps in [
            vec![bump("x", "1.2.3", "1.2.4", "package-lock.json")],
            vec![bump("x", "^1.2.3", "^1.2.4", "package.json")],
            vec![bump("x", "v1.2.3", ">=1.2.4, <2", "other/package.json")],
            vec![
                bump("x", "~1.0.0", "^1.2.4", "package.json"),
                bump("x", "1.2.3", "1.2.4", "package-lock.json"),
            ],
        ] {
            assert_eq!(of_bump("CVE-2021-1", &bumps), wanted);
        }
    }

    #[test]
    fn another_cve_package_or_version_is_another_trial() {
        let of = |cve: &str, package: &str, from: &str, to: &str| {
            of_bump(cve, &[bump(package, from, to, "package.json")])
        };
        let all = [
            of("CVE-2021-1", "x", "1.2.3", "1.2.4"),
            of("CVE-2021-2", "x", "1.2.3", "1.2.4"),
            of("CVE-2021-1", "y", "1.2.3", "1.2.4"),
            of("CVE-2021-1", "x", "1.2.2", "1.2.4"),
            of("CVE-2021-1", "x", "1.2.3", "1.2.5"),
            of("CVE-2021-1", "x", "1.2.3", "1.2.4-rc.1"),
            of("CVE-2021-1", "x", "", "1.2.4"),
            of("CVE-2021-1", "x", "*", "1.2.4"),
            of_code("CVE-2021-1", &"ab".repeat(32)),
            of_code("CVE-2021-1", &"ac".repeat(32)),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }

    #[test]
    fn a_name_that_is_too_long_is_told_by_its_digest() {
        let long = |n: usize| of_bump("CVE-2021-1", &[bump("x", "1", &"1".repeat(n), "f")]);
        for n in [1, 90, 91, 200, 5_000] {
            assert!(long(n).len() <= MAX_TRIAL_BYTES, "{}", long(n));
            assert!(long(n).starts_with("CVE-2021-1 "));
        }
        assert_ne!(long(200), long(201));
    }
}
