//! Digests and URLs must move with their version, in every lock file.

use super::*;

const UNMOVED: &str = "bookkeeping_unmoved";
const UNSEEN: &str = "bookkeeping_not_seen";

fn sri(letter: char) -> String {
    format!("sha512-{}==", letter.to_string().repeat(86))
}

fn sha256(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// Asserts the codes of an entry whose digest moves, stays, is written anew as it was, and is not shown.
///
/// `entry` makes the hunk from the lines of the digest.
fn digests(
    path: &str,
    facts: &ApvFacts,
    line: &dyn Fn(char) -> String,
    entry: &dyn Fn(&str) -> String,
) {
    let (a, b) = (line('a'), line('b'));
    let with = |lines: &str| code(path, &entry(lines), facts);
    assert_eq!(with(&format!("-{a}\n+{b}\n")), "remedies", "{path}");
    assert_eq!(with(&format!(" {a}\n")), UNMOVED, "{path}");
    assert_eq!(with(&format!("-{a}\n+{a}\n")), UNMOVED, "{path}");
    assert_eq!(with(""), UNSEEN, "{path}");
}

#[test]
fn a_digest_moves_with_its_entry() {
    digests(
        "package-lock.json",
        &lodash(),
        &|letter| format!("      \"integrity\": \"{}\",", sri(letter)),
        &|lines| {
            format!(
                "     \"node_modules/lodash\": {{\n-      \"version\": \"4.17.20\",\n-      \"resolved\": \"https://r.example/lodash/-/lodash-4.17.20.tgz\",\n\
                 +      \"version\": \"4.17.21\",\n+      \"resolved\": \"https://r.example/lodash/-/lodash-4.17.21.tgz\",\n{lines}       \"license\": \"MIT\"\n     }},"
            )
        },
    );
    digests(
        "yarn.lock",
        &lodash(),
        &|letter| format!("  integrity {}", sri(letter)),
        &|lines| {
            format!(
                " lodash@^4.17.20:\n-  version \"4.17.20\"\n-  resolved \"https://r.example/lodash/-/lodash-4.17.20.tgz\"\n\
                 +  version \"4.17.21\"\n+  resolved \"https://r.example/lodash/-/lodash-4.17.21.tgz\"\n{lines} "
            )
        },
    );
    digests(
        "yarn.lock",
        &lodash(),
        &|letter| format!("  checksum: 10c0/{}", letter.to_string().repeat(128)),
        &|lines| {
            format!(
                " \"lodash@npm:^4.17.20\":\n-  version: 4.17.20\n-  resolution: \"lodash@npm:4.17.20\"\n\
                 +  version: 4.17.21\n+  resolution: \"lodash@npm:4.17.21\"\n{lines}   languageName: node"
            )
        },
    );
    digests(
        "Cargo.lock",
        &time(),
        &|letter| format!("checksum = \"{}\"", letter.to_string().repeat(64)),
        &|lines| {
            format!(
                " [[package]]\n name = \"time\"\n-version = \"0.2.22\"\n+version = \"0.2.23\"\n source = \"registry+https://github.com/rust-lang/crates.io-index\"\n{lines}"
            )
        },
    );
    digests(
        "requirements.txt",
        &django(),
        &|letter| format!("    --hash={}", sha256(letter)),
        &|lines| format!("-django==3.2.11 \\\n+django==3.2.12 \\\n{lines}     # via x"),
    );
    digests(
        "Pipfile.lock",
        &django(),
        &|letter| format!("                \"{}\"", sha256(letter)),
        &|lines| {
            format!(
                "         \"django\": {{\n             \"hashes\": [\n{lines}             ],\n-            \"version\": \"==3.2.11\"\n+            \"version\": \"==3.2.12\"\n         }},"
            )
        },
    );
}

#[test]
fn a_digest_of_pnpm_moves_in_one_of_the_entries_of_its_version() {
    let entry = |old: &str, new: &str| {
        format!(
            "       lodash:\n         specifier: ^4.17.20\n-        version: 4.17.20\n+        version: 4.17.21\n packages:\n-  lodash@4.17.20:\n{old}+  lodash@4.17.21:\n{new}     engines: {{node: '>=6'}}"
        )
    };
    let line = |sign, letter| format!("{sign}    resolution: {{integrity: {}}}\n", sri(letter));
    let with = |old: &str, new: &str| code("pnpm-lock.yaml", &entry(old, new), &lodash());
    assert_eq!(with(&line('-', 'a'), &line('+', 'b')), "remedies");
    assert_eq!(with(&line('-', 'a'), &line('+', 'a')), UNMOVED);
    assert_eq!(with("", &line(' ', 'a')), UNMOVED);
    assert_eq!(with("", ""), UNSEEN);
    let importer = "       lodash:\n         specifier: ^4.17.20\n-        version: 4.17.20\n+        version: 4.17.21";
    assert_eq!(code("pnpm-lock.yaml", importer, &lodash()), UNSEEN);
}

#[test]
fn artifacts_of_python_locks_move_with_the_version_in_their_names() {
    let poetry = |files: &str| {
        format!(
            " [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"3.2.12\"\n description = \"d\"\n files = [\n{files} ]"
        )
    };
    let uv = |files: &str| {
        format!(
            " [[package]]\n name = \"django\"\n-version = \"3.2.11\"\n+version = \"3.2.12\"\n source = {{ registry = \"https://pypi.org/simple\" }}\n wheels = [\n{files} ]"
        )
    };
    let file = |sign: char, version: &str, letter: char| {
        format!(
            "{sign}    {{file = \"Django-{version}.tar.gz\", hash = \"{}\"}},\n",
            sha256(letter)
        )
    };
    let url = |sign: char, version: &str, letter: char| {
        format!(
            "{sign}    {{ url = \"https://files.pythonhosted.org/Django-{version}.tar.gz\", hash = \"{}\", size = 1 }},\n",
            sha256(letter)
        )
    };
    type Line = dyn Fn(char, &str, char) -> String;
    type Entry = dyn Fn(&str) -> String;
    let kinds: [(&str, &Entry, &Line); 2] =
        [("poetry.lock", &poetry, &file), ("uv.lock", &uv, &url)];
    for (path, entry, line) in kinds {
        let with = |lines: &str| code(path, &entry(lines), &django());
        let moves = line('-', "3.2.11", 'a') + &line('+', "3.2.12", 'b');
        assert_eq!(with(&moves), "remedies", "{path}");
        assert_eq!(with(&line(' ', "3.2.11", 'a')), UNMOVED, "{path}");
        // A wheel moves, the archive of the sources stays.
        assert_eq!(
            with(&(line(' ', "3.2.11", 'c') + &moves)),
            UNMOVED,
            "{path}"
        );
        let renamed = line('-', "3.2.11", 'a') + &line('+', "3.2.12", 'a');
        assert_eq!(with(&renamed), UNMOVED, "{path}");
        assert_eq!(with(""), UNSEEN, "{path}");
    }
    // Poetry: an entry from git has no files.
    let git = poetry("").replace("files = [\n ]", "files = []\n develop = false");
    assert_eq!(code("poetry.lock", &git, &django()), UNSEEN);
}

#[test]
fn a_digest_on_the_line_itself_moves_too() {
    let url = |digest: char| {
        format!(
            " lodash@^4.17.20:\n-  version \"4.17.20\"\n-  resolved \"https://r.example/lodash/-/lodash-4.17.20.tgz#{}\"\n+  version \"4.17.21\"\n+  resolved \"https://r.example/lodash/-/lodash-4.17.21.tgz#{}\"\n ",
            "a".repeat(40),
            digest.to_string().repeat(40)
        )
    };
    assert_eq!(code("yarn.lock", &url('b'), &lodash()), "remedies");
    assert_eq!(code("yarn.lock", &url('a'), &lodash()), UNMOVED);
    let inline = |letter| {
        format!(
            "-django==3.2.11 --hash={}\n+django==3.2.12 --hash={}",
            sha256('a'),
            sha256(letter)
        )
    };
    assert_eq!(
        code("requirements.txt", &inline('b'), &django()),
        "remedies"
    );
    assert_eq!(code("requirements.txt", &inline('a'), &django()), UNMOVED);
}

#[test]
fn a_sum_of_go_moves_and_covers_the_whole_module() {
    let module = " require (\n-\tgolang.org/x/net v0.16.0\n+\tgolang.org/x/net v0.17.0\n )";
    let sum = |sign, version, letter: &str| {
        format!(
            "{sign}golang.org/x/net {version} h1:{}=\n",
            letter.repeat(43)
        )
    };
    let with =
        |lines: &str| judged(&diff_of(&[("go.mod", module), ("go.sum", lines)]), &net()).code();
    let whole = |letter| sum('-', "v0.16.0", "a") + &sum('+', "v0.17.0", letter);
    let manifest = sum('-', "v0.16.0/go.mod", "c") + &sum('+', "v0.17.0/go.mod", "d");
    assert_eq!(with(&(whole("b") + &manifest)), "remedies");
    assert_eq!(with(&(whole("a") + &manifest)), UNMOVED);
    assert_eq!(with(&manifest), UNSEEN);
    // Sums of other versions of the graph are usual.
    let graph = sum(' ', "v0.9.0/go.mod", "e");
    assert_eq!(with(&(whole("b") + &manifest + &graph)), "remedies");
}

#[test]
fn an_entry_from_another_archive_does_not_move() {
    let entry = |behind: &str| {
        format!(
            "     \"node_modules/a/node_modules/lodash\": {{\n-      \"version\": \"4.17.20\",\n-      \"resolved\": \"https://r.example/lodash/-/lodash-4.17.20.tgz\",\n-      \"integrity\": \"{}\",\n\
             +      \"version\": \"4.17.21\",\n+      \"resolved\": \"https://r.example/lodash/-/lodash-4.17.21.tgz\",\n+      \"integrity\": \"{}\",\n{behind}       \"license\": \"MIT\"",
            sri('a'),
            sri('b')
        )
    };
    let with = |behind: &str| code("package-lock.json", &entry(behind), &lodash());
    assert_eq!(with("       \"dev\": true,\n"), "remedies");
    assert_eq!(with("       \"inBundle\": true,\n"), "bundled");
    assert_eq!(with("       \"bundled\": true,\n"), "bundled");
    assert_eq!(
        with("       \"bin\": {\n         \"x\": \"x\"\n       },\n       \"inBundle\": true,\n"),
        "bundled"
    );
    assert_eq!(with("       \"link\": true,\n"), "non_registry_source");
}
