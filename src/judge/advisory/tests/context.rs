//! Lines that stay: where they name an affected package, they count, however they do it.

use super::*;

/// A bump of lodash in `package.json` with something behind its section.
const PACKAGE_JSON: &str = "   \"dependencies\": {\n-    \"lodash\": \"^4.17.20\"\n+    \"lodash\": \"^4.17.21\"\n   },\n{}\n   \"x\": 1";

#[test]
fn a_pin_of_npm_yarn_or_pnpm_counts_by_the_package_it_is_about() {
    let left = "place_left_behind";
    for key in [
        "lodash",
        "**/lodash",
        "a/lodash",
        "foo>lodash",
        "lodash@^4",
        "lodash@npm:^4",
        "lodash@<4.17.21",
    ] {
        for section in ["overrides", "resolutions"] {
            let pin =
                |version| format!("   \"{section}\": {{\n     \"{key}\": \"{version}\"\n   }},");
            let one_line = |version| format!("   \"{section}\": {{\"{key}\": \"{version}\"}},");
            twins(
                &lodash(),
                &[
                    (
                        "package.json",
                        PACKAGE_JSON,
                        &pin("4.17.20"),
                        &pin("4.17.21"),
                        left,
                    ),
                    (
                        "package.json",
                        PACKAGE_JSON,
                        &one_line("4.17.20"),
                        &one_line("4.17.21"),
                        left,
                    ),
                ],
            );
        }
    }
    let nested = |version| format!("   \"overrides\": {{\"lodash\": {{\".\": \"{version}\"}}}},");
    let pnpm = |version| {
        format!(
            "   \"pnpm\": {{\n     \"overrides\": {{\n       \"a@1>lodash\": \"{version}\"\n     }}\n   }},"
        )
    };
    twins(
        &lodash(),
        &[
            (
                "package.json",
                PACKAGE_JSON,
                &nested("4.17.20"),
                &nested("4.17.21"),
                left,
            ),
            (
                "package.json",
                PACKAGE_JSON,
                &pnpm("4.17.20"),
                &pnpm(">=4.17.21 <5"),
                left,
            ),
            (
                "package.json",
                PACKAGE_JSON,
                "   \"overrides\": {\"lodash\": \"$other\"},",
                "   \"overrides\": {\"lodash\": \"$lodash\"},",
                "non_registry_source",
            ),
        ],
    );
}

#[test]
fn the_same_package_under_another_name_counts() {
    let alias = |value| format!("   \"devDependencies\": {{\n     \"l2\": \"{value}\"\n   }},");
    let (not_understood, left) = ("place_not_understood", "place_left_behind");
    twins(
        &lodash(),
        &[
            (
                "package.json",
                PACKAGE_JSON,
                &alias("npm:lodash@4.17.20"),
                &alias("npm:lodash@4.17.21"),
                left,
            ),
            (
                "package.json",
                PACKAGE_JSON,
                &alias("github:lodash/lodash#4.17.20"),
                &alias("npm:@types/lodash@4.14.0"),
                not_understood,
            ),
        ],
    );
    // Two entries of one lock file behind the one that moves.
    let time =
        |behind: &str| format!(" [dependencies]\n-time = \"0.2.22\"\n+time = \"0.2.23\"\n{behind}");
    let cases = [
        ("t1 = { package = \"time\", version = \"{v}\" }", left),
        ("[dev-dependencies]\n time.version = \"{v}\"", left),
        (
            "[dev-dependencies.t1]\n package = \"time\"\n version = \"{v}\"",
            left,
        ),
        (
            "[dev-dependencies.t1]\n version = \"{v}\"\n package = \"time\"",
            left,
        ),
        (
            "[target.'cfg(unix)'.dependencies]\n time = { version = \"{v}\" }",
            left,
        ),
    ];
    for (lines, expected) in cases {
        let with = |version: &str| time(&format!(" {}", lines.replace("{v}", version)));
        assert_eq!(
            code("Cargo.toml", &with("0.1.45"), &super::time()),
            expected,
            "{lines}"
        );
        assert_eq!(
            code("Cargo.toml", &with("0.3.36"), &super::time()),
            "remedies",
            "{lines}"
        );
    }
}

