//! Claims about `go.mod`, `go.sum` and `pom.xml`.

use super::{code, facts, whole};
use crate::event::facts::{ApvFacts, Ecosystem};

fn text() -> ApvFacts {
    facts(&[(Ecosystem::Go, "golang.org/x/text", "v0.3.7")])
}

const MOD: &str = "module a.b/c\n\ngo 1.21\n\nrequire (\n\tgolang.org/x/net v0.1.0\n\tgolang.org/x/text v0.3.5 // indirect\n)\n";

#[test]
fn a_module_is_required_excluded_or_replaced() {
    let of = |text_before: &str| {
        code(
            "go.mod",
            text_before,
            &[("golang.org/x/text v0.3.5", "golang.org/x/text v0.3.7")],
            &text(),
        )
    };
    assert_eq!(of(MOD), "remedies");
    assert_eq!(
        of(&[MOD, "\nreplace golang.org/x/text => ../text\n"].concat()),
        "replaced"
    );
    assert_eq!(
        of(&[MOD, "\nreplace (\n\te.f/g => golang.org/x/text v0.3.5\n)\n"].concat()),
        "alias"
    );
    assert_eq!(
        of(&[MOD, "\nexclude golang.org/x/text v0.3.7\n"].concat()),
        "replaced"
    );
    assert_eq!(
        of(&[MOD, "\nexclude golang.org/x/text v0.3.6\n"].concat()),
        "remedies"
    );
    assert_eq!(of(&MOD.replace("require (", "exclude (")), "other_change");
    let moved = [("v0.3.5", "v0.3.7"), ("v0.1.0", "v0.2.0")];
    assert_eq!(code("go.mod", MOD, &moved, &text()), "other_change");
    assert_eq!(
        code("go.mod", MOD, &[("v0.3.5 // indirect", "v0.3.7")], &text()),
        "other_change"
    );
}

#[test]
fn sums_come_and_go_with_their_module() {
    let sum = |version: &str, letter: char| {
        let digest = format!("{}A=", letter.to_string().repeat(42));
        format!(
            "golang.org/x/text {version} h1:{digest}\ngolang.org/x/text {version}/go.mod h1:{digest}\n"
        )
    };
    let other = format!("golang.org/x/net v0.1.0 h1:{}A=\n", "n".repeat(42));
    let before = [other.clone(), sum("v0.3.5", 'a')].concat();
    let after_mod = MOD.replace("v0.3.5", "v0.3.7");
    let of = |after: &str| {
        let files = [("go.mod", MOD, &*after_mod), ("go.sum", &*before, after)];
        whole(&files, &text()).code()
    };
    assert_eq!(
        of(&[other.clone(), sum("v0.3.7", 'b')].concat()),
        "remedies"
    );
    assert_eq!(
        of(&[before.clone(), sum("v0.3.7", 'b')].concat()),
        "remedies"
    );
    assert_eq!(
        of(&[other.clone(), sum("v0.3.7", 'a')].concat()),
        "entry_incomplete"
    );
    assert_eq!(
        of(&[other.clone(), sum("v0.3.6", 'b')].concat()),
        "integrity_without_version"
    );
    assert_eq!(
        of(&[before.clone(), sum("v0.3.6", 'b')].concat()),
        "integrity_without_version"
    );
    assert_eq!(
        of(&[other.clone(), sum("v0.3.5", 'b')].concat()),
        "integrity_without_version"
    );
    assert_eq!(of(&sum("v0.3.7", 'b')), "other_change");
    assert_eq!(of(&other), "integrity_dropped");
    let alone = [(
        "go.sum",
        &*before,
        &*[other.clone(), sum("v0.3.7", 'b')].concat(),
    )];
    assert_eq!(whole(&alone, &text()).code(), "integrity_without_version");
}

fn log4j() -> ApvFacts {
    facts(&[(
        Ecosystem::Maven,
        "org.apache.logging.log4j:log4j-core",
        "2.17.1",
    )])
}

