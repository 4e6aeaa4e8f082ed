use proptest::prelude::*;

use super::{Syntax, Unread, admitted};
use crate::event::facts::Ecosystem;
use crate::judge::advisory::version::Version;

/// Whether the requirement admits the version; panics if it is not understood.
fn admits(ecosystem: Ecosystem, syntax: Syntax, text: &str, version: &str) -> bool {
    let version = Version::parse(ecosystem, version).unwrap();
    admitted(ecosystem, syntax, text)
        .unwrap_or_else(|unread| panic!("{text}: {unread:?}"))
        .intervals()
        .any(|interval| interval.contains(&version))
}

fn check(ecosystem: Ecosystem, syntax: Syntax, table: &[(&str, &[&str], &[&str])]) {
    for (text, inside, outside) in table {
        for version in *inside {
            assert!(
                admits(ecosystem, syntax, text, version),
                "{text} admits {version}"
            );
        }
        for version in *outside {
            assert!(
                !admits(ecosystem, syntax, text, version),
                "{text} does not admit {version}"
            );
        }
    }
}

#[test]
fn npm_ranges_mean_what_node_semver_documents() {
    check(
        Ecosystem::Npm,
        Syntax::Npm,
        &[
            ("1.2.3", &["1.2.3"], &["1.2.4", "1.2.2"]),
            ("v1.2.3", &["1.2.3"], &["1.2.4"]),
            (
                "^1.2.3",
                &["1.2.3", "1.99.0"],
                &["1.2.2", "2.0.0", "2.0.0-alpha"],
            ),
            ("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0"]),
            ("^0.0.3", &["0.0.3"], &["0.0.4"]),
            ("^1.x", &["1.0.0", "1.9.9"], &["2.0.0"]),
            ("^0", &["0.9.0"], &["1.0.0"]),
            ("~1.2.3", &["1.2.9"], &["1.3.0"]),
            ("~1", &["1.9.0"], &["2.0.0"]),
            ("1.2", &["1.2.0", "1.2.7"], &["1.3.0"]),
            ("1.*", &["1.0.0", "1.9.0"], &["2.0.0"]),
            ("*", &["0.0.0", "9.0.0"], &[]),
            ("", &["0.0.0", "9.0.0"], &[]),
            (">=1.2.3 <2", &["1.2.3", "1.9.0"], &["2.0.0", "1.2.2"]),
            (">= 1.2.3 < 2.0.0", &["1.5.0"], &["2.0.0"]),
            (">1.2", &["1.3.0"], &["1.2.9"]),
            ("<=1.2", &["1.2.9"], &["1.3.0"]),
            ("1.2.3 - 2.3", &["1.2.3", "2.3.9"], &["2.4.0", "1.2.2"]),
            ("1.2.3 || ^2.0.0", &["1.2.3", "2.5.0"], &["1.2.4", "3.0.0"]),
        ],
    );
}

#[test]
fn cargo_requirements_mean_what_the_cargo_book_documents() {
    check(
        Ecosystem::CratesIo,
        Syntax::Cargo,
        &[
            ("1.2.3", &["1.2.3", "1.9.0"], &["2.0.0", "1.2.2"]),
            ("0.2.3", &["0.2.3", "0.2.9"], &["0.3.0"]),
            ("0.0", &["0.0.9"], &["0.1.0"]),
            ("1", &["1.0.0", "1.9.0"], &["2.0.0"]),
            ("=1.2.3", &["1.2.3"], &["1.2.4"]),
            ("=1.2", &["1.2.9"], &["1.3.0"]),
            ("~1.2.3", &["1.2.9"], &["1.3.0"]),
            ("1.*", &["1.0.0"], &["2.0.0"]),
            (">=1.2, <1.5", &["1.2.0", "1.4.9"], &["1.5.0"]),
            ("*", &["9.0.0"], &[]),
        ],
    );
}

#[test]
fn pip_specifiers_mean_what_pep_440_documents() {
    check(
        Ecosystem::PyPi,
        Syntax::Pip,
        &[
            (
                "==3.2.12",
                &["3.2.12", "3.2.12.0"],
                &["3.2.13", "3.2.12.post1"],
            ),
            ("===3.2.12", &["3.2.12"], &["3.2.13"]),
            ("==3.2.*", &["3.2", "3.2.99", "3.2a1"], &["3.3", "3.3.dev1"]),
            ("~=2.2", &["2.2", "2.99"], &["3.0", "3.0a1"]),
            ("~=2.2.post3", &["2.2.post3", "2.3"], &["2.2", "3.0"]),
            ("~=1.4.5", &["1.4.5", "1.4.99"], &["1.5"]),
            (">=2.0,<3", &["2.0", "2.9"], &["3.0", "3.0rc1"]),
            (">=2.0, != 2.1", &["2.0", "3"], &["1.9"]),
            (">1.7", &["1.7.1"], &["1.7", "1.6"]),
            ("<=2", &["1", "2"], &["2.1"]),
            ("", &["0.1", "99"], &[]),
        ],
    );
}

