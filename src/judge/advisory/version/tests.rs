use std::cmp::Ordering;

use proptest::prelude::*;

use super::Version;
use crate::event::facts::Ecosystem;

fn version(ecosystem: Ecosystem, text: &str) -> Version {
    Version::parse(ecosystem, text).unwrap_or_else(|| panic!("{ecosystem} {text}"))
}

/// Asserts that each version is below all that follow.
fn ascending(ecosystem: Ecosystem, texts: &[&str]) {
    for (index, low) in texts.iter().enumerate() {
        for high in &texts[index + 1..] {
            let (low, high) = (version(ecosystem, low), version(ecosystem, high));
            assert_eq!(low.cmp(&high), Ordering::Less, "{low:?} {high:?}");
            assert_eq!(high.cmp(&low), Ordering::Greater, "{low:?} {high:?}");
        }
    }
}

fn equal(ecosystem: Ecosystem, texts: &[&str]) {
    for pair in texts.windows(2) {
        assert_eq!(
            version(ecosystem, pair[0]),
            version(ecosystem, pair[1]),
            "{pair:?}"
        );
    }
}

#[test]
fn npm_and_crates_follow_the_vector_of_semver() {
    // semver.org 2.0.0, item 11.
    let vector = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "2.0.0",
        "2.1.0",
        "2.1.1",
    ];
    ascending(Ecosystem::Npm, &vector);
    ascending(Ecosystem::CratesIo, &vector);
    equal(Ecosystem::Npm, &["1.0.0", "1.0.0+20130313144700", "v1.0.0"]);
    equal(Ecosystem::CratesIo, &["1.0.0", "1.0.0+20130313144700"]);
}

#[test]
fn pypi_follows_the_vector_of_pep_440() {
    // PEP 440, "Summary of permitted suffixes and relative ordering", and the version epoch.
    ascending(
        Ecosystem::PyPi,
        &[
            "1.dev0",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.15",
            "1.1.dev1",
            "1!0.1",
        ],
    );
    equal(
        Ecosystem::PyPi,
        &["1.0rc1", "1.0-c1", "1.0RC1", "1.0.0rc1", "v1.0-pre1"],
    );
}

#[test]
fn go_follows_the_order_of_its_modules_reference() {
    // go.dev/ref/mod: pseudo-versions sort after the tag they are based on and before the next.
    ascending(
        Ecosystem::Go,
        &[
            "v0.0.0-20191109021931-daa7c04131f5",
            "v1.2.2",
            "v1.2.3-0.20191109021931-daa7c04131f5",
            "v1.2.3-pre",
            "v1.2.3-pre.0.20191109021931-daa7c04131f5",
            "v1.2.3",
            "v1.10.0",
            "v2.0.0+incompatible",
        ],
    );
    equal(Ecosystem::Go, &["v2.0.0", "v2.0.0+incompatible"]);
    assert!(version(Ecosystem::Go, "v1.2.3-0.20191109021931-daa7c04131f5").is_commit());
    assert!(version(Ecosystem::Go, "v0.0.0-20191109021931-daa7c04131f5").is_commit());
    assert!(!version(Ecosystem::Go, "v1.2.3-rc.1").is_commit());
}

#[test]
fn maven_follows_the_examples_of_its_specification() {
    // maven.apache.org/pom.html, "Version Order Specification", and the javadoc of ComparableVersion.
    ascending(
        Ecosystem::Maven,
        &[
            "1-alpha2snapshot",
            "1-alpha2",
            "1-alpha-123",
            "1-beta-2",
            "1-beta123",
            "1-m2",
            "1-m11",
            "1-rc",
            "1-cr2",
            "1-rc123",
            "1-SNAPSHOT",
            "1",
            "1-sp",
            "1-sp2",
            "1-sp123",
            "1-abc",
            "1-def",
            "1-pom-1",
            "1-1-snapshot",
            "1-1",
            "1-2",
            "1-123",
        ],
    );
    ascending(
        Ecosystem::Maven,
        &[
            "2.0", "2.0.a", "2-1", "2.0.2", "2.0.123", "2.1.0", "2.1-a", "2.1b", "2.1-c", "2.1-1",
            "2.1.0.1", "2.2", "2.123", "11",
        ],
    );
    equal(
        Ecosystem::Maven,
        &[
            "1",
            "1.0",
            "1.0.0",
            "1-ga",
            "1.final",
            "1.0-0",
            "1-RELEASE",
            "01",
        ],
    );
    equal(Ecosystem::Maven, &["1a1", "1-alpha-1", "1.0alpha1"]);
    equal(Ecosystem::Maven, &["1.0-cr1", "1-RC1"]);
    // Longer than any integer.
    ascending(
        Ecosystem::Maven,
        &["20190126.230843", "99999999999999999999999999"],
    );
}