#[test]
fn what_takes_the_place_of_a_crate_counts() {
    let lines = " [dependencies]\n-time = \"0.2.22\"\n+time = \"0.2.23\"\n{}";
    let table = [
        (
            " [patch.crates-io]\n time = { path = \"x\" }",
            " [patch.crates-io]\n x = { path = \"x\" }",
            "replaced",
        ),
        (
            " [patch.crates-io.time]\n path = \"x\"",
            " [features]\n x = [\"dep:time\", \"time/std\"]",
            "replaced",
        ),
        (
            " [replace]\n \"time:0.2.23\" = { path = \"x\" }",
            " # time = \"0.1\"",
            "replaced",
        ),
        (
            " [dev-dependencies]\n time = { path = \"x\" }",
            " [package]\n description = \"time\"",
            "non_registry_source",
        ),
        (
            " [dev-dependencies]\n time = { workspace = true }",
            " [dev-dependencies]\n x = { workspace = true }",
            "place_not_understood",
        ),
        (
            " [dev-dependencies]\n t.package = \"time\"\n t.version = \"0.1\"",
            " [dev-dependencies]\n time-macros = \"0.1\"",
            "place_not_understood",
        ),
        (
            " [dev-dependencies]\n time = { version = \"0.1\",",
            " [dev-dependencies]\n t = { version = \"0.1\",",
            "place_not_understood",
        ),
    ];
    for (bad, good, expected) in table {
        twins(&time(), &[("Cargo.toml", lines, bad, good, expected)]);
    }
    let inherited = " [workspace.dependencies]\n-time = \"0.2.22\"\n+time = \"0.2.23\"\n [dependencies]\n time.workspace = true";
    assert_eq!(code("Cargo.toml", inherited, &time()), "remedies");
}

#[test]
fn requirements_of_python_count_on_one_line_and_in_any_section() {
    let lines = " [project]\n dependencies = [\n-    \"django>=3.2.11,<4\",\n+    \"django>=3.2.12,<4\",\n ]\n{}";
    let left = "place_left_behind";
    let table = [
        (
            " [tool.uv]\n override-dependencies = [\"django=={v}\"]",
            left,
        ),
        (
            " [tool.uv]\n constraint-dependencies = [\"a\", \"Django=={v}\"]",
            left,
        ),
        (
            " [project.optional-dependencies]\n web = [\"django[argon2]=={v}\"]",
            left,
        ),
        (
            " [dependency-groups]\n dev = [\"pytest\", \"django=={v}\"]",
            left,
        ),
        (
            " [build-system]\n requires = [\"setuptools\", \"django=={v}\"]",
            left,
        ),
        (
            " [tool.poetry.dependencies]\n django.version = \"{v}\"",
            left,
        ),
        (
            " [tool.poetry.dependencies]\n django = [{version = \"{v}\", python = \"<3\"}]",
            left,
        ),
        (
            " [tool.poetry.dependencies]\n django = [\n   {version = \"{v}\", python = \"<3\"},\n ]",
            left,
        ),
        (" [tool.pdm.resolution.overrides]\n django = \"{v}\"", left),
        (
            " [tool.hatch.envs.test]\n dependencies = [\"django=={v}\"]",
            left,
        ),
    ];
    for (section, expected) in table {
        let (bad, good) = (
            section.replace("{v}", "3.2.11"),
            section.replace("{v}", "3.2.12"),
        );
        twins(
            &django(),
            &[("pyproject.toml", lines, &bad, &good, expected)],
        );
    }
    let elsewhere = "non_registry_source";
    twins(
        &django(),
        &[
            (
                "pyproject.toml",
                lines,
                " [tool.uv.sources]\n django = { git = \"https://x.example\" }",
                " [tool.uv.sources]\n flask = { git = \"https://x.example\" }",
                elsewhere,
            ),
            (
                "pyproject.toml",
                lines,
                " [tool.uv.sources]\n django = [\n   { git = \"https://x.example\" },\n ]",
                " [tool.ruff.lint.isort]\n known-django = [\"django\"]",
                elsewhere,
            ),
            (
                "pyproject.toml",
                lines,
                " [tool.strange]\n pins = [\"django==3.2.11\"]",
                " [project]\n classifiers = [\n   \"Framework :: Django\",\n ]",
                "place_not_understood",
            ),
        ],
    );
}

#[test]
fn a_requirements_file_names_packages_in_options_and_comments_too() {
    let lines = "{}\n-django==3.2.11\n+django==3.2.12";
    let open = "place_not_understood";
    let table = [
        (
            " -e git+https://x.example/django.git#egg=django",
            " -r base.txt",
            open,
        ),
        (" --no-binary django", " # django==3.2.11", open),
        (
            " Django @ https://x.example/d.tar.gz",
            " sentry-sdk[django]==1.0",
            open,
        ),
        (
            " django==2.2.1 ; python_version < '3'",
            " django==2.2.27 ; python_version < '3'",
            "place_left_behind",
        ),
        (
            " django<3.2.12",
            " flask==1.0  # django<3.2.12",
            "place_left_behind",
        ),
    ];
    for (bad, good, expected) in table {
        twins(
            &django(),
            &[("requirements.txt", lines, bad, good, expected)],
        );
    }
}

