//! What opens above the hunk and decides what its lines mean.

use super::*;

fn below(heading: &str, path: &str, lines: &str, facts: &ApvFacts) -> &'static str {
    judged(&diff_below(heading, path, lines), facts).code()
}

#[test]
fn two_words_of_go_mod_are_a_requirement_only_in_a_block_that_is_known() {
    let lines =
        " \tgolang.org/x/mod v0.8.0\n-\tgolang.org/x/net v0.16.0\n+\tgolang.org/x/net v0.17.0\n )";
    assert_eq!(below("require (", "go.mod", lines, &net()), "remedies");
    for heading in [
        "exclude (",
        "replace (",
        "retract (",
        "tool (",
        "go 1.21",
        "module x.y/z",
        "\trequire (",
    ] {
        assert_eq!(
            below(heading, "go.mod", lines, &net()),
            "section",
            "{heading}"
        );
    }
    assert_eq!(code("go.mod", lines, &net()), "section");
}

#[test]
fn an_array_of_python_requirements_is_known_by_its_section_or_its_key() {
    let lines = "     \"attrs\",\n-    \"django>=3.2.11,<4\",\n+    \"django>=3.2.12,<4\",\n     \"flask\",";
    assert_eq!(
        below("dependencies = [", "pyproject.toml", lines, &django()),
        "remedies"
    );
    for heading in ["keywords = [", "exclude-dependencies = [", "name = \"x\""] {
        assert_eq!(
            below(heading, "pyproject.toml", lines, &django()),
            "section",
            "{heading}"
        );
    }
    assert_eq!(code("pyproject.toml", lines, &django()), "section");
}

#[test]
fn a_heading_counts_as_the_section_it_names() {
    let table = [
        (
            "Cargo.toml",
            "[dependencies]",
            "[patch.crates-io]",
            "replaced",
        ),
        (
            "Cargo.toml",
            "[workspace.dependencies]",
            "[package.metadata.x]",
            "section",
        ),
    ];
    let lines = "-time = \"0.2.22\"\n+time = \"0.2.23\"";
    for (path, good, bad, expected) in table {
        assert_eq!(below(good, path, lines, &time()), "remedies", "{good}");
        assert_eq!(below(bad, path, lines, &time()), expected, "{bad}");
    }
    let npm = "-    \"lodash\": \"4.17.20\",\n+    \"lodash\": \"4.17.21\",\n     \"x\": \"1\"";
    assert_eq!(
        below("  \"dependencies\": {", "package.json", npm, &lodash()),
        "remedies"
    );
    assert_eq!(
        below("  \"config\": {", "package.json", npm, &lodash()),
        "section"
    );
    let python = "-django = \"3.2.11\"\n+django = \"3.2.12\"";
    assert_eq!(
        below(
            "[tool.poetry.dependencies]",
            "pyproject.toml",
            python,
            &django()
        ),
        "remedies"
    );
    assert_eq!(
        below("[tool.uv.sources]", "pyproject.toml", python, &django()),
        "non_registry_source"
    );
}

#[test]
fn a_dependency_of_a_profile_or_a_plugin_is_not_the_builds() {
    let dependency = "     <dependency>\n       <groupId>org.apache.logging.log4j</groupId>\n       <artifactId>log4j-core</artifactId>\n-      <version>2.14.1</version>\n+      <version>2.15.0</version>\n     </dependency>";
    assert_eq!(code("pom.xml", dependency, &log4j()), "remedies");
    for open in ["<profiles>", "<profile>", "<plugin>", "<pluginManagement>"] {
        let lines = format!("   {open}\n{dependency}");
        assert_eq!(code("pom.xml", &lines, &log4j()), "section", "{open}");
        assert_eq!(
            below(open, "pom.xml", dependency, &log4j()),
            "section",
            "{open}"
        );
    }
    let managed = format!("   <dependencyManagement>\n{dependency}\n   </dependencyManagement>");
    assert_eq!(code("pom.xml", &managed, &log4j()), "remedies");
}

#[test]
fn a_hunk_that_began_inside_of_a_comment_or_a_text_moves_nothing() {
    let dependency = "     <dependency>\n       <groupId>org.apache.logging.log4j</groupId>\n       <artifactId>log4j-core</artifactId>\n-      <version>2.14.1</version>\n+      <version>2.15.0</version>\n     </dependency>\n{}";
    twins(
        &log4j(),
        &[(
            "pom.xml",
            dependency,
            "     -->",
            "     <!-- x -->",
            "section",
        )],
    );
    let text = "-time = \"0.2.22\"\n+time = \"0.2.23\"\n{}";
    twins(
        &time(),
        &[("Cargo.toml", text, " \"\"\"", " # \"\"\"", "section")],
    );
}
