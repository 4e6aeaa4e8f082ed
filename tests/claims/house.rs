//! The house: rooms in layer order, small files, and what no file may hold.

mod source;

use source::{Source, read_all};

/// The rooms of `src/`. A room uses only those before it and itself; test modules may use any.
const ORDER: [&str; 18] = [
    "config", "event", "diff", "ledger", "guard", "judge", "policy", "exploit", "arena", "log",
    "table", "memory", "stage", "pipeline", "engine", "http", "role", "cli",
];
/// More lines than this need a reason.
const LONG: usize = 400;
/// What a long file says in its first comment, before its reason.
const REASON: &str = "over 400 lines";
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "utils", "util", "helpers", "helper", "common", "manager", "misc", "shared",
];

#[test]
fn a_room_uses_only_the_rooms_before_it() {
    let found: Vec<String> = read_all("src").iter().flat_map(against_the_order).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn an_import_against_the_order_is_found_in_every_form() {
    for text in [
        "use crate::cli::Exit;",
        "pub(crate) use crate::cli;",
        "use crate::{event::id, cli::{Exit, Failure}};",
        "use crate::{\n    diff::{Diff, Side},\n    cli,\n};",
        "fn f() { crate::cli::main(); }",
        "fn f() { crate :: cli :: main(); }",
        "use super::super::cli::Exit;",
    ] {
        let found = against_the_order(&Source::of("src/log/made_up.rs", text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("log uses cli"), "{found:?}");
    }
    for text in [
        "use crate::event::id;",
        "use crate::log::client::KafkaConfig;",
        "use super::client::KafkaConfig;",
        "// use crate::cli;",
        "#[cfg(test)]\nmod tests { use crate::cli::Exit; }",
    ] {
        let found = against_the_order(&Source::of("src/log/made_up.rs", text));
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn the_library_lists_its_rooms_in_layer_order() {
    let library = read_all("src")
        .into_iter()
        .find(|s| s.path.ends_with("src/lib.rs"))
        .unwrap();
    let listed: Vec<&str> = library
        .code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(listed, ORDER);
}

#[test]
fn main_decides_nothing() {
    let main = read_all("src")
        .into_iter()
        .find(|s| s.path.ends_with("src/main.rs"))
        .unwrap();
    assert!(main.text.lines().count() < 80);
}

#[test]
fn a_long_file_gives_its_reason_first() {
    let found: Vec<String> = read_all("src")
        .iter()
        .filter_map(long_without_reason)
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    let long = "fn f() {}\n".repeat(LONG + 1);
    assert!(long_without_reason(&Source::of("src/log/made_up.rs", &long)).is_some());
    let excused = format!("//! A thing. {REASON}, because it is one.\n{long}");
    assert!(long_without_reason(&Source::of("src/log/made_up.rs", &excused)).is_none());
}

#[test]
fn no_file_hides_behind_an_empty_name() {
    for source in read_all("src").iter().chain(&read_all("tests")) {
        for part in source.path.with_extension("").components() {
            let name = part.as_os_str().to_str().unwrap();
            assert!(
                !EMPTY_NAMES.contains(&name),
                "{}: {name}",
                source.path.display()
            );
        }
    }
}

#[test]
fn nothing_is_unsafe_unfinished_or_skipped() {
    let found: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(read_all)
        .flat_map(|s| banned(&s))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    for text in [
        "fn f() { unsafe { g() } }",
        "fn f() { todo!() }",
        "unimplemented!(\"x\");",
        "#[ignore = \"slow\"]\nfn f() {}",
    ] {
        assert_eq!(
            banned(&Source::of("src/log/made_up.rs", text)).len(),
            1,
            "{text}"
        );
    }
}

/// Returns what a source uses of rooms that come after its own.
fn against_the_order(source: &Source) -> Vec<String> {
    let parts: Vec<String> = source
        .path
        .with_extension("")
        .components()
        .skip(1)
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .filter(|part| part != "mod")
        .collect();
    let room = parts.first().unwrap();
    let Some(own) = ORDER.iter().position(|known| known == room) else {
        // The crate's roots belong to no room.
        assert!(
            matches!(room.as_str(), "lib" | "main"),
            "{room} has no place in the order"
        );
        return Vec::new();
    };
    if source.is_test() {
        return Vec::new();
    }
    let dense: String = source.code.split_whitespace().collect();
    // As many `super` as the file lies deep lead to the root as well.
    let climb = "super::".repeat(parts.len());
    let dense = dense.replace(&climb, "crate::");
    dense
        .split("crate::")
        .skip(1)
        .flat_map(names)
        .filter(|used| {
            let place = ORDER.iter().position(|known| known == used);
            // All rooms at once would bring the later ones along.
            matches!(*used, "*" | "self") || place.is_some_and(|at| at > own)
        })
        .map(|used| {
            format!(
                "{}: {room} uses {used}, which comes after it",
                source.path.display()
            )
        })
        .collect()
}

/// Returns the first name of each path that a `use` tree or a path begins with.
fn names(tree: &str) -> Vec<&str> {
    let Some(group) = tree.strip_prefix('{') else {
        return vec![first_word(tree)];
    };
    let mut depth = 1;
    let mut found = vec![first_word(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => found.push(first_word(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn first_word(text: &str) -> &str {
    let ends = |c: char| !c.is_alphanumeric() && !matches!(c, '_' | '*');
    let end = text.find(ends).unwrap_or(text.len());
    &text[..end]
}

fn long_without_reason(source: &Source) -> Option<String> {
    let lines = source.shipped_lines();
    let head: String = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let excused = head.to_lowercase().contains(REASON);
    (lines > LONG && !excused).then(|| {
        format!(
            "{}: {lines} lines and no \"{REASON}\" with a reason at its top",
            source.path.display()
        )
    })
}

fn banned(source: &Source) -> Vec<String> {
    ["unsafe ", "unsafe{", "todo!", "unimplemented!", "#[ignore"]
        .into_iter()
        .filter(|word| source.code.contains(word))
        .map(|word| format!("{}: {}", source.path.display(), word.trim()))
        .collect()
}