#[test]
fn poetry_requirements_mean_what_its_manual_documents() {
    check(
        Ecosystem::PyPi,
        Syntax::Poetry,
        &[
            ("^1.2.3", &["1.2.3", "1.9"], &["2.0", "1.2.2"]),
            ("^0.2.3", &["0.2.9"], &["0.3"]),
            ("^0.0.3", &["0.0.3"], &["0.0.4"]),
            ("^0", &["0.9"], &["1.0"]),
            ("~1.2.3", &["1.2.9"], &["1.3"]),
            ("~1", &["1.9"], &["2.0"]),
            ("1.2.3", &["1.2.3"], &["1.2.4"]),
            ("3.2.*", &["3.2.9"], &["3.3"]),
            ("*", &["1"], &[]),
            ("^1.0 || ^3.0", &["1.5", "3.5"], &["2.5"]),
        ],
    );
}

#[test]
fn maven_ranges_mean_what_its_pom_reference_documents() {
    check(
        Ecosystem::Maven,
        Syntax::Maven,
        &[
            ("1.0", &["1.0"], &["1.1"]),
            ("[1.0]", &["1.0"], &["1.1"]),
            ("[1.2,1.3]", &["1.2", "1.3"], &["1.3.1"]),
            ("[1.0,2.0)", &["1.0", "1.9"], &["2.0"]),
            ("[1.5,)", &["1.5", "99"], &["1.4"]),
            ("(,1.0],[1.2,)", &["0.9", "1.0", "1.2"], &["1.1"]),
        ],
    );
}

#[test]
fn tags_local_versions_and_contradictions_are_not_understood() {
    let not = |ecosystem, syntax, text| {
        let read = admitted(ecosystem, syntax, text).map(|_| ());
        assert_eq!(read, Err(Unread::NotUnderstood), "{text}");
    };
    for text in [
        "latest",
        "1.2.3.4",
        "01.2.3",
        ">=2.0.0 <1.0.0",
        ">",
        "^",
        "1.2.3 -",
        "x.1",
    ] {
        not(Ecosystem::Npm, Syntax::Npm, text);
    }
    for text in [
        "3.2.12",
        "^3",
        "==3.2.12+evil",
        "==3,==4",
        "~=2",
        ">=3.*",
        "==",
        "=3.2",
    ] {
        not(Ecosystem::PyPi, Syntax::Pip, text);
    }
    for text in ["", "^", "1.2.3 <2", "1.2.3,"] {
        not(Ecosystem::CratesIo, Syntax::Cargo, text);
    }
    for text in [
        "LATEST",
        "RELEASE",
        "[1.0",
        "[1.0,2.0",
        "(1.0)",
        "[1.0][2.0]",
        "[2.0,1.0]",
    ] {
        let read = admitted(Ecosystem::Maven, Syntax::Maven, text);
        assert!(matches!(read, Err(Unread::NotUnderstood)), "{text}");
    }
    not(Ecosystem::Go, Syntax::Exact, "1.2.3");
}

#[test]
fn whatever_names_a_source_is_foreign() {
    for text in [
        "git+https://github.com/x/y.git#v1",
        "file:../x",
        "npm:evil@1.0.0",
        "workspace:*",
        "user/repo",
        "https://e/x.tgz",
        "${version}",
        "1.0.0\u{200b}",
        "\u{ff11}.0.0",
    ] {
        for syntax in [Syntax::Npm, Syntax::Exact, Syntax::Cargo] {
            assert!(
                matches!(admitted(Ecosystem::Npm, syntax, text), Err(Unread::Foreign)),
                "{text}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_gives_an_empty_interval(text in "[0-9a-z.*^~<>=!|, \\[\\]()+-]{0,24}") {
        let all = [
            (Ecosystem::Npm, Syntax::Npm), (Ecosystem::PyPi, Syntax::Pip), (Ecosystem::PyPi, Syntax::Poetry),
            (Ecosystem::CratesIo, Syntax::Cargo), (Ecosystem::Maven, Syntax::Maven), (Ecosystem::Go, Syntax::Exact),
        ];
        for (ecosystem, syntax) in all {
            if let Ok(found) = admitted(ecosystem, syntax, &text) {
                prop_assert!(found.intervals().all(|interval| !interval.is_empty()));
            }
        }
    }

    #[test]
    fn numbers_at_the_edge_of_u64_do_not_overflow(sign in "[\\^~<>=]{0,2}", tail in "(|\\.0|\\.\\*)") {
        let text = format!("{sign}{}{tail}", u64::MAX);
        let _ = admitted(Ecosystem::Npm, Syntax::Npm, &text);
        let _ = admitted(Ecosystem::CratesIo, Syntax::Cargo, &text);
        let _ = admitted(Ecosystem::PyPi, Syntax::Poetry, &text);
    }
}
