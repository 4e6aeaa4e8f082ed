//! Claims about files of npm, yarn and pnpm.

use super::{code, facts, whole};
use crate::event::facts::{ApvFacts, Ecosystem};
use crate::judge::advisory::Assessment;

pub(super) fn lodash() -> ApvFacts {
    facts(&[(Ecosystem::Npm, "lodash", "4.17.21")])
}

const MANIFEST: &str = r#"{
  "name": "x",
  "version": "1.0.0",
  "scripts": {"test": "true"},
  "dependencies": {"lodash": "^4.17.20"},
  "devDependencies": {"a": "1.0.0"}
}
"#;

#[test]
fn a_manifest_changes_in_nothing_but_the_version() {
    let of = |replaced: &[(&str, &str)]| code("package.json", MANIFEST, replaced, &lodash());
    assert_eq!(of(&[("^4.17.20", "^4.17.21")]), "remedies");
    assert_eq!(of(&[("^4.17.20", ">=4.17.21")]), "remedies");
    assert_eq!(
        of(&[("^4.17.20", "^4.17.21"), ("true", "rm -rf x")]),
        "other_change"
    );
    assert_eq!(
        of(&[("^4.17.20", "^4.17.21"), ("\"1.0.0\"}", "\"1.0.1\"}")]),
        "other_change"
    );
    assert_eq!(of(&[("^4.17.20", "~4.17.20")]), "version_unmoved");
    assert_eq!(
        of(&[("^4.17.20", "github:x/lodash")]),
        "non_registry_source"
    );
    assert_eq!(of(&[("^4.17.20", "npm:evil@4.17.21")]), "alias");
    assert_eq!(of(&[("^4.17.20", "npm:lodash@4.17.21")]), "other_change");
    assert_eq!(of(&[("^4.17.20", "*")]), "downgrade");
    assert_eq!(of(&[("test", "pretest")]), "other_change");
}

