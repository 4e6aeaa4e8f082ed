//! Any bytes as a value of each topic that is read: a typed value, or an error of printable ASCII.

#![no_main]

use crisol::diff::synthesize;
use crisol::event::limits::EventLimits;
use crisol::event::patch;
use crisol::event::record::Record;
use crisol::log::letters::Entry;
use crisol::log::source::Coordinates;
use crisol::judge::sketch::Sketch;
use crisol::table::{
    ApvConfig, ApvTable, ControlTable, OpenItems, OpenItemsConfig, VerdictTable, VerdictsConfig,
};
use libfuzzer_sys::fuzz_target;

/// The key of a candidate.
const CANDIDATE: &str =
    "CVE-1|0000000000000000000000000000000000000000000000000000000000000000";

fn printable(message: &str) {
    assert!(
        message.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{message:?}"
    );
}

fuzz_target!(|data: &[u8]| {
    let limits = EventLimits::default();
    // The first byte chooses how much of the rest is the key.
    let (key, value) = match data.split_first() {
        Some((cut, rest)) => rest.split_at(usize::from(*cut).min(rest.len())),
        None => (data, data),
    };
    match patch::decode(Some(value), &limits, synthesize) {
        Ok(patch) => assert!(!patch.patch_id.is_empty() && !patch.cve_id.is_empty()),
        Err(error) => printable(&error.to_string()),
    }
    let at = Coordinates {
        partition: 0,
        offset: 7,
    };
    let verdicts = VerdictTable::new(&VerdictsConfig::default(), limits.clone());
    let tables = [
        ApvTable::new(ApvConfig::default(), limits.clone()).apply(Some(key), Some(value)),
        ControlTable::default().apply(at, Some(key), Some(value)),
        OpenItems::new(OpenItemsConfig::default(), limits.clone()).apply(Some(key), Some(value)),
        verdicts.apply(Some(key), Some(value)),
        // With a key that holds, so that the value is read.
        verdicts.apply(Some(CANDIDATE.as_bytes()), Some(value)),
    ];
    for error in tables.into_iter().filter_map(Result::err) {
        printable(&error);
    }
    if let Ok(text) = std::str::from_utf8(value)
        && let Ok(sketch) = Sketch::from_text(text)
    {
        assert_eq!(sketch.to_text(), text);
    }
    let names = ["reason", "message", "topic", "partition", "offset", "attempt", "digest"];
    let record = Record {
        headers: names
            .iter()
            .zip(value.chunks(8))
            .map(|(name, value)| (format!("crisol_dlq_{name}"), Some(value.to_vec())))
            .collect(),
        ..Record::default()
    };
    let _ = Entry::read(0, record);
});
