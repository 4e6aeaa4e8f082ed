//! Bumps that do more, or other things, than they seem to: a wargame builds the versions that a bump says, so one that is
//! not wholly understood would be tried as something that it is not.
//!
//! The control is a reader that looks for the line of the package alone; it takes each of them for the good bump.

use super::Table;
use crate::diff::{DiffLimits, parse};
use crate::event::facts::Ecosystem;
use crate::judge::advisory::{Moved, moved};

/// How many rows each table has.
pub(super) const ROWS: [usize; 2] = [22, 18];

/// Returns the diff of a file that is changed in place.
fn changed(path: &str, lines: &str) -> String {
    let count = |signs: [char; 2]| lines.lines().filter(|line| line.starts_with(signs)).count();
    format!(
        "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,{} +1,{} @@\n{lines}\n",
        count(['-', ' ']),
        count(['+', ' '])
    )
}

const NPM: &str =
    "   \"dependencies\": {\n-    \"victim\": \"1.0.0\"\n+    \"victim\": \"1.1.0\"\n   }";
const PIP: &str = "-victim==1.0.0\n+victim==1.1.0";

fn npm(path: &str, lines: &str) -> String {
    changed("package.json", NPM) + &changed(path, lines)
}

fn pip(path: &str, lines: &str) -> String {
    changed("requirements.txt", PIP) + &changed(path, lines)
}

/// Returns what a reader saw that looked for the package's own lines and for nothing else.
fn naive(text: &str) -> Option<(&str, &str)> {
    let version = |sign: char| {
        let line = text.lines().find(|line| {
            line.starts_with(sign) && line.contains("victim") && line.contains("1.")
        })?;
        let at = line.find("1.")?;
        line.get(at..at + 5)
    };
    Some((version('-')?, version('+')?))
}

fn of_npm() -> Vec<(&'static str, String)> {
    let lines = |more: &str| {
        changed(
            "package.json",
            &NPM.replace("\n   }", &format!("{more}\n   }}")),
        )
    };
    vec![
        (
            "a second manifest at another version",
            npm("web/package.json", &NPM.replace("1.1.0", "1.0.1")),
        ),
        (
            "a second manifest that moves back",
            npm(
                "web/package.json",
                &NPM.replace(
                    "-    \"victim\": \"1.0.0\"\n+    \"victim\": \"1.1.0\"",
                    "-    \"victim\": \"1.1.0\"\n+    \"victim\": \"1.0.0\"",
                ),
            ),
        ),
        (
            "a lock file at another version",
            npm(
                "yarn.lock",
                " victim@^1.0.0:\n-  version \"1.0.0\"\n+  version \"1.0.1\"",
            ),
        ),
        ("a decoy of another ecosystem", npm("requirements.txt", PIP)),
        (
            "a script that runs on installing",
            npm(
                "web/package.json",
                "   \"scripts\": {\n+    \"postinstall\": \"node x.js\",\n     \"a\": \"b\"\n   }",
            ),
        ),
        (
            "a script beside it",
            lines("\n   },\n   \"scripts\": {\n+    \"preinstall\": \"sh x\""),
        ),
        (
            "an alias for another package",
            changed(
                "package.json",
                &NPM.replace(
                    "+    \"victim\": \"1.1.0\"",
                    "+    \"victim\": \"npm:other@1.1.0\"",
                ),
            ),
        ),
        (
            "a place in place of a version",
            changed(
                "package.json",
                &NPM.replace(
                    "+    \"victim\": \"1.1.0\"",
                    "+    \"victim\": \"https://host.example/victim-1.1.0.tgz\"",
                ),
            ),
        ),
        (
            "a directory in place of a version",
            changed(
                "package.json",
                &NPM.replace(
                    "+    \"victim\": \"1.1.0\"",
                    "+    \"victim\": \"file:../victim-1.1.0\"",
                ),
            ),
        ),
        (
            "another registry",
            npm(".npmrc", "+registry=https://host.example/"),
        ),
        (
            "another package beside it",
            lines("\n-    \"helper\": \"2.0.0\"\n+    \"helper\": \"2.0.1\""),
        ),
        (
            "an override of what it needs",
            lines(
                "\n   },\n   \"overrides\": {\n-    \"victim\": \"1.1.0\"\n+    \"victim\": \"1.0.0\"",
            ),
        ),
        ("a source file", npm("index.js", "-let a = 1;\n+let a = 2;")),
        (
            "a manifest that is added",
            changed("package.json", NPM)
                + "diff --git a/web/package.json b/web/package.json\nnew file mode 100644\n--- /dev/null\n+++ b/web/package.json\n@@ -0,0 +1 @@\n+{\"dependencies\": {\"victim\": \"1.0.0\"}}\n",
        ),
        (
            "a lock file that is deleted",
            changed("package.json", NPM)
                + "diff --git a/yarn.lock b/yarn.lock\ndeleted file mode 100644\n--- a/yarn.lock\n+++ /dev/null\n@@ -1 +0,0 @@\n-victim@^1.0.0:\n",
        ),
        (
            "a manifest that is renamed",
            changed("package.json", NPM)
                + "diff --git a/web/package.json b/old/package.json\nsimilarity index 100%\nrename from web/package.json\nrename to old/package.json\n",
        ),
        (
            "a submodule",
            changed("package.json", NPM)
                + "diff --git a/vendored b/vendored\nindex 1111111..2222222 160000\n--- a/vendored\n+++ b/vendored\n@@ -1 +1 @@\n-Subproject commit 1111111111111111111111111111111111111111\n+Subproject commit 2222222222222222222222222222222222222222\n",
        ),
        (
            "a link",
            changed("package.json", NPM)
                + "diff --git a/web b/web\nnew file mode 120000\n--- /dev/null\n+++ b/web\n@@ -0,0 +1 @@\n+/etc\n\\ No newline at end of file\n",
        ),
        (
            "a binary file",
            changed("package.json", NPM)
                + "diff --git a/x.node b/x.node\nindex 1111111..2222222 100644\nBinary files a/x.node and b/x.node differ\n",
        ),
        (
            "a mode that is changed",
            changed("package.json", NPM)
                + "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n",
        ),
        (
            "a bump in a comment of another section",
            changed(
                "package.json",
                "   \"notes\": {\n-    \"victim\": \"1.0.0\"\n+    \"victim\": \"1.1.0\"\n   }",
            ),
        ),
        (
            "ends of lines of another system",
            changed("package.json", &NPM.replace("\"1.1.0\"", "\"1.1.0\"\r\r")),
        ),
    ]
}