/// A project with this inside.
fn pom(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n<!-- x -->\n{inside}</project>\n"
    )
}

fn dependency(name: &str, version: &str, more: &str) -> String {
    format!(
        "<dependency>\n<groupId>org.apache.logging.log4j</groupId>\n<artifactId>{name}</artifactId>\n<version>{version}</version>\n{more}</dependency>\n"
    )
}

#[test]
fn a_dependency_may_stand_anywhere_in_a_pom() {
    let core = dependency("log4j-core", "2.14.1", "");
    let moved = [("2.14.1", "2.17.1")];
    for (inside, wanted) in [
        (format!("<dependencies>{core}</dependencies>\n"), "remedies"),
        (
            format!(
                "<dependencyManagement><dependencies>{core}</dependencies></dependencyManagement>\n"
            ),
            "remedies",
        ),
        (
            format!(
                "<dependencies>{core}</dependencies><profiles><profile><id>p</id><dependencies>{}</dependencies></profile></profiles>\n",
                dependency("log4j-core", "2.13.0", "")
            ),
            "place_left_behind",
        ),
        (
            format!(
                "<dependencies>{}</dependencies>\n",
                dependency(
                    "log4j-core",
                    "2.14.1",
                    "<scope>system</scope>\n<systemPath>x</systemPath>\n"
                )
            ),
            "non_registry_source",
        ),
        (
            format!(
                "<dependencies>{}</dependencies>\n",
                dependency("log4j-api", "2.14.1", "")
            ),
            "other_change",
        ),
        (
            format!(
                "<dependencies>{core}{}</dependencies>\n",
                dependency("log4j-api", "2.14.1", "")
            ),
            "other_change",
        ),
        ("<version>2.14.1</version>\n".to_owned(), "other_change"),
        ("<!-- 2.14.1 -->\n".to_owned(), "nothing_moves"),
    ] {
        assert_eq!(
            code("pom.xml", &pom(&inside), &moved, &log4j()),
            wanted,
            "{inside}"
        );
    }
    assert_eq!(
        code(
            "pom.xml",
            "<!DOCTYPE x [<!ENTITY v \"2\">]>\n<project>2.14.1</project>\n",
            &moved,
            &log4j()
        ),
        "file_not_understood"
    );
}

#[test]
fn a_property_is_the_place_of_those_that_use_it() {
    let moved = [("2.14.1", "2.17.1")];
    let set = |property: &str, used: &str| {
        pom(&format!(
            "<properties>\n<log4j.version>{property}</log4j.version>\n</properties>\n<dependencies>{used}</dependencies>\n"
        ))
    };
    let core = dependency("log4j-core", "${log4j.version}", "");
    assert_eq!(
        code("pom.xml", &set("2.14.1", &core), &moved, &log4j()),
        "remedies"
    );
    // What others use as well moves them too.
    let both = [
        core.clone(),
        dependency("log4j-api", "${log4j.version}", ""),
    ]
    .concat();
    assert_eq!(
        code("pom.xml", &set("2.14.1", &both), &moved, &log4j()),
        "other_change"
    );
    // One that nobody uses as a version decides nothing.
    let none = dependency("log4j-core", "2.13.0", "");
    assert_eq!(
        code("pom.xml", &set("2.14.1", &none), &moved, &log4j()),
        "other_change"
    );
    // Set again in a profile, to what is affected.
    let again = set("2.14.1", &core).replace("</project>", "<profiles><profile><id>p</id><properties><log4j.version>2.13.0</log4j.version></properties></profile></profiles></project>");
    assert_eq!(
        code("pom.xml", &again, &moved, &log4j()),
        "place_left_behind"
    );
    // Set in a parent, that nobody sees.
    let unseen = [
        core.clone(),
        dependency("log4j-core", "2.14.1", "<classifier>x</classifier>\n"),
    ]
    .concat();
    assert_eq!(
        code(
            "pom.xml",
            &pom(&format!("<dependencies>{unseen}</dependencies>\n")),
            &moved,
            &log4j()
        ),
        "requirement_not_understood"
    );
}
