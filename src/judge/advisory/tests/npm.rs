//! npm: manifests and the lock files of npm, yarn and pnpm.

use super::*;

const OLD_HASH: &str = "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
const NEW_HASH: &str = "sha512-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB==";

fn in_section(section: &str, from: &str, to: &str) -> String {
    format!(
        "   \"{section}\": {{\n-    \"lodash\": \"{from}\",\n+    \"lodash\": \"{to}\",\n     \"x\": \"1.0.0\"\n   }}"
    )
}

#[test]
fn a_bump_in_any_dependency_section_counts() {
    for section in [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "overrides",
        "resolutions",
    ] {
        assert_eq!(
            code(
                "package.json",
                &in_section(section, "^4.17.20", "^4.17.21"),
                &lodash()
            ),
            "remedies"
        );
    }
}

#[test]
fn a_section_that_is_not_to_be_seen_does_not_matter_for_a_plain_name() {
    let lines = "     \"a\": \"1\",\n-    \"lodash\": \"4.17.20\",\n+    \"lodash\": \"4.17.21\",\n     \"z\": \"1\"";
    assert_eq!(code("web/package.json", lines, &lodash()), "remedies");
}

#[test]
fn a_section_that_names_no_dependencies_is_refused() {
    for section in ["scripts", "config", "engines", "volta", "lodash"] {
        assert_eq!(
            code(
                "package.json",
                &in_section(section, "4.17.20", "4.17.21"),
                &lodash()
            ),
            "section"
        );
    }
}

#[test]
fn the_version_of_the_project_itself_is_no_bump() {
    let known = facts(vec![package(Ecosystem::Npm, "version", "<2.0.0", "2.0.0")]);
    let lines = "   \"name\": \"app\",\n-  \"version\": \"1.0.0\",\n+  \"version\": \"2.0.0\",\n   \"private\": true,";
    assert_eq!(code("package.json", lines, &known), "section");
}

#[test]
fn a_nested_override_is_read_where_its_section_is_to_be_seen() {
    let lines = "   \"overrides\": {\n     \"foo\": {\n-      \"lodash\": \"4.17.20\"\n+      \"lodash\": \"4.17.21\"\n     }";
    assert_eq!(code("package.json", lines, &lodash()), "remedies");
    let hidden =
        "     \"foo\": {\n-      \"lodash\": \"4.17.20\"\n+      \"lodash\": \"4.17.21\"\n     }";
    assert_eq!(code("package.json", hidden, &lodash()), "section");
}

#[test]
fn npm_forms_other_than_registry_versions_are_refused() {
    for to in [
        "npm:evil@4.17.21",
        "git+https://github.com/lodash/lodash.git#4.17.21",
        "file:../lodash",
        "lodash/lodash#4.17.21",
        "https://evil.example/lodash-4.17.21.tgz",
        "workspace:*",
        "link:x",
        "catalog:",
    ] {
        let found = code(
            "package.json",
            &in_section("dependencies", "4.17.20", to),
            &lodash(),
        );
        assert_eq!(found, "non_registry_source", "{to}");
    }
    let tag = in_section("dependencies", "4.17.20", "latest");
    assert_eq!(
        code("package.json", &tag, &lodash()),
        "requirement_not_understood"
    );
}

#[test]
fn an_alternative_that_is_affected_refutes() {
    let lines = in_section("dependencies", "4.17.20", "4.17.21 || 4.17.20");
    assert_eq!(code("package.json", &lines, &lodash()), "version_unmoved");
    let lines = in_section("dependencies", "4.17.19", "4.17.21 || 4.17.20");
    assert_eq!(code("package.json", &lines, &lodash()), "inside_affected");
}

fn lock_entry(key: &str, version: &str, url: &str, hash: &str) -> String {
    format!(
        "     \"{key}\": {{\n-      \"version\": \"4.17.20\",\n\
         -      \"resolved\": \"https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz\",\n\
         -      \"integrity\": \"{OLD_HASH}\"\n\
         +      \"version\": \"{version}\",\n+      \"resolved\": \"{url}\",\n+      \"integrity\": \"{hash}\"\n     }},"
    )
}

