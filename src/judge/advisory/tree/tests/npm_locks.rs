//! Claims about the locks of yarn and pnpm, and pnpm's catalogues.

use super::code;
use super::npm::{lodash, sri};

#[test]
fn entries_of_yarn_move_with_their_heads() {
    let lock = format!(
        "# yarn lockfile v1\n\n\na@^1.0.0:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#{sha}\"\n  dependencies:\n    lodash \"^4.17.20\"\n\n\"lodash@^4.17.15\", lodash@^4.17.20:\n  version \"4.17.20\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.20.tgz#{sha}\"\n  integrity {}\n",
        sri('B'),
        sha = "0a".repeat(20)
    );
    let (b, c) = (sri('B'), sri('C'));
    let url = ["20.tgz#0a", "21.tgz#0b"].map(|end| format!("lodash-4.17.{end}"));
    let of = |replaced: &[(&str, &str)]| code("yarn.lock", &lock, replaced, &lodash());
    let moved = [
        ("version \"4.17.20\"", "version \"4.17.21\""),
        (url[0].as_str(), url[1].as_str()),
        (b.as_str(), c.as_str()),
    ];
    assert_eq!(of(&moved), "remedies");
    assert_eq!(
        of(&[
            moved[0],
            moved[1],
            moved[2],
            ("lodash@^4.17.20:", "lodash@^4.17.21:")
        ]),
        "remedies"
    );
    assert_eq!(of(&[moved[0], moved[1]]), "entry_incomplete");
    assert_eq!(of(&[moved[0], moved[2]]), "entry_incomplete");
    assert_eq!(
        of(&[
            moved[0],
            moved[1],
            moved[2],
            ("lodash@^4.17.20:", "\"lodash@github:x/y\":")
        ]),
        "other_change"
    );
    let alias = [lock.as_str(), &format!("\n\"old@npm:lodash@4.17.19\":\n  version \"4.17.19\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.19.tgz\"\n  integrity {}\n", sri('D'))].concat();
    assert_eq!(
        code("yarn.lock", &alias, &moved, &lodash()),
        "place_left_behind"
    );
}

#[test]
fn entries_of_berry_are_told_by_their_resolution() {
    let lock = format!(
        "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n\"lodash@npm:^4.17.20\":\n  version: 4.17.20\n  resolution: \"lodash@npm:4.17.20\"\n  checksum: 10c0/{}\n  languageName: node\n  linkType: hard\n\n\"x@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"x@workspace:.\"\n  dependencies:\n    lodash: \"npm:^4.17.20\"\n  languageName: unknown\n  linkType: soft\n",
        "b".repeat(128)
    );
    let (b, c) = ("b".repeat(128), "c".repeat(128));
    let of = |replaced: &[(&str, &str)]| code("yarn.lock", &lock, replaced, &lodash());
    let moved = [
        ("version: 4.17.20", "version: 4.17.21"),
        ("lodash@npm:4.17.20", "lodash@npm:4.17.21"),
        (b.as_str(), c.as_str()),
    ];
    assert_eq!(of(&moved), "remedies");
    assert_eq!(of(&moved[..2]), "entry_incomplete");
    assert_eq!(of(&[moved[0], moved[2]]), "entry_incomplete");
    let patch = (
        "\"lodash@npm:4.17.20\"",
        "\"lodash@patch:lodash@npm%3A4.17.21#x\"",
    );
    assert_eq!(of(&[moved[0], patch, moved[2]]), "non_registry_source");
}

#[test]
fn pnpm_names_a_version_in_many_places() {
    let lock = format!(
        "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      lodash:\n        specifier: ^4.17.20\n        version: 4.17.20\n\npackages:\n\n  a@1.0.0:\n    resolution: {{integrity: {a}}}\n\n  lodash@4.17.20:\n    resolution: {{integrity: {b}}}\n    engines: {{node: '>=4'}}\n\nsnapshots:\n\n  a@1.0.0(lodash@4.17.20):\n    dependencies:\n      lodash: 4.17.20\n\n  lodash@4.17.20: {{}}\n",
        a = sri('A'),
        b = sri('B')
    );
    let (b, c) = (sri('B'), sri('C'));
    let of = |replaced: &[(&str, &str)]| code("pnpm-lock.yaml", &lock, replaced, &lodash());
    assert_eq!(
        of(&[("4.17.20", "4.17.21"), (b.as_str(), c.as_str())]),
        "remedies"
    );
    assert_eq!(of(&[("4.17.20", "4.17.21")]), "entry_incomplete");
    for left in [
        "      lodash: 4.17.20",
        "(lodash@4.17.20)",
        "  lodash@4.17.20: {}",
        "        version: 4.17.20",
    ] {
        let mark = left.replace("4.17.20", "KEPT");
        let replaced = [
            (left, &*mark),
            ("4.17.20", "4.17.21"),
            (b.as_str(), c.as_str()),
            ("KEPT", "4.17.20"),
        ];
        assert_eq!(of(&replaced), "place_left_behind", "{left}");
    }
    let tarball = format!("{{integrity: {c}, tarball: https://evil.example/x.tgz}}");
    let entry = format!("{{integrity: {b}}}");
    assert_eq!(
        of(&[("4.17.20", "4.17.21"), (entry.as_str(), tarball.as_str())]),
        "non_registry_source"
    );
    assert_eq!(
        of(&[
            ("4.17.20", "4.17.21"),
            (b.as_str(), c.as_str()),
            ("a@1.0.0", "a@1.0.1")
        ]),
        "other_change"
    );
}

#[test]
fn catalogues_of_a_pnpm_workspace_are_places() {
    let file = "packages:\n  - web\n\ncatalog:\n  lodash: ^4.17.20\n\ncatalogs:\n  old:\n    lodash: 4.17.19\n";
    let of = |replaced: &[(&str, &str)]| code("pnpm-workspace.yaml", file, replaced, &lodash());
    assert_eq!(of(&[("^4.17.20", "^4.17.21")]), "place_left_behind");
    assert_eq!(
        of(&[("^4.17.20", "^4.17.21"), ("4.17.19", "4.17.21")]),
        "remedies"
    );
    let anchored = file.replace("lodash: ^4.17.20", "lodash: &v ^4.17.20");
    assert_eq!(
        code(
            "pnpm-workspace.yaml",
            &anchored,
            &[("^4.17.20", "^4.17.21")],
            &lodash()
        ),
        "file_not_understood"
    );
}