#[test]
fn overrides_aliases_and_catalogues_are_places() {
    for (pin, moved) in [
        (
            r#""overrides": {"b": {"lodash": "4.17.19"}}"#,
            "place_left_behind",
        ),
        (
            r#""overrides": {"lodash": {".": "4.17.19"}}"#,
            "place_left_behind",
        ),
        (r#""overrides": {"lodash@<4.17.21": "4.17.21"}"#, "remedies"),
        (r#""overrides": {"lodash": "$lodash"}"#, "remedies"),
        (
            r#""resolutions": {"**/lodash": "4.17.19"}"#,
            "place_left_behind",
        ),
        (
            r#""pnpm": {"overrides": {"b>lodash": "4.17.19"}}"#,
            "place_left_behind",
        ),
        (
            r#""pnpm": {"patchedDependencies": {"lodash@4.17.21": "p"}}"#,
            "replaced",
        ),
        (
            r#""optionalDependencies": {"old": "npm:lodash@4.17.19"}"#,
            "place_left_behind",
        ),
        (
            r#""optionalDependencies": {"old": "npm:lodash@^4.17.21"}"#,
            "remedies",
        ),
        (
            r#""peerDependencies": {"lodash": "file:../lodash"}"#,
            "non_registry_source",
        ),
        (
            r#""workspaces": {"catalogs": {"old": {"lodash": "4.17.19"}}}"#,
            "place_left_behind",
        ),
        (r#""config": {"lodash": "4.17.19"}"#, "remedies"),
    ] {
        let manifest = MANIFEST.replace("\"name\": \"x\"", pin);
        let replaced = [("\"^4.17.20\"", "\"^4.17.21\"")];
        assert_eq!(
            code("package.json", &manifest, &replaced, &lodash()),
            moved,
            "{pin}"
        );
    }
}

/// Base64 of 64 times the same byte.
pub(super) fn sri(letter: char) -> String {
    format!("sha512-{}Q==", letter.to_string().repeat(85))
}

fn lock() -> String {
    format!(
        r#"{{
  "name": "x",
  "lockfileVersion": 3,
  "packages": {{
    "": {{"name": "x", "dependencies": {{"lodash": "^4.17.20"}}}},
    "node_modules/a": {{
      "version": "1.0.0",
      "resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
      "integrity": "{}",
      "dependencies": {{"lodash": "^4.0.0"}}
    }},
    "node_modules/lodash": {{
      "version": "4.17.20",
      "resolved": "https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz",
      "integrity": "{}",
      "license": "MIT",
      "dependencies": {{"a": "^1.0.0"}}
    }}
  }}
}}
"#,
        sri('A'),
        sri('B')
    )
}

#[test]
fn an_entry_of_a_lock_moves_as_a_whole() {
    let (b, c) = (sri('B'), sri('C'));
    let of = |replaced: &[(&str, &str)]| code("package-lock.json", &lock(), replaced, &lodash());
    let version = ("\"version\": \"4.17.20\"", "\"version\": \"4.17.21\"");
    let url = ("lodash-4.17.20.tgz", "lodash-4.17.21.tgz");
    let digest = (b.as_str(), c.as_str());
    assert_eq!(of(&[version, url, digest]), "remedies");
    assert_eq!(
        of(&[version, url, digest, ("^4.17.20", "^4.17.21")]),
        "remedies"
    );
    assert_eq!(of(&[version, url, digest, ("MIT", "ISC")]), "remedies");
    assert_eq!(
        of(&[
            version,
            url,
            digest,
            ("\"a\": \"^1.0.0\"", "\"a\": \">=1\"")
        ]),
        "remedies"
    );
    assert_eq!(
        of(&[
            version,
            url,
            digest,
            ("\"a\": \"^1.0.0\"", "\"a\": \"^2.0.0\"")
        ]),
        "dependencies_move"
    );
    assert_eq!(
        of(&[
            version,
            url,
            digest,
            ("\"a\": \"^1.0.0\"", "\"evil\": \"1\"")
        ]),
        "dependencies_move"
    );
    assert_eq!(of(&[version, url]), "entry_incomplete");
    assert_eq!(of(&[version, digest]), "entry_incomplete");
    assert_eq!(of(&[digest]), "integrity_without_version");
    assert_eq!(of(&[url]), "integrity_without_version");
    assert_eq!(of(&[("MIT", "ISC")]), "other_change");
    assert_eq!(
        of(&[
            version,
            url,
            (b.as_str(), "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        ]),
        "integrity_dropped"
    );
    assert_eq!(
        of(&[version, url, (b.as_str(), "none")]),
        "integrity_dropped"
    );
    // The digest of another package is that of another artifact, but nobody can tell which.
    assert_eq!(
        of(&[version, url, digest, ("\"^4.0.0\"", "\"^3.0.0\"")]),
        "other_change"
    );
    let evil = (
        "https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz",
        "https://evil.example/lodash/-/lodash-4.17.21.tgz",
    );
    assert_eq!(of(&[version, evil, digest]), "non_registry_source");
}

#[test]
fn a_second_entry_is_a_place_wherever_it_is() {
    let (c, d) = (sri('C'), sri('D'));
    let nested = |key: &str, name: &str| {
        let entry = format!(
            "\"{key}\": {{{name}\"version\": \"4.17.19\", \"resolved\": \"https://registry.npmjs.org/lodash/-/lodash-4.17.19.tgz\", \"integrity\": \"{d}\"}},\n    \"node_modules/lodash\""
        );
        lock().replace("\"node_modules/lodash\"", &entry)
    };
    let moved = [
        ("\"version\": \"4.17.20\"", "\"version\": \"4.17.21\""),
        ("lodash-4.17.20.tgz", "lodash-4.17.21.tgz"),
        (&*sri('B'), c.as_str()),
    ];
    for (key, name) in [
        ("node_modules/a/node_modules/lodash", ""),
        ("node_modules/old", "\"name\": \"lodash\", "),
    ] {
        let lock = nested(key, name);
        assert_eq!(
            code("package-lock.json", &lock, &moved, &lodash()),
            "place_left_behind",
            "{key}"
        );
    }
    // Under its name, but another package.
    let other = nested(
        "node_modules/a/node_modules/lodash",
        "\"name\": \"other\", ",
    );
    assert_eq!(
        code("package-lock.json", &other, &moved, &lodash()),
        "remedies"
    );
}

#[test]
fn older_locks_are_read_as_trees() {
    let lock = format!(
        r#"{{"lockfileVersion": 1, "requires": true, "dependencies": {{
  "a": {{"version": "1.0.0", "requires": {{"lodash": "^4.0.0"}}, "dependencies": {{
    "lodash": {{"version": "4.17.19", "resolved": "https://registry.npmjs.org/lodash/-/lodash-4.17.19.tgz", "integrity": "{}"}}}}}},
  "lodash": {{"version": "4.17.20", "resolved": "https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz", "integrity": "{}"}}}}}}
"#,
        sri('A'),
        sri('B')
    );
    let (a, b, c) = (sri('A'), sri('B'), sri('C'));
    let one = [("4.17.20", "4.17.21"), (b.as_str(), c.as_str())];
    assert_eq!(
        code("package-lock.json", &lock, &one, &lodash()),
        "place_left_behind"
    );
    let both = [
        ("4.17.20", "4.17.21"),
        ("4.17.19", "4.17.21"),
        (b.as_str(), c.as_str()),
        (a.as_str(), c.as_str()),
    ];
    assert_eq!(
        code("package-lock.json", &lock, &both, &lodash()),
        "remedies"
    );
}

#[test]
fn a_lock_pins_what_a_manifest_leaves_open() {
    let (manifest, lock) = (MANIFEST.replace("^4.17.20", "^4.17.0"), lock());
    let after = lock
        .replace("\"version\": \"4.17.20\"", "\"version\": \"4.17.21\"")
        .replace("lodash-4.17.20.tgz", "lodash-4.17.21.tgz")
        .replace(&sri('B'), &sri('C'));
    let named = MANIFEST.replace("^4.17.20", "^4.17.1");
    let files = [
        ("package.json", &*manifest, &*named),
        ("package-lock.json", &*lock, &*after),
    ];
    assert_eq!(whole(&files, &lodash()).code(), "remedies");
    // Without the lock it lets an affected version in.
    let alone = whole(&files[..1], &lodash());
    assert!(matches!(alone, Assessment::Refuted(_)), "{alone:?}");
    // And a requirement that the lock does not meet is not pinned by it.
    let exact = MANIFEST.replace("^4.17.20", "4.17.19");
    let files = [
        ("package.json", MANIFEST, &*exact),
        ("package-lock.json", &*lock, &*after),
    ];
    assert!(matches!(whole(&files, &lodash()), Assessment::Refuted(_)));
}
