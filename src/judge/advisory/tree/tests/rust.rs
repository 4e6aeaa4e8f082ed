//! Claims about files of cargo.

use super::{code, facts, whole};
use crate::event::facts::{ApvFacts, Ecosystem};

fn time() -> ApvFacts {
    facts(&[(Ecosystem::CratesIo, "time", "0.2.23")])
}

#[test]
fn a_manifest_is_seen_in_all_its_tables() {
    let moved = [("0.2.22", "0.2.23")];
    for (text, wanted) in [
        ("[dependencies]\ntime = \"0.2.22\"\n", "remedies"),
        (
            "[dependencies.time]\nfeatures = [\"std\"]\nversion = \"0.2.22\"\n",
            "remedies",
        ),
        (
            "[target.'cfg(unix)'.build-dependencies]\ntime = { version = \"0.2.22\" }\n",
            "remedies",
        ),
        ("[workspace.dependencies]\ntime = \"0.2.22\"\n", "remedies"),
        (
            "[dependencies]\nold = { package = \"time\", version = \"0.2.22\" }\n",
            "remedies",
        ),
        (
            "[package]\nname = \"x\"\nversion = \"0.2.22\"\n",
            "other_change",
        ),
        (
            "[dependencies]\ntime = \"0.2.22\"\n[patch.crates-io]\ntime = { path = \"x\" }\n",
            "replaced",
        ),
        (
            "[dependencies]\ntime = \"0.2.22\"\n[replace]\n\"time:0.2.23\" = { path = \"x\" }\n",
            "replaced",
        ),
        (
            "[dependencies]\ntime = { version = \"0.2.22\", git = \"https://e/x\" }\n",
            "non_registry_source",
        ),
        (
            "[dependencies]\ntime = { version = \"0.2.22\", package = \"evil\" }\n",
            "alias",
        ),
        (
            "[dependencies]\ntime = \"0.2.22\"\n[dev-dependencies]\ntime = \"=0.2.7\"\n",
            "place_left_behind",
        ),
        (
            "[dependencies]\ntime = \"0.2.22\"\n[target.'cfg(windows)'.dependencies]\nold = { package = \"time\", version = \"0.1.1\" }\n",
            "place_left_behind",
        ),
    ] {
        assert_eq!(code("Cargo.toml", text, &moved, &time()), wanted, "{text}");
    }
}

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.80\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n\n[[package]]\nname = \"time\"\nversion = \"0.2.22\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"\ndependencies = [\n \"libc\",\n]\n\n[[package]]\nname = \"x\"\nversion = \"0.1.0\"\ndependencies = [\n \"time 0.2.22\",\n]\n";

#[test]
fn an_entry_moves_with_its_checksum_and_its_mentions() {
    let (b, c) = ("b".repeat(64), "c".repeat(64));
    let of = |replaced: &[(&str, &str)]| code("Cargo.lock", LOCK, replaced, &time());
    assert_eq!(of(&[("0.2.22", "0.2.23"), (&b, &c)]), "remedies");
    assert_eq!(of(&[("0.2.22", "0.2.23")]), "entry_incomplete");
    assert_eq!(
        of(&[("\"0.2.22\"", "\"0.2.23\""), (&b, &c)]),
        "place_left_behind"
    );
    assert_eq!(
        of(&[("0.2.22", "0.2.23"), (&b, &c), ("\"libc\",", "\"evil\",")]),
        "dependencies_move"
    );
    assert_eq!(
        of(&[("0.2.22", "0.2.23"), (&b, &c), (" \"libc\",\n", "")]),
        "remedies"
    );
    assert_eq!(
        of(&[("0.2.22", "0.2.23"), (&b, &c), ("0.2.80", "0.2.81")]),
        "other_change"
    );
    assert_eq!(of(&[(&b, &c)]), "integrity_without_version");
    let git = (
        "name = \"time\"\nversion = \"0.2.22\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"",
        "name = \"time\"\nversion = \"0.2.23\"\nsource = \"git+https://e/x#0\"",
    );
    assert_eq!(
        of(&[git, ("time 0.2.22", "time 0.2.23"), (&b, &c)]),
        "non_registry_source"
    );
}

#[test]
fn a_second_version_in_a_lock_is_a_place() {
    let second = LOCK.replace(
        "[[package]]\nname = \"time\"",
        &format!("[[package]]\nname = \"time\"\nversion = \"0.1.43\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"\n\n[[package]]\nname = \"time\"", "d".repeat(64)),
    );
    let (b, c) = ("b".repeat(64), "c".repeat(64));
    assert_eq!(
        code(
            "Cargo.lock",
            &second,
            &[("0.2.22", "0.2.23"), (&b, &c)],
            &time()
        ),
        "place_left_behind"
    );
    // Where the older one is not affected, it may stay.
    let mut facts = time();
    facts.packages[0].affected = [">=0.2.7,<0.2.23".into()].into();
    facts.packages[0].fixed = ["0.1.0".into(), "0.2.23".into()].into();
    assert_eq!(
        code(
            "Cargo.lock",
            &second,
            &[("0.2.22", "0.2.23"), (&b, &c)],
            &facts
        ),
        "remedies"
    );
}

#[test]
fn a_lock_pins_what_the_manifest_leaves_open() {
    let manifest = "[dependencies]\ntime = \"0.2\"\n";
    let named = "[dependencies]\ntime = \"0.2.10\"\n";
    let after = LOCK
        .replace("0.2.22", "0.2.23")
        .replace(&"b".repeat(64), &"c".repeat(64));
    let both = [
        ("Cargo.toml", manifest, named),
        ("Cargo.lock", LOCK, &*after),
    ];
    assert_eq!(whole(&both, &time()).code(), "remedies");
    assert_ne!(whole(&both[..1], &time()).code(), "remedies");
}
