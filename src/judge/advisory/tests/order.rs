//! Pre-releases, releases below a fix, ways down, and versions that a path does not take.

use super::*;

/// The place of a version in each ecosystem, and how a pre-release is written there.
const PLACES: [(&str, Ecosystem, &str, &str, &str); 5] = [
    (
        "package.json",
        Ecosystem::Npm,
        "p",
        " \"dependencies\": {\n-  \"p\": \"{a}\"\n+  \"p\": \"{b}\"\n }",
        "-rc.1",
    ),
    (
        "Cargo.toml",
        Ecosystem::CratesIo,
        "p",
        " [dependencies]\n-p = \"={a}\"\n+p = \"={b}\"",
        "-rc.1",
    ),
    (
        "requirements.txt",
        Ecosystem::PyPi,
        "p",
        "-p=={a}\n+p=={b}",
        "rc1",
    ),
    (
        "go.mod",
        Ecosystem::Go,
        "x.y/p",
        "-require x.y/p v{a}\n+require x.y/p v{b}",
        "-rc.1",
    ),
    (
        "gradle.lockfile",
        Ecosystem::Maven,
        "g:p",
        "-g:p:{a}=c\n+g:p:{b}=c",
        ".Beta8",
    ),
];

fn codes(affected: &str, fixed: &str, from: &str, to: &str) -> Vec<&'static str> {
    let codes = PLACES.iter().map(|(path, ecosystem, name, lines, pre)| {
        let known = facts(vec![package(*ecosystem, name, affected, fixed)]);
        let to = to.replace("{pre}", pre);
        code(
            path,
            &lines.replace("{a}", from).replace("{b}", &to),
            &known,
        )
    });
    codes.collect()
}

#[test]
fn a_pre_release_of_the_release_that_brought_the_flaw_holds_it() {
    let (affected, fixed) = (">=1.0.0,<1.0.4;>=1.4.0,<1.4.6", "1.0.4;1.4.6");
    assert_eq!(
        codes(affected, fixed, "1.0.3", "1.4.0{pre}"),
        ["inside_affected"; 5]
    );
    assert_eq!(
        codes(affected, fixed, "1.0.3", "1.4.6{pre}"),
        ["inside_affected"; 5]
    );
    for good in ["1.0.4", "1.1.0", "1.3.9{pre}", "1.4.6"] {
        assert_eq!(
            codes(affected, fixed, "1.0.3", good),
            ["remedies"; 5],
            "{good}"
        );
    }
}

#[test]
fn a_pre_release_of_a_fix_is_none_where_ranges_end_before_it() {
    let (affected, fixed) = (">=1.0.0,<=1.0.3;>=1.4.0,<=1.4.5", "1.0.4;1.4.6");
    assert_eq!(
        codes(affected, fixed, "1.0.3", "1.4.6{pre}"),
        ["pre_release_of_fix"; 5]
    );
    assert_eq!(codes(affected, fixed, "1.0.3", "1.4.6"), ["remedies"; 5]);
    // Unless the fix is itself one of them.
    let known = facts(vec![package(
        Ecosystem::Npm,
        "p",
        "<2.0.0-rc.2",
        "2.0.0-rc.2;2.0.0",
    )]);
    let lines = PLACES[0]
        .3
        .replace("{a}", "1.0.0")
        .replace("{b}", "2.0.0-rc.3");
    assert_eq!(code("package.json", &lines, &known), "remedies");
}

