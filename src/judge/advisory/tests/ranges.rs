//! What a lock file says its entries are for must fit what they lock.

use super::*;

fn sri(letter: char) -> String {
    format!("sha512-{}==", letter.to_string().repeat(86))
}

/// An entry of the classic lock file that moves, with its head before and after.
fn entry(before: &str, after: &str, behind: &str) -> String {
    let head = match before == after {
        true => format!(" {before}\n"),
        false => format!("-{before}\n"),
    };
    let new_head = match before == after {
        true => String::new(),
        false => format!("+{after}\n"),
    };
    format!(
        "{head}-  version \"4.17.20\"\n-  resolved \"https://r.example/lodash/-/lodash-4.17.20.tgz\"\n-  integrity {}\n\
         {new_head}+  version \"4.17.21\"\n+  resolved \"https://r.example/lodash/-/lodash-4.17.21.tgz\"\n+  integrity {}\n{behind}",
        sri('a'),
        sri('b')
    )
}

#[test]
fn every_range_of_a_yarn_head_admits_what_the_entry_locks() {
    let with = |head: &str| code("yarn.lock", &entry(head, head, ""), &lodash());
    assert_eq!(with("lodash@^4.17.15, lodash@^4.0.0:"), "remedies");
    for head in [
        "lodash@4.17.20:",
        "lodash@4.17.20, lodash@^4.0.0:",
        "lodash@~4.16.0, lodash@^4.17.0:",
        "lodash@^3.0.0:",
    ] {
        assert_eq!(with(head), "outside_its_range", "{head}");
    }
    assert_eq!(with("lodash@latest:"), "place_not_understood");
}

#[test]
fn a_range_of_a_yarn_head_may_be_replaced_but_not_vanish() {
    let with = |before: &str, after: &str| code("yarn.lock", &entry(before, after, ""), &lodash());
    assert_eq!(with("lodash@^4.17.20:", "lodash@^4.17.21:"), "remedies");
    assert_eq!(
        with("lodash@4.17.20:", "lodash@^4.17.21:"),
        "range_vanished"
    );
    assert_eq!(
        with("lodash@4.17.20, lodash@^4.17.10:", "lodash@^4.17.10:"),
        "range_vanished"
    );
    // The manifest of the same patch stops asking for it.
    let lines = entry(
        "lodash@4.17.20, lodash@^4.17.10:",
        "lodash@4.17.21, lodash@^4.17.10:",
        "",
    );
    let manifest =
        "   \"dependencies\": {\n-    \"lodash\": \"4.17.20\"\n+    \"lodash\": \"4.17.21\"\n   }";
    let text = diff_of(&[("package.json", manifest), ("yarn.lock", &lines)]);
    assert_eq!(judged(&text, &lodash()).code(), "remedies");
}

#[test]
fn entries_that_stay_fit_their_ranges_and_show_their_version() {
    let head = "lodash@^4.17.20:";
    let with = |behind: &str| code("yarn.lock", &entry(head, head, behind), &lodash());
    let table = [
        (" \n \"lodash@^4.0.0\":\n   version \"4.17.21\"", "remedies"),
        (
            " \n lodash@^3.0.0:\n   version \"4.17.21\"",
            "outside_its_range",
        ),
        (" \n lodash@^3.0.0:", "place_not_understood"),
        (
            " \n \"l2@npm:lodash@^4.17.0\":\n   version \"4.17.21\"",
            "remedies",
        ),
        (
            " \n \"l2@npm:lodash@^4.17.0\":\n   version \"4.17.20\"",
            "place_left_behind",
        ),
        (
            " \n \"lodash@patch:lodash@npm%3A4.17.20#./x\":\n   version: 4.17.20",
            "place_not_understood",
        ),
        (
            " \n a@1:\n   version \"1.0.0\"\n   dependencies:\n     lodash \"^4.17.0\"",
            "remedies",
        ),
        (
            " \n a@1:\n   version \"1.0.0\"\n   dependencies:\n     lodash \"4.17.20\"",
            "outside_its_range",
        ),
    ];
    for (behind, expected) in table {
        assert_eq!(with(behind), expected, "{behind}");
    }
}

