//! The one reader of bumps, as a wargame uses it: without any facts.

use proptest::prelude::*;

use super::*;
use crate::judge::advisory::moved;

/// What a diff text moves `p` between: `from to`, `source` for a source patch, or the code of the refusal.
fn said(text: &str, ecosystem: Ecosystem) -> String {
    let diff =
        parse(text, &DiffLimits::default()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    match moved(&diff, ecosystem, "some-p") {
        Ok(Some(moved)) => format!("{} {}", moved.from, moved.to),
        Ok(None) => "source".to_owned(),
        Err(refusal) => refusal.code.to_owned(),
    }
}

fn npm(files: &[(&str, &str)]) -> String {
    said(&diff_of(files), Ecosystem::Npm)
}

fn pypi(files: &[(&str, &str)]) -> String {
    said(&diff_of(files), Ecosystem::PyPi)
}

const NPM: &str =
    "   \"dependencies\": {\n-    \"some-p\": \"1.0.0\"\n+    \"some-p\": \"1.6.0\"\n   }";
const PIP: &str = "-some-p==1.0\n+some-p==1.6";

#[test]
fn a_bump_says_where_it_moves_from_and_to() {
    assert_eq!(npm(&[("package.json", NPM)]), "1.0.0 1.6.0");
    assert_eq!(pypi(&[("requirements.txt", PIP)]), "1.0 1.6");
    assert_eq!(
        pypi(&[("requirements-dev.txt", "-Some_P[x]==1.0\n+Some_P[x]==1.6")]),
        "1.0 1.6"
    );
    for sign in ["^", "~", "=", "v", "=v"] {
        let lines = NPM.replace("\"1.", &format!("\"{sign}1."));
        assert_eq!(npm(&[("package.json", &lines)]), "1.0.0 1.6.0", "{sign}");
    }
    // An empty line of context, as a bump of a file that is not shown.
    assert_eq!(
        npm(&[(
            "package.json",
            " \n-  \"some-p\": \"1.0.0\"\n+  \"some-p\": \"1.6.0\""
        )]),
        "1.0.0 1.6.0"
    );
    let poetry = " [tool.poetry.dependencies]\n-some-p = \"^1.0\"\n+some-p = \"^1.6\"";
    assert_eq!(pypi(&[("pyproject.toml", poetry)]), "1.0 1.6");
}

#[test]
fn a_lock_file_moves_along_with_its_digests() {
    let lock = |to: &str, digest: char| {
        format!(
            "     \"node_modules/some-p\": {{\n-      \"version\": \"1.0.0\",\n-      \"resolved\": \"https://r.example/some-p/-/some-p-1.0.0.tgz\",\n-      \"integrity\": \"sha512-{}==\"\n\
             +      \"version\": \"{to}\",\n+      \"resolved\": \"https://r.example/some-p/-/some-p-{to}.tgz\",\n+      \"integrity\": \"sha512-{}==\"\n     }}",
            "a".repeat(86),
            digest.to_string().repeat(86)
        )
    };
    let both = |to, digest| {
        npm(&[
            ("package.json", NPM),
            ("package-lock.json", &lock(to, digest)),
        ])
    };
    assert_eq!(both("1.6.0", 'b'), "1.0.0 1.6.0");
    assert_eq!(both("1.5.0", 'b'), "versions_disagree");
    assert_eq!(both("1.6.0", 'a'), "bookkeeping_unmoved");
    assert_eq!(
        npm(&[("package-lock.json", &lock("1.6.0", 'b'))]),
        "1.0.0 1.6.0"
    );
}

#[test]
fn what_is_no_manifest_is_a_source_patch() {
    let code = "-a = 1\n+a = 2";
    assert_eq!(npm(&[("node_modules/some-p/index.js", code)]), "source");
    assert_eq!(npm(&[("package.json", NPM), ("index.js", code)]), "source");
    assert_eq!(
        npm(&[(
            "node_modules/some-p/package.json",
            "-  \"main\": \"a\"\n+  \"main\": \"b\""
        )]),
        "source"
    );
    assert_eq!(pypi(&[("some_p/__init__.py", code)]), "source");
}

#[test]
fn decoys_are_no_bump() {
    let decoy = NPM.replace("1.6.0", "1.5.0");
    let cases: [(&str, String); 21] = [
        (
            "versions_disagree",
            npm(&[("a/package.json", &decoy), ("package.json", NPM)]),
        ),
        (
            "versions_disagree",
            npm(&[(
                "package.json",
                &format!("{NPM}\n \"devDependencies\": {{\n   \"some-p\": \"1.0.0\"\n }}"),
            )]),
        ),
        (
            "versions_disagree",
            npm(&[(
                "package.json",
                &NPM.replace(
                    "
   }",
                    "
     \"some-p\": \"1.0.0\"
   }",
                ),
            )]),
        ),
        (
            "versions_disagree",
            npm(&[(
                "package.json",
                &format!(
                    "{NPM}
   \"overrides\": {{\"some-p\": \"1.0.0\"}}"
                ),
            )]),
        ),
        (
            "place_not_understood",
            npm(&[(
                "package.json",
                &format!("{NPM}\n   \"x\": {{\"some-p\": \"1.0.0\"}}"),
            )]),
        ),
        (
            "section",
            npm(&[("package.json", &NPM.replace("dependencies", "config"))]),
        ),
        (
            "no_exact_version",
            npm(&[(
                "package.json",
                &NPM.replace("1.6.0", "1.6.0 || 1.0.0")
                    .replace("\"1.0.0\"\n", "\"0.9.0\"\n"),
            )]),
        ),
        (
            "no_exact_version",
            npm(&[("package.json", &NPM.replace("1.6.0", ">=1.6.0"))]),
        ),
        (
            "non_registry_source",
            npm(&[("package.json", &NPM.replace("1.6.0", "file:../x"))]),
        ),
        (
            "other_package",
            npm(&[(
                "package.json",
                "-  \"other\": \"1.0.0\"\n+  \"other\": \"1.6.0\"",
            )]),
        ),
        (
            "file_change",
            said(
                "diff --git a/package.json b/x/package.json\nsimilarity index 90%\nrename from package.json\nrename to x/package.json\n--- a/package.json\n+++ b/x/package.json\n@@ -1 +1 @@\n-  \"some-p\": \"1.0.0\"\n+  \"some-p\": \"1.6.0\"\n",
                Ecosystem::Npm,
            ),
        ),
        (
            "not_the_projects_manifest",
            npm(&[("tests/package.json", &decoy), ("package.json", NPM)]),
        ),
        (
            "not_understood",
            pypi(&[("requirements.txt", "-# some-p==1.0\n+# some-p==1.6")]),
        ),
        (
            "not_understood",
            pypi(&[("requirements.txt", &format!("{PIP}\n+# pinned"))]),
        ),
        (
            "non_registry_source",
            pypi(&[(
                "requirements.txt",
                "-some-p==1.0\n+some-p @ git+https://x.example/y",
            )]),
        ),
        (
            "installer_option",
            pypi(&[("requirements.txt", &format!("{PIP}\n+-r other.txt"))]),
        ),
        (
            "marker",
            pypi(&[(
                "requirements.txt",
                "-some-p==1.0 ; python_version < '3'\n+some-p==1.6 ; python_version < '3'",
            )]),
        ),
        (
            "more_than_the_version",
            pypi(&[("requirements.txt", "-some-p==1.0\n+some-p[x]==1.6")]),
        ),
        (
            "foreign_character",
            pypi(&[("requirements.txt", "-some-p==1.0\n+s\u{43e}me-p==1.6")]),
        ),
        (
            "versions_disagree",
            pypi(&[
                ("requirements-docs.txt", "-some-p==1.0\n+some-p==1.5"),
                ("requirements.txt", PIP),
            ]),
        ),
        ("other_ecosystem", pypi(&[("package.json", NPM)])),
    ];
    for (index, (expected, found)) in cases.into_iter().enumerate() {
        assert_eq!(found, expected, "case {index}");
    }
    // Controls: the same without what is wrong with it.
    assert_eq!(
        npm(&[("a/package.json", NPM), ("package.json", NPM)]),
        "1.0.0 1.6.0"
    );
    assert_eq!(
        pypi(&[(
            "requirements.txt",
            &format!(" -r other.txt\n # some-p==0.9\n{PIP}")
        )]),
        "1.0 1.6"
    );
}