fn of_pip() -> Vec<(&'static str, String)> {
    let lines = |more: &str| changed("requirements.txt", &format!("{PIP}\n{more}"));
    let instead = |line: &str| changed("requirements.txt", &format!("-victim==1.0.0\n+{line}"));
    vec![
        (
            "a second manifest at another version",
            pip("web/requirements.txt", "-victim==1.0.0\n+victim==1.0.1"),
        ),
        (
            "a second line at another version",
            lines("-victim[x]==1.0.0\n+victim[x]==1.0.1"),
        ),
        ("a second line that stays behind", lines(" victim==1.0.0")),
        (
            "another index",
            lines("+--index-url https://host.example/simple"),
        ),
        (
            "a further index",
            lines("+--extra-index-url https://host.example/simple"),
        ),
        (
            "links to look at",
            lines("+--find-links https://host.example/"),
        ),
        (
            "a host that is trusted",
            lines("+--trusted-host host.example"),
        ),
        ("another file that is read", lines("+-r other.txt")),
        ("constraints", lines("+-c other.txt")),
        ("a tree that is installed", lines("+-e ./other")),
        (
            "a place in place of a version",
            instead("victim @ https://host.example/victim-1.1.0.tar.gz"),
        ),
        ("a range", instead("victim>=1.1.0")),
        (
            "a version and one that is left out",
            instead("victim==1.1.0,!=1.1.0"),
        ),
        ("a marker", instead("victim==1.1.0; python_version < '3'")),
        (
            "a line that goes on",
            instead("victim==1.1.0 \\\n+    --global-option=x"),
        ),
        (
            "another package beside it",
            lines("-helper==2.0.0\n+helper==2.0.1"),
        ),
        ("a setup.py", pip("setup.py", "-a = 1\n+a = 2")),
        (
            "a letter that looks the same",
            instead("victim==1.1.0\u{200b}"),
        ),
    ]
}

fn understood(text: &str, ecosystem: Ecosystem) -> Option<Moved> {
    // It is what the diff says that is refused, not its form.
    let limits = DiffLimits::default();
    let diff = parse(text, &limits).unwrap_or_else(|error| panic!("{error}\n{text}"));
    moved(&diff, ecosystem, "victim").ok().flatten()
}

fn tried(rows: Vec<(&'static str, String)>, good: &str, ecosystem: Ecosystem, count: usize) {
    let mut table = Table::default();
    let bump = understood(good, ecosystem);
    let wanted = Moved {
        from: "1.0.0".to_owned(),
        to: "1.1.0".to_owned(),
    };
    table.twin("the bump alone", bump.as_ref() == Some(&wanted), &bump);
    let twice = good.to_owned()
        + &good
            .replace("/package.json", "/web/package.json")
            .replace("/requirements.txt", "/web/requirements.txt");
    let bump = understood(&twice, ecosystem);
    table.twin(
        "the same in two manifests",
        bump.as_ref() == Some(&wanted),
        &bump,
    );
    for (name, text) in rows {
        let found = understood(&text, ecosystem);
        let control = naive(&text);
        table.row(
            name,
            found.is_none(),
            control == Some(("1.0.0", "1.1.0")),
            (&found, control),
        );
    }
    table.ends(count);
}

#[test]
fn a_bump_of_npm_that_is_not_wholly_understood_is_none() {
    tried(
        of_npm(),
        &changed("package.json", NPM),
        Ecosystem::Npm,
        ROWS[0],
    );
}

#[test]
fn a_bump_of_python_that_is_not_wholly_understood_is_none() {
    tried(
        of_pip(),
        &changed("requirements.txt", PIP),
        Ecosystem::PyPi,
        ROWS[1],
    );
}
