//! Go and Maven.

use super::*;

const NET: &str = "golang.org/x/net";

fn sum(letter: &str) -> String {
    format!("h1:{}=", letter.repeat(43))
}

#[test]
fn a_go_requirement_moves_with_its_sums() {
    let lines =
        format!(" require (\n-\t{NET} v0.16.0 // indirect\n+\t{NET} v0.17.0 // indirect\n )");
    assert_eq!(level("go.mod", &lines, &net()), Level::Minor);
    let single = format!("-require {NET} v0.16.0\n+require {NET} v0.17.0");
    assert_eq!(code("go.mod", &single, &net()), "remedies");
    let sums = |version: &str| {
        format!(
            "-{NET} v0.16.0 {}\n-{NET} v0.16.0/go.mod {}\n+{NET} {version} {}\n+{NET} {version}/go.mod {}",
            sum("a"),
            sum("b"),
            sum("c"),
            sum("d")
        )
    };
    let both = |version| {
        judged(
            &diff_of(&[("go.mod", &lines), ("go.sum", &sums(version))]),
            &net(),
        )
        .code()
    };
    assert_eq!(both("v0.17.0"), "remedies");
    assert_eq!(both("v0.16.0"), "integrity_without_version");
    assert_eq!(code("go.sum", &sums("v0.17.0"), &net()), "nothing_moves");
}

#[test]
fn go_lines_that_build_something_else_are_refused() {
    let bump = format!("-\t{NET} v0.16.0\n+\t{NET} v0.17.0\n");
    let table = [
        (format!(" replace (\n{bump} )"), "section"),
        (format!(" exclude (\n{bump} )"), "section"),
        (format!(" require (\n{bump} )\n replace {NET} => evil.example/net v0.1.0"), "replaced"),
        (format!(" require (\n{bump} )\n+replace {NET} => ../net"), "replaced"),
        (" require (\n-\tgolang.org/x/net v0.16.0\n+\tgolang.org/x/net v0.17.0 // indirect\n )".into(), "more_than_the_version"),
        ("-go 1.20\n+go 1.21".into(), "section"),
        ("-toolchain go1.20\n+toolchain go1.21".into(), "section"),
        (" require (\n-\tgolang.org/x/net v0.16.0\n+\tgolang.org/x/net v0.17\n )".into(), "requirement_not_understood"),
        // A commit without a tag: hosts serve those of forks as well.
        (" require (\n-\tgolang.org/x/net v0.16.0\n+\tgolang.org/x/net v0.17.1-0.20231011000000-daa7c04131f5\n )".into(), "commit_version"),
    ];
    for (lines, expected) in table {
        assert_eq!(code("go.mod", &lines, &net()), expected, "{lines}");
    }
}

#[test]
fn a_commit_that_the_facts_name_as_the_fix_is_a_fix() {
    let fix = "0.0.0-20210101000000-daa7c04131f5";
    let known = facts(vec![package(Ecosystem::Go, NET, &format!("<{fix}"), fix)]);
    let lines = format!("-require {NET} v0.0.0-20200101000000-aaaaaaaaaaaa\n+require {NET} v{fix}");
    assert_eq!(code("go.mod", &lines, &known), "remedies");
}

fn dependency(before: &str, from: &str, to: &str) -> String {
    format!(
        "     {before}\n       <groupId>org.apache.logging.log4j</groupId>\n       <artifactId>log4j-core</artifactId>\n\
         -      <version>{from}</version>\n+      <version>{to}</version>\n     </dependency>"
    )
}

#[test]
fn a_maven_dependency_moves_by_its_release_line() {
    let table = [
        ("2.14.1", "2.15.0", "remedies"),
        ("2.11.0", "2.12.2", "remedies"),
        ("2.14.1", "2.15.0-rc1", "inside_affected"),
        ("2.12.1", "2.14.0", "inside_affected"),
        ("2.14.1", "[2.15.0,)", "remedies"),
        ("2.11.0", "[2.12.2,)", "admits_affected"),
        ("2.14.1", "LATEST", "requirement_not_understood"),
        ("2.14.1", "${log4j.version}", "not_understood"),
    ];
    for (from, to, expected) in table {
        assert_eq!(
            code("pom.xml", &dependency("<dependency>", from, to), &log4j()),
            expected,
            "{from} {to}"
        );
    }
}

#[test]
fn the_same_coordinates_outside_a_dependency_are_no_bump() {
    for before in ["<project>", "<parent>", "<plugin>", "<exclusion>"] {
        let lines = dependency(before, "2.14.1", "2.15.0");
        assert_eq!(
            code("pom.xml", &lines, &log4j()),
            "entry_not_visible",
            "{before}"
        );
    }
    let comment = dependency("<!-- <dependency>", "2.14.1", "2.15.0");
    assert_eq!(code("pom.xml", &comment, &log4j()), "not_understood");
    let system = dependency("<dependency>", "2.14.1", "2.15.0").replace(
        "     </dependency>",
        "       <scope>system</scope>\n     </dependency>",
    );
    assert_eq!(code("pom.xml", &system, &log4j()), "non_registry_source");
}

#[test]
fn a_property_is_not_tied_to_a_package() {
    let lines =
        "-    <log4j.version>2.14.1</log4j.version>\n+    <log4j.version>2.15.0</log4j.version>";
    assert_eq!(code("pom.xml", lines, &log4j()), "not_understood");
}

#[test]
fn a_gradle_lock_is_read() {
    let core = "org.apache.logging.log4j:log4j-core";
    let lines = format!("-{core}:2.14.1=runtimeClasspath\n+{core}:2.15.0=runtimeClasspath");
    assert_eq!(code("gradle.lockfile", &lines, &log4j()), "remedies");
    let moved = format!("-{core}:2.14.1=runtimeClasspath\n+{core}:2.15.0=testRuntimeClasspath");
    assert_eq!(
        code("gradle.lockfile", &moved, &log4j()),
        "more_than_the_version"
    );
}