#[test]
fn a_line_end_or_a_second_value_makes_it_no_bump() {
    let windows = diff_of(&[("requirements.txt", PIP)]).replace("==1.6\n", "==1.6\r\n");
    assert_eq!(said(&windows, Ecosystem::PyPi), "more_than_the_version");
    let twice = "   \"dependencies\": {\n-    \"some-p\": \"1.0.0\",\n-    \"some-p\": \"1.0.0\"\n+    \"some-p\": \"1.6.0\",\n+    \"some-p\": \"1.5.0\"\n   }";
    assert_eq!(npm(&[("package.json", twice)]), "versions_disagree");
}

proptest! {
    #[test]
    fn what_is_read_as_a_bump_moves_every_line_of_the_package(
        from in 0_u8..9, to in 0_u8..9, other in "[ -~]{0,24}", context in any::<bool>(),
    ) {
        let sign = if context { ' ' } else { '+' };
        let lines = format!("-some-p==1.{from}\n+some-p==1.{to}\n{sign}{other}");
        let found = pypi(&[("requirements.txt", &lines)]);
        if !found.contains(' ') {
            return Ok(());
        }
        prop_assert_eq!(&found, &format!("1.{from} 1.{to}"));
        // A further added line is never taken along, and one that stays does not pin another version.
        prop_assert!(context, "{}", other);
        let pins = other.trim_start().starts_with("some-p==") && !other.contains(&format!("==1.{to}"));
        prop_assert!(!pins, "{}", other);
    }
}