const GOOD_URL: &str = "https://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz";

#[test]
fn an_entry_of_the_npm_lock_moves_with_its_url_and_digest() {
    for key in ["node_modules/lodash", "node_modules/a/node_modules/lodash"] {
        let lines = lock_entry(key, "4.17.21", GOOD_URL, NEW_HASH);
        assert_eq!(
            code("package-lock.json", &lines, &lodash()),
            "remedies",
            "{key}"
        );
        assert_eq!(
            code("npm-shrinkwrap.json", &lines, &lodash()),
            "remedies",
            "{key}"
        );
    }
    // The form that npm 7 and later only keep for older ones is not enough alone.
    let old_form = lock_entry("lodash", "4.17.21", GOOD_URL, NEW_HASH);
    assert_eq!(
        code("package-lock.json", &old_form, &lodash()),
        "legacy_entry_only"
    );
}

#[test]
fn an_entry_whose_url_says_something_else_is_refused() {
    let table = [
        (
            "https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz",
            "version_unmoved",
        ),
        (
            "https://evil.example/lodash/-/lodash-4.17.21.tgz",
            "more_than_the_version",
        ),
        (
            "https://registry.npmjs.org/evil/-/evil-4.17.21.tgz",
            "non_registry_source",
        ),
        (
            "https://registry.npmjs.org/lodash/-/lodash-4.17.22.tgz",
            "entry_incomplete",
        ),
        (
            "git+ssh://git@github.com/lodash/lodash.git#abc",
            "non_registry_source",
        ),
    ];
    for (url, expected) in table {
        let lines = lock_entry("node_modules/lodash", "4.17.21", url, NEW_HASH);
        assert_eq!(
            code("package-lock.json", &lines, &lodash()),
            expected,
            "{url}"
        );
    }
}

#[test]
fn an_entry_that_keeps_its_old_url_is_refuted() {
    let lines = "     \"node_modules/lodash\": {\n-      \"version\": \"4.17.20\",\n+      \"version\": \"4.17.21\",\n       \
                 \"resolved\": \"https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz\",";
    assert_eq!(
        code("package-lock.json", lines, &lodash()),
        "bookkeeping_unmoved"
    );
}