#[test]
fn a_requirement_that_a_lock_file_repeats_fits_what_it_locks() {
    let npm = |range: &str| {
        format!(
            "     \"\": {{\n       \"dependencies\": {{\n         \"lodash\": \"{range}\"\n       }}\n     }},\n     \"node_modules/lodash\": {{\n-      \"version\": \"4.17.20\",\n-      \"resolved\": \"https://r.example/lodash/-/lodash-4.17.20.tgz\",\n-      \"integrity\": \"{}\"\n\
             +      \"version\": \"4.17.21\",\n+      \"resolved\": \"https://r.example/lodash/-/lodash-4.17.21.tgz\",\n+      \"integrity\": \"{}\"\n     }}",
            sri('a'),
            sri('b')
        )
    };
    assert_eq!(
        code("package-lock.json", &npm("^4.17.20"), &lodash()),
        "remedies"
    );
    assert_eq!(
        code("package-lock.json", &npm("4.17.20"), &lodash()),
        "outside_its_range"
    );
    let pnpm = |specifier: &str| {
        format!(
            "       lodash:\n         specifier: {specifier}\n-        version: 4.17.20\n+        version: 4.17.21\n packages:\n-  lodash@4.17.20:\n-    resolution: {{integrity: {}}}\n+  lodash@4.17.21:\n+    resolution: {{integrity: {}}}",
            sri('a'),
            sri('b')
        )
    };
    assert_eq!(
        code("pnpm-lock.yaml", &pnpm("^4.17.20"), &lodash()),
        "remedies"
    );
    assert_eq!(
        code("pnpm-lock.yaml", &pnpm("4.17.20"), &lodash()),
        "outside_its_range"
    );
    let uv = |specifier: &str| {
        format!(
            " [manifest]\n overrides = [{{ name = \"django\", specifier = \"{specifier}\" }}]\n [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"3.2.12\"\n source = {{ registry = \"https://pypi.org/simple\" }}\n\
             -sdist = {{ url = \"https://files.pythonhosted.org/Django-3.2.11.tar.gz\", hash = \"sha256:{}\", size = 1 }}\n+sdist = {{ url = \"https://files.pythonhosted.org/Django-3.2.12.tar.gz\", hash = \"sha256:{}\", size = 1 }}",
            "a".repeat(64),
            "b".repeat(64)
        )
    };
    assert_eq!(code("uv.lock", &uv(">=3.2.11,<4"), &django()), "remedies");
    assert_eq!(
        code("uv.lock", &uv("==3.2.11"), &django()),
        "outside_its_range"
    );
}

#[test]
fn versions_that_others_were_resolved_with_count() {
    let lines = |behind: &str| {
        format!(
            " packages:\n-  lodash@4.17.20:\n-    resolution: {{integrity: {}}}\n+  lodash@4.17.21:\n+    resolution: {{integrity: {}}}\n{behind}",
            sri('a'),
            sri('b')
        )
    };
    let table = [
        (
            "   a@1.0.0(lodash@4.17.21):\n     dependencies:",
            "remedies",
        ),
        (
            "   a@1.0.0(lodash@4.17.20):\n     dependencies:",
            "place_left_behind",
        ),
        (
            "   a@1.0.0:\n     dependencies:\n       l2: lodash@4.17.21",
            "remedies",
        ),
        (
            "   a@1.0.0:\n     dependencies:\n       l2: lodash@4.17.20",
            "place_left_behind",
        ),
        (
            "   a@1.0.0:\n     peerDependencies:\n       lodash: ^4.0.0",
            "remedies",
        ),
        (
            "   a@1.0.0:\n     transitivePeerDependencies:\n       - lodash",
            "remedies",
        ),
    ];
    for (behind, expected) in table {
        assert_eq!(
            code("pnpm-lock.yaml", &lines(behind), &lodash()),
            expected,
            "{behind}"
        );
    }
    let pinned = |pin: &str| format!(" overrides:\n   {pin}\n{}", lines(""));
    assert_eq!(
        code(
            "pnpm-lock.yaml",
            &pinned("lodash@<4.17.21: '>=4.17.21'"),
            &lodash()
        ),
        "remedies"
    );
    assert_eq!(
        code("pnpm-lock.yaml", &pinned("a>lodash: 4.17.20"), &lodash()),
        "place_left_behind"
    );
}
