//! What follows from the facts, whatever the file.

use super::*;

fn requirement(from: &str, to: &str) -> String {
    format!("-django{from}\n+django{to}")
}

#[test]
fn a_bump_to_the_fix_remedies_and_says_which_fix_it_reaches() {
    let assessment = judged(
        &diff_of(&[("requirements.txt", &requirement("==3.2.11", "==3.2.12"))]),
        &django(),
    );
    let Assessment::Remedies(remedies) = assessment else {
        panic!("{assessment:?}");
    };
    let bump = &remedies.bumps[0];
    assert_eq!(remedies.level, Level::Patch);
    assert_eq!(
        (bump.from.as_str(), bump.to.as_str()),
        ("==3.2.11", "==3.2.12")
    );
    assert_eq!(bump.reaches_fix.as_deref(), Some("3.2.12"));
    assert_eq!(bump.from_affected, Some(true));
    assert_eq!(bump.package, "django");
}

#[test]
fn a_fix_of_one_release_line_is_no_fix_of_another() {
    let table = [
        ("==3.2.11", "==3.2.12", "remedies"),
        ("==2.2.1", "==2.2.27", "remedies"),
        ("==3.2.1", "==4.0.1", "inside_affected"),
        ("==3.2.10", "==3.2.11", "inside_affected"),
        ("==1.0", "==1.1", "not_affected_below_fix"),
        ("==3.2.11", "==3.2.12rc1", "inside_affected"),
        ("==4.0.3", "==3.2.12", "downgrade"),
        ("==4.0.3", "==4.0.4", "nothing_affected_moves"),
        ("==3.2.11", "==3.2.12+evil", "requirement_not_understood"),
    ];
    for (from, to, expected) in table {
        assert_eq!(
            code("requirements.txt", &requirement(from, to), &django()),
            expected,
            "{from} {to}"
        );
    }
}

#[test]
fn what_a_range_admits_above_the_fix_counts() {
    let table = [
        ("~=3.2.11", "~=3.2.12", "remedies"),
        (">=3.2.11,<4", ">=3.2.12,<4", "remedies"),
        (">=4.0.1", ">=4.0.2", "remedies"),
        // Open-ended, and a later release line is affected too.
        (">=3.2.11", ">=3.2.12", "admits_affected"),
        (">=3.2.11", ">=3.2.12,!=4.0.1", "admits_affected"),
        // Nothing bounds it below.
        ("==3.2.11", "", "below_every_fix"),
        ("==3.2.11", "<5", "below_every_fix"),
        ("", "<5", "below_every_fix"),
        ("", "==3.2.12", "remedies"),
        ("==3.2.11", ">3.2.11", "version_unmoved"),
    ];
    for (from, to, expected) in table {
        assert_eq!(
            code("requirements.txt", &requirement(from, to), &django()),
            expected,
            "{from} {to}"
        );
    }
}

#[test]
fn without_facts_that_settle_it_a_person_must_look() {
    let table = [
        (">=0", "", "no_fix_known"),
        ("", "", "no_fix_known"),
        ("", "3.2.12", "nothing"),
        ("", "3.2.12;4.0.2", "ranges_unknown"),
        (">=0", "3.2.12", "inside_affected"),
        (">=0,<2019-09-12", "3.2.12", "facts_not_understood"),
        ("<3.2.12", "soon", "facts_not_understood"),
        ("<3.2.12;nonsense", "3.2.12", "facts_not_understood"),
    ];
    for (affected, fixed, expected) in table {
        let known = facts(vec![package(Ecosystem::PyPi, "Django", affected, fixed)]);
        let found = code(
            "requirements.txt",
            &requirement("==3.2.11", "==3.2.12"),
            &known,
        );
        let expected = if expected == "nothing" {
            "remedies"
        } else {
            expected
        };
        assert_eq!(found, expected, "{affected} {fixed}");
    }
}