#[test]
fn a_digest_may_not_change_alone_disappear_or_weaken() {
    let alone = format!(
        "     \"node_modules/lodash\": {{\n       \"version\": \"4.17.21\",\n-      \"integrity\": \"{OLD_HASH}\"\n+      \"integrity\": \"{NEW_HASH}\"\n     }}"
    );
    assert_eq!(
        code("package-lock.json", &alone, &lodash()),
        "integrity_without_version"
    );
    let weak = lock_entry(
        "node_modules/lodash",
        "4.17.21",
        GOOD_URL,
        "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    );
    assert_eq!(
        code("package-lock.json", &weak, &lodash()),
        "integrity_dropped"
    );
    let gone = lock_entry("node_modules/lodash", "4.17.21", GOOD_URL, "x");
    let gone: String = gone
        .lines()
        .filter(|line| !line.contains("\"x\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        code("package-lock.json", &gone, &lodash()),
        "integrity_dropped"
    );
}

#[test]
fn an_alias_in_the_lock_is_refused() {
    let lines = lock_entry("node_modules/lodash", "4.17.21", GOOD_URL, NEW_HASH)
        .replace("lodash\": {\n", "lodash\": {\n       \"name\": \"evil\",\n");
    assert_eq!(code("package-lock.json", &lines, &lodash()), "alias");
}

#[test]
fn a_place_that_stays_affected_in_the_same_lock_refutes() {
    let mut lines = lock_entry("node_modules/lodash", "4.17.21", GOOD_URL, NEW_HASH);
    lines.push_str(
        "\n     \"node_modules/x/node_modules/lodash\": {\n       \"version\": \"3.10.1\",",
    );
    assert_eq!(
        code("package-lock.json", &lines, &lodash()),
        "place_left_behind"
    );
}

fn yarn(head: [&str; 2], url: &str) -> String {
    format!(
        "-{}\n-  version \"4.17.20\"\n-  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.20.tgz#{}\"\n-  integrity {OLD_HASH}\n\
         +{}\n+  version \"4.17.21\"\n+  resolved \"{url}\"\n+  integrity {NEW_HASH}\n ",
        head[0],
        "a".repeat(40),
        head[1]
    )
}

#[test]
fn an_entry_of_the_classic_yarn_lock_moves_as_a_whole() {
    let url = format!(
        "https://registry.yarnpkg.com/lodash/-/lodash-4.17.21.tgz#{}",
        "b".repeat(40)
    );
    let head = ["lodash@^4.17.20:", "lodash@^4.17.21:"];
    assert_eq!(code("yarn.lock", &yarn(head, &url), &lodash()), "remedies");
    assert_eq!(
        code(
            "yarn.lock",
            &yarn([head[0], "\"lodash@npm:evil@^4.17.21\":"], &url),
            &lodash()
        ),
        "non_registry_source"
    );
    assert_eq!(
        code(
            "yarn.lock",
            &yarn([head[0], "evil@^4.17.21:"], &url),
            &lodash()
        ),
        "non_registry_source"
    );
    assert_eq!(
        code(
            "yarn.lock",
            &yarn(head, &url.replace("yarnpkg", "evil")),
            &lodash()
        ),
        "more_than_the_version"
    );
    assert_eq!(
        code(
            "yarn.lock",
            &yarn(head, &url.replace(".tgz#", ".tgz?")),
            &lodash()
        ),
        "non_registry_source"
    );
}

#[test]
fn an_entry_of_the_berry_lock_moves_as_a_whole() {
    let lines = |resolution: &str| {
        format!(
            " \"lodash@npm:^4.17.19\":\n-  version: 4.17.20\n-  resolution: \"lodash@npm:4.17.20\"\n-  checksum: 10c0/{}\n\
             +  version: 4.17.21\n+  resolution: \"{resolution}\"\n+  checksum: 10c0/{}\n   languageName: node\n   linkType: hard",
            "a".repeat(128),
            "b".repeat(128)
        )
    };
    assert_eq!(
        code("yarn.lock", &lines("lodash@npm:4.17.21"), &lodash()),
        "remedies"
    );
    assert_eq!(
        code(
            "yarn.lock",
            &lines("lodash@patch:lodash@npm%3A4.17.21#./p"),
            &lodash()
        ),
        "non_registry_source"
    );
    assert_eq!(
        code("yarn.lock", &lines("evil@npm:4.17.21"), &lodash()),
        "non_registry_source"
    );
}

#[test]
fn pnpm_locks_of_all_versions_are_read() {
    let six = format!(
        "   lodash:\n-    specifier: ^4.17.20\n-    version: 4.17.20\n+    specifier: ^4.17.21\n+    version: 4.17.21\n \
         packages:\n-  /lodash@4.17.20:\n-    resolution: {{integrity: {OLD_HASH}}}\n+  /lodash@4.17.21:\n+    resolution: {{integrity: {NEW_HASH}}}\n     dev: false"
    );
    assert_eq!(code("pnpm-lock.yaml", &six, &lodash()), "remedies");
    let five = six.replace("/lodash@", "/lodash/");
    assert_eq!(code("pnpm-lock.yaml", &five, &lodash()), "remedies");
    let nine = format!(
        "{}\n snapshots:\n-  lodash@4.17.20: {{}}\n+  lodash@4.17.21: {{}}",
        six.replace("/lodash@", "lodash@")
    );
    assert_eq!(code("pnpm-lock.yaml", &nine, &lodash()), "remedies");
    let tarball = six.replace(
        &format!("+    resolution: {{integrity: {NEW_HASH}}}"),
        "+    resolution: {tarball: https://evil.example/x.tgz}",
    );
    assert_eq!(
        code("pnpm-lock.yaml", &tarball, &lodash()),
        "non_registry_source"
    );
    let left = format!("{six}\n   /x@1.0.0:\n     dependencies:\n       lodash: 4.17.15");
    assert_eq!(
        code("pnpm-lock.yaml", &left, &lodash()),
        "place_left_behind"
    );
}
