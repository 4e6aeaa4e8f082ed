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

/// Whether the line names the package, as a word of its own or as a part of a longer one: a path, a key
/// with a range, a property, an alias.
///
/// Never falsely `false` for a name that stands there as its ecosystem spells it. A name within a longer
/// name (`lodash` in `lodash-es`, in `@types/lodash`) is another package's.
pub(super) fn mentions(ecosystem: Ecosystem, line: &str, name: &str) -> bool {
    let name = match ecosystem {
        Ecosystem::Maven => name.rsplit_once(':').map_or(name, |(_, artifact)| artifact),
        _ => name,
    };
    let (line, name) = (line.as_bytes(), name.as_bytes());
    let Some(first) = name.first().copied() else {
        return false;
    };
    if line.len() < name.len() {
        return false;
    }
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), line).any(|at| {
        starts_word(ecosystem, line.get(..at).unwrap_or_default())
            && length_at(ecosystem, line.get(at..).unwrap_or_default(), name).is_some_and(
                |length| ends_word(ecosystem, line.get(at + length..).unwrap_or_default()),
            )
    })
}

/// Whether a name may begin behind `before`.
fn starts_word(ecosystem: Ecosystem, before: &[u8]) -> bool {
    let Some(last) = before.last() else {
        return true;
    };
    match last {
        b'/' if ecosystem == Ecosystem::Go => false,
        b'/' if ecosystem == Ecosystem::Npm => {
            // `@types/lodash` is not `lodash`, but `**/lodash` is.
            let parent = before
                .iter()
                .rev()
                .skip(1)
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.~@".contains(byte));
            parent.last() != Some(&b'@')
        }
        b'-' | b'_' => false,
        b'.' => ecosystem != Ecosystem::Go,
        other => !other.is_ascii_alphanumeric(),
    }
}

/// Whether a name may end before `after`.
fn ends_word(ecosystem: Ecosystem, after: &[u8]) -> bool {
    match after {
        [] => true,
        [b'.', next, ..] => match ecosystem {
            Ecosystem::CratesIo | Ecosystem::Maven => true,
            // A key of a table, and not a part of the name or of a file's.
            Ecosystem::PyPi => FIELDS.iter().any(|field| {
                after
                    .get(1..)
                    .is_some_and(|rest| rest.starts_with(field.as_bytes()))
            }),
            _ => !next.is_ascii_alphanumeric(),
        },
        [b'/', ..] => ecosystem != Ecosystem::Go,
        [byte, ..] => !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'),
    }
}

/// Keys of a dependency that stand behind its name and a dot.
pub(super) const FIELDS: [&str; 10] = [
    "version",
    "git",
    "path",
    "url",
    "source",
    "index",
    "file",
    "workspace",
    "package",
    "registry",
];

/// Returns how much of the line spells the name, from its start on.
fn length_at(ecosystem: Ecosystem, line: &[u8], name: &[u8]) -> Option<usize> {
    match ecosystem {
        Ecosystem::PyPi => {
            let separator = |byte: &u8| matches!(byte, b'-' | b'_' | b'.');
            let run = |text: &[u8]| text.iter().take_while(|byte| separator(byte)).count();
            let (mut at, mut rest) = (0, name);
            while let Some(byte) = rest.first() {
                let left = line.get(at..)?;
                if separator(byte) {
                    at += run(left).checked_sub(1)? + 1;
                    rest = rest.get(run(rest)..)?;
                } else {
                    if !left.first()?.eq_ignore_ascii_case(byte) {
                        return None;
                    }
                    (at, rest) = (at + 1, rest.get(1..)?);
                }
            }
            Some(at)
        }
        Ecosystem::CratesIo => line
            .get(..name.len())?
            .iter()
            .zip(name)
            .all(|(left, right)| crate_byte(*left) == crate_byte(*right))
            .then_some(name.len()),
        _ => line.starts_with(name).then_some(name.len()),
    }
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
    use super::{mentions, same, same_parts};
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
    fn a_name_is_found_in_longer_keys_and_not_in_longer_names() {
        let named = [
            (Ecosystem::Npm, "\"**/lodash\": \"1\"", "lodash"),
            (Ecosystem::Npm, "\"a>lodash@^4\": \"1\"", "lodash"),
            (Ecosystem::Npm, "\"x\": \"npm:lodash@1\"", "lodash"),
            (Ecosystem::Npm, "\"@s/a/lodash\": \"1\"", "lodash"),
            (Ecosystem::Npm, "\"**/@a/b\": \"1\"", "@a/b"),
            (Ecosystem::PyPi, "override = [\"My_Pkg==1\"]", "my-pkg"),
            (Ecosystem::PyPi, "Django.version = \"3\"", "django"),
            (Ecosystem::CratesIo, "time.version = \"0.1\"", "time"),
            (Ecosystem::CratesIo, "x = { package = \"a_b\" }", "a-b"),
            (Ecosystem::Go, "exclude x.y/z v1.0.0", "x.y/z"),
            (Ecosystem::Maven, "<core.version>1</core.version>", "g:core"),
        ];
        for (ecosystem, line, name) in named {
            assert!(mentions(ecosystem, line, name), "{line}");
        }
        let others = [
            (Ecosystem::Npm, "\"lodash-es\": \"1\"", "lodash"),
            (Ecosystem::Npm, "\"lodash.merge\": \"1\"", "lodash"),
            (Ecosystem::Npm, "\"@types/lodash\": \"1\"", "lodash"),
            (Ecosystem::PyPi, "django-filter==1", "django"),
            (Ecosystem::PyPi, "X = \"django.conf\"", "django"),
            (Ecosystem::CratesIo, "serde_time = \"1\"", "time"),
            (Ecosystem::Go, "x.y/z/v2 v2.0.0", "x.y/z"),
            (Ecosystem::Go, "a.b/x.y/z v2.0.0", "x.y/z"),
            (
                Ecosystem::Maven,
                "<artifactId>core-x</artifactId>",
                "g:core",
            ),
        ];
        for (ecosystem, line, name) in others {
            assert!(!mentions(ecosystem, line, name), "{line}");
        }
    }

    #[test]
    fn look_alike_letters_are_other_packages() {
        // The second has a Cyrillic o.
        assert!(!same(Ecosystem::PyPi, "django", "djang\u{43e}"));
        assert!(!same(Ecosystem::Npm, "lodash", "l\u{43e}dash"));
    }
}
