//! Any text as a diff: within its limits and whole, or an error.

#![no_main]

use crisol::diff::{DiffLimits, Side, find_hidden, parse, synthesize};
use crisol::judge::features::{BOUND, COLUMNS, Extractor};
use crisol::judge::sketch::Sketch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let limits = DiffLimits::default();
    if let Ok(diff) = parse(text, &limits) {
        assert!(!diff.files.is_empty() && diff.files.len() <= limits.max_files);
        let hunks = || diff.files.iter().flat_map(|file| &file.hunks);
        assert!(hunks().count() <= limits.max_hunks);
        let of = |side: Side| {
            let lines = hunks().flat_map(|hunk| &hunk.lines);
            lines.filter(|line| line.side == side).count()
        };
        assert_eq!(of(Side::Added), diff.added_lines);
        assert_eq!(of(Side::Removed), diff.removed_lines);
        for file in &diff.files {
            let path = file.path();
            assert!(!path.split('/').any(|part| part == ".."), "{path:?}");
        }
        let _ = find_hidden(&diff);
        let read = Extractor::default().read(&diff);
        assert_eq!(read.features.len(), COLUMNS);
        assert!(read.features.iter().all(|value| value.abs() <= BOUND), "{:?}", read.features);
        assert_eq!(Sketch::from_text(&read.sketch.to_text()), Ok(read.sketch));
    }
    // What is made of code before and after is a diff again, unless it is past a limit or no change.
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
    let (before, after) = text.split_at(middle.unwrap_or(0));
    let made = synthesize("x.c", before, after);
    if before != after && made.len() < 9_000 {
        parse(&made, &limits).unwrap_or_else(|error| panic!("{error}: {made:?}"));
    }
});
