//! crates.io: `Cargo.toml` and `Cargo.lock`.

use super::*;

#[test]
fn all_forms_of_cargo_requirements_are_read() {
    let good = [
        " [dependencies]\n-time = \"0.2.7\"\n+time = \"0.2.23\"",
        " [workspace.dependencies]\n-time = { version = \"0.3.1\", features = [\"std\"] } # t\n+time = { version = \"0.3.5\", features = [\"std\"] } # t",
        " [dependencies.time]\n-version = \"=0.3.1\"\n+version = \"=0.3.5\"",
        " [target.'cfg(unix)'.dev-dependencies]\n-time = \"~0.3.1\"\n+time = \"~0.3.5\"",
    ];
    for lines in good {
        assert_eq!(code("Cargo.toml", lines, &time()), "remedies", "{lines}");
    }
    // A caret of 0.2 ends before 0.3, which is affected too; an open range does not.
    let open = " [dependencies]\n-time = \">=0.2.7\"\n+time = \">=0.2.23\"";
    assert_eq!(code("Cargo.toml", open, &time()), "admits_affected");
}

#[test]
fn cargo_lines_that_install_something_else_are_refused() {
    let table = [
        (
            " [package]\n-version = \"0.3.1\"\n+version = \"0.3.5\"",
            "section",
        ),
        ("-version = \"0.3.1\"\n+version = \"0.3.5\"", "section"),
        (
            " [patch.crates-io]\n-time = \"0.3.1\"\n+time = \"0.3.5\"",
            "replaced",
        ),
        (
            " [dependencies]\n-time = \"0.3.1\"\n+time = { version = \"0.3.5\", git = \"https://evil.example\" }",
            "non_registry_source",
        ),
        (
            " [dependencies]\n-time = \"0.3.1\"\n+time = { version = \"0.3.5\", package = \"evil\" }",
            "alias",
        ),
        (
            " [dependencies]\n-time = \"0.3.1\"\n+time = { version = \"0.3.5\", features = [\"x\"] }",
            "more_than_the_version",
        ),
        (
            " [dependencies]\n-time = \"0.3.1\"\n+time_ = \"0.3.5\"",
            "other_package",
        ),
        (
            " [dependencies.time]\n-version = \"0.3.1\"\n+version = \"0.3.5\"\n git = \"https://x.example\"",
            "non_registry_source",
        ),
    ];
    for (lines, expected) in table {
        assert_eq!(code("Cargo.toml", lines, &time()), expected, "{lines}");
    }
}

fn lock(source: &str, sums: bool) -> String {
    let sum = |sign, letter: &str| format!("{sign}checksum = \"{}\"\n", letter.repeat(64));
    let (old, new) = if sums {
        (sum("-", "a"), sum("+", "b"))
    } else {
        (sum("-", "a"), String::new())
    };
    format!(
        " [[package]]\n name = \"time\"\n-version = \"0.3.1\"\n+version = \"0.3.5\"\n{source}{old}{new} dependencies = [\n-  \"time 0.3.1\",\n+  \"time 0.3.5\",\n ]"
    )
}

#[test]
fn an_entry_of_the_cargo_lock_moves_with_its_checksum() {
    let crates_io = " source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    assert_eq!(
        code("Cargo.lock", &lock(crates_io, true), &time()),
        "remedies"
    );
    assert_eq!(
        code("Cargo.lock", &lock(crates_io, false), &time()),
        "integrity_dropped"
    );
    assert_eq!(
        code(
            "Cargo.lock",
            &lock(" source = \"git+https://evil.example/time#abc\"\n", true),
            &time()
        ),
        "non_registry_source"
    );
    // Without a source it is a member of the workspace, perhaps the very project that is vulnerable.
    assert_eq!(
        code("Cargo.lock", &lock("", true), &time()),
        "entry_incomplete"
    );
}

#[test]
fn a_mention_alone_moves_nothing() {
    let lines = " dependencies = [\n-  \"time 0.3.1\",\n+  \"time 0.3.5\",\n ]";
    assert_eq!(code("Cargo.lock", lines, &time()), "nothing_affected_moves");
}
