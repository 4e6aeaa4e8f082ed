//! When two spellings name one package.

use crate::event::facts::Ecosystem;

/// Whether two names mean one package of the ecosystem.
///
/// PyPI: PEP 503, case and runs of `-`, `_`, `.` do not matter. crates.io: `-` and `_` are one, case
/// is not distinguished. npm, Go and Maven: byte for byte.
pub fn same(ecosystem: Ecosystem, left: &str, right: &str) -> bool {
    match ecosystem {
        Ecosystem::PyPi => normalised(left).eq(normalised(right)),
        Ecosystem::CratesIo => left
            .bytes()
            .map(crate_byte)
            .eq(right.bytes().map(crate_byte)),
        _ => left == right,
    }
}

/// Whether `group:artifact`, or `artifact` alone where the group is empty, is the name in `whole`.
pub(super) fn same_parts(ecosystem: Ecosystem, group: &str, artifact: &str, whole: &str) -> bool {
    if group.is_empty() {
        return same(ecosystem, artifact, whole);
    }
    whole
        .split_once(':')
        .is_some_and(|(left, right)| left == group && right == artifact)
}

fn crate_byte(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

/// Returns a name of the Python index as all its spellings have it (PEP 503).
pub fn pypi_name(name: &str) -> String {
    String::from_utf8(normalised(name).collect()).unwrap_or_default()
}

fn normalised(name: &str) -> impl Iterator<Item = u8> {
    let mut after_separator = false;
    name.bytes().filter_map(move |byte| {
        let separator = matches!(byte, b'-' | b'_' | b'.');
        let repeated = separator && after_separator;
        after_separator = separator;
        match (repeated, separator) {
            (true, _) => None,
            (false, true) => Some(b'-'),
            (false, false) => Some(byte.to_ascii_lowercase()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{same, same_parts};
    use crate::event::facts::Ecosystem;

    #[test]
    fn pypi_names_are_normalised_as_pep_503_says() {
        // The examples of PEP 503 and the packaging guide.
        for name in [
            "friendly-bard",
            "Friendly-Bard",
            "FRIENDLY-BARD",
            "friendly.bard",
        ] {
            assert!(same(Ecosystem::PyPi, name, "friendly_bard"), "{name}");
        }
        assert!(same(Ecosystem::PyPi, "FrIeNdLy-._.-bArD", "friendly--bard"));
        assert!(!same(Ecosystem::PyPi, "friendlybard", "friendly-bard"));
    }

    #[test]
    fn other_names_are_exact_but_for_the_dash_of_crates() {
        assert!(same(Ecosystem::CratesIo, "serde_json", "serde-json"));
        assert!(!same(Ecosystem::Npm, "Lodash", "lodash"));
        assert!(!same(Ecosystem::Go, "github.com/a/b", "github.com/A/b"));
        assert!(same_parts(Ecosystem::Maven, "g.h", "a", "g.h:a"));
        assert!(!same_parts(Ecosystem::Maven, "g", "h:a", "g:ha"));
    }

    #[test]
    fn look_alike_letters_are_other_packages() {
        // The second has a Cyrillic o.
        assert!(!same(Ecosystem::PyPi, "django", "djang\u{43e}"));
        assert!(!same(Ecosystem::Npm, "lodash", "l\u{43e}dash"));
    }
}