#[test]
fn without_ranges_a_bump_from_above_the_fix_remedies_nothing() {
    let known = facts(vec![package(Ecosystem::PyPi, "django", "", "3.2.12")]);
    let lines = requirement("==3.2.12", "==3.2.13");
    assert_eq!(
        code("requirements.txt", &lines, &known),
        "nothing_affected_moves"
    );
}

#[test]
fn the_last_affected_version_counts_as_affected() {
    let mut known = package(Ecosystem::PyPi, "django", "<3.0", "3.0");
    known.last_affected = Some("3.2.12".into());
    assert_eq!(
        code(
            "requirements.txt",
            &requirement("==3.2.11", "==3.2.12"),
            &facts(vec![known])
        ),
        "inside_affected"
    );
}

#[test]
fn two_records_of_one_package_under_two_spellings_both_count() {
    let known = facts(vec![
        package(Ecosystem::PyPi, "PyYAML", "<5.3.1", "5.3.1"),
        package(Ecosystem::PyPi, "pyyaml", "<5.4", "5.4"),
    ]);
    assert_eq!(
        code("requirements.txt", "-PyYAML==5.3\n+PyYAML==5.3.1", &known),
        "inside_affected"
    );
    assert_eq!(
        code("requirements.txt", "-PyYAML==5.3\n+PyYAML==5.4", &known),
        "remedies"
    );
}

#[test]
fn every_bumped_package_must_reach_its_fix() {
    let known = facts(vec![
        package(Ecosystem::PyPi, "zope", "<5.2", "5.2"),
        package(Ecosystem::PyPi, "accesscontrol", "<4.3", "4.3"),
    ]);
    let both = |zope: &str, access: &str| {
        format!("-Zope==5.1\n-AccessControl==4.2\n+Zope=={zope}\n+AccessControl=={access}")
    };
    assert_eq!(
        code("requirements.txt", &both("5.2", "4.3"), &known),
        "remedies"
    );
    assert_eq!(
        code("requirements.txt", &both("5.2", "4.2.1"), &known),
        "inside_affected"
    );
    assert_eq!(
        level("requirements.txt", &both("6.0", "4.3"), &known),
        Level::Major
    );
}

#[test]
fn the_ecosystem_of_the_file_decides_whose_package_it_is() {
    let known = facts(vec![package(Ecosystem::Npm, "django", "<3.2.12", "3.2.12")]);
    assert_eq!(
        code(
            "requirements.txt",
            &requirement("==3.2.11", "==3.2.12"),
            &known
        ),
        "other_package"
    );
    assert_eq!(
        code(
            "requirements.txt",
            &requirement("==3.2.11", "==3.2.12"),
            &facts(vec![])
        ),
        "other_package"
    );
}

#[test]
fn manifest_and_lock_must_both_reach_the_fix() {
    let lock = |to: &str| {
        format!(
            " [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"{to}\"\n description = \"d\"\n files = [\n\
             -    {{file = \"Django-3.2.11.tar.gz\", hash = \"sha256:{}\"}},\n+    {{file = \"Django-{to}.tar.gz\", hash = \"sha256:{}\"}},\n ]\n",
            "a".repeat(64),
            "b".repeat(64)
        )
    };
    let manifest = " [tool.poetry.dependencies]\n-django = \"^3.2.11\"\n+django = \"^3.2.12\"";
    let both = |to: &str| {
        let lock = lock(to);
        judged(
            &diff_of(&[("pyproject.toml", manifest), ("poetry.lock", &lock)]),
            &django(),
        )
        .code()
    };
    assert_eq!(both("3.2.12"), "remedies");
    assert_eq!(both("3.2.11.1"), "inside_affected");
}

#[test]
fn an_assessment_survives_serialisation() {
    let assessment = judged(
        &diff_of(&[("requirements.txt", &requirement("==3.2.11", "==3.2.12"))]),
        &django(),
    );
    let json = serde_json::to_value(&assessment).unwrap();
    assert_eq!(json["assessment"], "remedies");
    assert_eq!(json["level"], "patch");
    assert_eq!(
        serde_json::from_value::<Assessment>(json).unwrap(),
        assessment
    );
}