#[test]
fn a_go_module_counts_where_it_is_excluded_or_taken_for_another() {
    let lines = " require (\n-\tgolang.org/x/net v0.16.0\n+\tgolang.org/x/net v0.17.0\n )\n{}";
    let table = [
        (
            " exclude golang.org/x/net v0.17.0",
            " exclude golang.org/x/net v0.16.0",
            "place_not_understood",
        ),
        (
            " exclude (\n \tgolang.org/x/net v0.17.0\n )",
            " exclude (\n \tgolang.org/x/net v0.16.0\n )",
            "place_not_understood",
        ),
        (
            " replace a.b/net => golang.org/x/net v0.10.0",
            " replace a.b/net => golang.org/x/net v0.17.0",
            "place_left_behind",
        ),
        (
            " replace (\n \tgolang.org/x/net => ../net\n )",
            " tool golang.org/x/net/cmd/x",
            "replaced",
        ),
        (
            " replace a.b/net => golang.org/x/net",
            " // golang.org/x/net v0.16.0",
            "place_not_understood",
        ),
    ];
    for (bad, good, expected) in table {
        twins(&net(), &[("go.mod", lines, bad, good, expected)]);
    }
}

#[test]
fn a_maven_artifact_counts_by_property_on_one_line_and_where_it_is_cut_off() {
    let lines = "     <dependency>\n       <groupId>org.apache.logging.log4j</groupId>\n       <artifactId>log4j-core</artifactId>\n-      <version>2.14.1</version>\n+      <version>2.15.0</version>\n     </dependency>\n{}";
    let open = "place_not_understood";
    let one_line = |version| {
        format!(
            "     <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>{version}</version></dependency>"
        )
    };
    let by_property = |version| {
        format!(
            "     <log4j.version>{version}</log4j.version>\n{}",
            one_line("${log4j.version}")
        )
    };
    twins(
        &log4j(),
        &[
            (
                "pom.xml",
                lines,
                "     <log4j2.version>2.14.1</log4j2.version>",
                "     <log4j2.version>2.15.0</log4j2.version>",
                open,
            ),
            (
                "pom.xml",
                lines,
                &one_line("2.14.1"),
                &one_line("2.15.0"),
                "place_left_behind",
            ),
            (
                "pom.xml",
                lines,
                &by_property("2.14.1"),
                &by_property("2.15.0"),
                "place_left_behind",
            ),
            (
                "pom.xml",
                lines,
                &one_line("${x}"),
                &one_line("2.15.0"),
                open,
            ),
            (
                "pom.xml",
                lines,
                "     <dependency>\n       <groupId>org.apache.logging.log4j</groupId>\n       <artifactId>log4j-core</artifactId>",
                "     <dependency>\n       <groupId>org.apache.logging.log4j</groupId>\n       <artifactId>log4j-api</artifactId>",
                open,
            ),
            (
                "pom.xml",
                lines,
                "     <plugin>\n       <artifactId>log4j-core</artifactId>",
                "     <exclusion>\n       <artifactId>log4j-core</artifactId>\n     </exclusion>",
                open,
            ),
        ],
    );
}

#[test]
fn prose_and_names_within_longer_names_do_not_count() {
    for around in [
        "   \"description\": \"needs lodash\",",
        "   \"keywords\": [\"lodash\"],",
        "   \"peerDependenciesMeta\": {\n     \"lodash\": {\n       \"optional\": true\n     }\n   },",
        "   \"devDependencies\": {\n     \"@types/lodash\": \"^4.14.0\",\n     \"lodash-es\": \"4.17.20\",\n     \"lodash.merge\": \"4.0.0\"\n   },",
    ] {
        let lines = PACKAGE_JSON.replace("{}", around);
        assert_eq!(
            code("package.json", &lines, &lodash()),
            "remedies",
            "{around}"
        );
    }
    // Control: a script may install it.
    let script = "   \"scripts\": {\n     \"postinstall\": \"npm install lodash@4.17.20\"\n   },";
    let lines = PACKAGE_JSON.replace("{}", script);
    assert_eq!(
        code("package.json", &lines, &lodash()),
        "place_not_understood"
    );
}