#[test]
fn an_upper_bound_of_npm_and_cargo_does_not_reach_into_pre_releases() {
    let known = |ecosystem| {
        facts(vec![package(
            ecosystem,
            "p",
            "<1.0.4;>=2.0.0,<2.0.3",
            "1.0.4;2.0.3",
        )])
    };
    let npm =
        " \"dependencies\": {\n-  \"p\": \">=1.0.3 <2.0.0\"\n+  \"p\": \">=1.0.4 <2.0.0\"\n }";
    assert_eq!(
        code("package.json", npm, &known(Ecosystem::Npm)),
        "remedies"
    );
    let cargo = " [dependencies]\n-p = \">=1.0.3, <2.0.0\"\n+p = \">=1.0.4, <2.0.0\"";
    assert_eq!(
        code("Cargo.toml", cargo, &known(Ecosystem::CratesIo)),
        "remedies"
    );
    let beyond = npm.replace("<2.0.0", "<2.0.1");
    assert_eq!(
        code("package.json", &beyond, &known(Ecosystem::Npm)),
        "admits_affected"
    );
}

#[test]
fn a_post_release_of_the_fix_holds_it() {
    let known = facts(vec![package(Ecosystem::PyPi, "keras", "<3.11.3", "3.11.3")]);
    for (to, expected) in [
        ("3.11.3", "remedies"),
        ("3.11.3.post1", "remedies"),
        ("3.11.3-1", "remedies"),
        ("3.11.3rc1", "inside_affected"),
        ("3.11.3.dev2", "inside_affected"),
    ] {
        let lines = format!("-keras==3.11.2\n+keras=={to}");
        assert_eq!(code("requirements.txt", &lines, &known), expected, "{to}");
    }
}

#[test]
fn a_version_that_no_range_holds_is_not_refuted_for_being_low() {
    // The one release that was made by somebody else is left downwards.
    assert_eq!(
        codes("1.4.2", "1.4.3", "1.4.2", "1.4.1"),
        ["not_affected_below_fix"; 5]
    );
    assert_eq!(codes("1.4.2", "1.4.3", "1.4.2", "1.4.3"), ["remedies"; 5]);
    assert_eq!(
        codes(">=1.4.0,<1.4.6", "1.4.6", "1.4.1", "1.3.9"),
        ["not_affected_below_fix"; 5]
    );
    // Down to the fix of an older line, from what is affected and from what is not.
    let (affected, fixed) = ("<1.0.4;>=1.4.0,<1.4.6", "1.0.4;1.4.6");
    assert_eq!(codes(affected, fixed, "1.4.1", "1.0.4"), ["moves_down"; 5]);
    assert_eq!(codes(affected, fixed, "1.4.7", "1.0.4"), ["downgrade"; 5]);
    // Without ranges everything below the fix is affected.
    assert_eq!(codes("", "1.4.3", "1.4.1", "1.4.2"), ["below_every_fix"; 5]);
}

#[test]
fn a_go_version_is_one_that_its_path_takes() {
    let known = |name: &str| facts(vec![package(Ecosystem::Go, name, "<3.0.1", "3.0.1")]);
    let bump = |name: &str, to: &str| {
        let lines = format!(" require (\n-\t{name} v3.0.0+incompatible\n+\t{name} {to}\n )");
        code("go.mod", &lines, &known(name))
    };
    assert_eq!(bump("x.y/z", "v3.0.1+incompatible"), "remedies");
    assert_eq!(bump("x.y/z", "v3.0.1"), "version_not_of_path");
    let suffixed = |to: &str| {
        let lines = format!(" require (\n-\tx.y/z/v3 v3.0.0\n+\tx.y/z/v3 {to}\n )");
        code("go.mod", &lines, &known("x.y/z/v3"))
    };
    assert_eq!(suffixed("v3.0.1"), "remedies");
    assert_eq!(suffixed("v4.0.0"), "version_not_of_path");
    assert_eq!(suffixed("v3.0.1+incompatible"), "version_not_of_path");
}

#[test]
fn a_package_whose_record_was_withdrawn_is_named_by_nobody() {
    let mut known = django();
    let lines = "-django==3.2.11\n+django==3.2.12";
    assert_eq!(code("requirements.txt", lines, &known), "remedies");
    known.packages[0].withdrawn = true;
    assert_eq!(code("requirements.txt", lines, &known), "other_package");
}