#[test]
fn maven_orders_real_releases_as_their_projects_do() {
    ascending(
        Ecosystem::Maven,
        &[
            "2.0-beta9",
            "2.0-rc1",
            "2.0",
            "2.3.1",
            "2.14.0",
            "2.15.0-rc1",
            "2.15.0",
            "2.17.1",
        ],
    );
    ascending(
        Ecosystem::Maven,
        &[
            "4.1.0.Beta1",
            "4.1.0.CR1",
            "4.1.0.Final",
            "4.1.1.Final",
            "4.1.100.Final",
        ],
    );
    ascending(
        Ecosystem::Maven,
        &["30.0-jre", "31.0-jre", "31.1-android", "31.1-jre"],
    );
}

#[test]
fn short_versions_of_advisories_are_filled_with_zeros_and_locked_ones_are_not() {
    for ecosystem in [Ecosystem::Npm, Ecosystem::CratesIo, Ecosystem::Go] {
        let full = Version::parse_fact(ecosystem, "10.3.0").unwrap();
        assert_eq!(Version::parse_fact(ecosystem, "10.3"), Some(full));
        assert_eq!(Version::parse(ecosystem, "10.3"), None);
    }
    assert_eq!(Version::parse(Ecosystem::Go, "1.2.3"), None);
    assert!(Version::parse_fact(Ecosystem::Go, "v1.2.3").is_some());
}

#[test]
fn what_is_no_version_is_none() {
    for ecosystem in [
        Ecosystem::Npm,
        Ecosystem::PyPi,
        Ecosystem::CratesIo,
        Ecosystem::Go,
        Ecosystem::Maven,
    ] {
        for text in [
            "",
            " ",
            "latest ",
            "1.0.0\n",
            "1.0/2",
            "\u{661}.0.0",
            "-1",
            "^1.0.0",
            "${v}",
        ] {
            assert_eq!(
                Version::parse(ecosystem, text),
                None,
                "{ecosystem} {text:?}"
            );
        }
        assert_eq!(Version::parse(ecosystem, &"1.".repeat(5_000)), None);
    }
}

fn spelled(ecosystem: Ecosystem) -> BoxedStrategy<String> {
    let numbers = proptest::collection::vec(0_u64..4, 3);
    let semver_tail =
        proptest::sample::select(vec!["", "-0", "-alpha", "-alpha.1", "-rc.1", "-1.2", "+x"]);
    match ecosystem {
        Ecosystem::PyPi => (proptest::collection::vec(0_u64..3, 1..4), 0_usize..7)
            .prop_map(|(numbers, tail)| {
                let tails = ["", "a1", "rc1", ".post1", ".dev1", "rc1.dev2", "+l"];
                format!("{}{}", joined(&numbers), tails[tail])
            })
            .boxed(),
        Ecosystem::Maven => (
            proptest::collection::vec(0_u64..3, 1..4),
            proptest::sample::select(vec![
                "",
                "-alpha-1",
                "-rc1",
                "-SNAPSHOT",
                ".Final",
                "-sp",
                "-jre",
                "-1",
                "b2",
                "-1-rc",
            ]),
        )
            .prop_map(|(numbers, tail)| format!("{}{tail}", joined(&numbers)))
            .boxed(),
        Ecosystem::Go => (numbers, semver_tail)
            .prop_map(|(numbers, tail)| format!("v{}{tail}", joined(&numbers)))
            .boxed(),
        _ => (numbers, semver_tail)
            .prop_map(|(numbers, tail)| format!("{}{tail}", joined(&numbers)))
            .boxed(),
    }
}

fn joined(numbers: &[u64]) -> String {
    numbers
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(".")
}

fn triple() -> impl Strategy<Value = (Ecosystem, String, String, String)> {
    proptest::sample::select(vec![
        Ecosystem::Npm,
        Ecosystem::PyPi,
        Ecosystem::CratesIo,
        Ecosystem::Go,
        Ecosystem::Maven,
    ])
    .prop_flat_map(|ecosystem| {
        let one = || spelled(ecosystem);
        (Just(ecosystem), one(), one(), one())
    })
}

proptest! {
    #[test]
    fn the_order_is_total_and_transitive((ecosystem, one, two, three) in triple()) {
        let (a, b, c) = (version(ecosystem, &one), version(ecosystem, &two), version(ecosystem, &three));
        prop_assert_eq!(a.cmp(&a), Ordering::Equal);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c, "{} {} {}", one, two, three);
        }
    }

    #[test]
    fn any_text_parses_or_does_not_but_never_panics(text in "[ -~\\n\u{0}-\u{ff}]{0,40}") {
        for ecosystem in [Ecosystem::Npm, Ecosystem::PyPi, Ecosystem::CratesIo, Ecosystem::Go, Ecosystem::Maven, Ecosystem::Other] {
            if let (Some(a), Some(b)) = (Version::parse(ecosystem, &text), Version::parse_fact(ecosystem, &text)) {
                prop_assert_eq!(a.numbers(), b.numbers());
            }
        }
    }
}
