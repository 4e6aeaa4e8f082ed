//! The account of a run: every expected event against everything that was seen.

use std::collections::{BTreeMap, HashMap};

use super::compare::{differences, shown};
use super::event::{About, Expected};
use super::report::{Report, Wrong};
use super::sighting::{Outlet, Output, Sighting, Source};

/// Collects what a `read_committed` reader saw of the expected events.
///
/// Events about patches are told apart by `patch_id`, letters by the original's `x-nonce` header, or by the digest
/// of its value where they had to leave the headers out.
#[derive(Debug, Default)]
pub struct Account {
    entries: Vec<Entry>,
    by_patch_id: HashMap<String, usize>,
    by_nonce: HashMap<String, usize>,
    by_large_digest: HashMap<String, usize>,
    sources: HashMap<Source, usize>,
    last: HashMap<(Outlet, i32, String, i32), i64>,
    seen: usize,
    wrong: Vec<Wrong>,
    unexpected: Vec<String>,
    went_back: Vec<String>,
}

/// An event, and where it was seen.
#[derive(Debug)]
struct Entry {
    expected: Expected,
    seen: Vec<(Outlet, Source)>,
}

// === impl Account ===

impl Account {
    /// Returns an account of these events.
    pub fn new(expected: &[Expected]) -> Self {
        let mut account = Self::default();
        for one in expected {
            account.expect(one.clone());
        }
        account
    }

    /// Adds an event that must be seen.
    ///
    /// # Panics
    /// Panics if another event has its patch id or nonce.
    pub fn expect(&mut self, expected: Expected) {
        let at = self.entries.len();
        match &expected.about {
            About::Patch { patch_id, .. } => {
                let other = self.by_patch_id.insert(patch_id.clone(), at);
                assert!(other.is_none(), "patch id {patch_id} twice");
            }
            About::Letter { large: true, .. } => {
                self.by_large_digest.insert(expected.digest.clone(), at);
            }
            About::Letter { .. } => {}
        }
        let other = self.by_nonce.insert(expected.nonce.clone(), at);
        assert!(other.is_none(), "nonce {} twice", expected.nonce);
        self.entries.push(Entry {
            expected,
            seen: Vec::new(),
        });
    }

    /// Returns how many events were not seen yet.
    pub fn outstanding(&self) -> usize {
        self.entries.len() - self.seen
    }

    /// Returns the highest input offset that was seen to have an outcome, for each input partition.
    pub fn progress(&self) -> BTreeMap<i32, i64> {
        let mut highest = BTreeMap::new();
        for ((_, _, _, input), offset) in &self.last {
            let known = highest.entry(*input).or_insert(*offset);
            *known = (*known).max(*offset);
        }
        highest
    }

    /// Takes one record off an output topic.
    pub fn see(&mut self, sighting: &Sighting<'_>) {
        let outlet = sighting.outlet;
        let (output, source) = match sighting.read() {
            Ok(read) => read,
            Err(why) => {
                self.unexpected
                    .push(format!("{outlet:?}: {why}: {}", excerpt(sighting)));
                return;
            }
        };
        self.check_order(sighting, &source);
        let found = match &output {
            Output::Patch { patch_id, .. } => self.by_patch_id.get(patch_id),
            Output::Letter {
                nonce: Some(nonce), ..
            } => self.by_nonce.get(nonce),
            Output::Letter {
                nonce: None,
                digest,
                ..
            } => self.by_large_digest.get(digest),
        };
        let Some(&at) = found else {
            self.unexpected
                .push(format!("{outlet:?} from {source}: {}", excerpt(sighting)));
            return;
        };
        let entry = &mut self.entries[at];
        if entry.seen.is_empty() {
            self.seen += 1;
        }
        entry.seen.push((outlet, source.clone()));
        let event = entry.expected.to_string();
        for (what, expected, seen) in differences(&entry.expected, sighting, &output) {
            let event = event.clone();
            self.wrong.push(Wrong {
                event,
                what,
                expected,
                seen,
            });
        }
        let other = *self.sources.entry(source.clone()).or_insert(at);
        if other != at {
            let other = self.entries[other].expected.to_string();
            self.wrong.push(Wrong {
                event,
                what: "source".to_owned(),
                expected: "one of its own".to_owned(),
                seen: format!("{source}, which is that of {other}"),
            });
        }
    }

    /// Returns what was lost, came twice, came otherwise or was not asked for.
    pub fn verdict(&self) -> Report {
        let mut report = Report {
            expected: self.entries.len(),
            seen: self.seen,
            wrong: self.wrong.clone(),
            unexpected: self.unexpected.clone(),
            went_back: self.went_back.clone(),
            ..Report::default()
        };
        for Entry { expected, seen } in &self.entries {
            *report
                .split
                .entry((expected.disposition, expected.reason))
                .or_default() += 1;
            match seen.as_slice() {
                [] => report.lost.push(expected.to_string()),
                [_] => {}
                many => {
                    let places: Vec<String> = many
                        .iter()
                        .map(|(outlet, source)| format!("{outlet:?} from {source}"))
                        .collect();
                    report
                        .twice
                        .push(format!("{expected}: {}", places.join(", ")));
                }
            }
        }
        report
    }

    /// Within one output partition, what comes of one input partition keeps its order.
    fn check_order(&mut self, sighting: &Sighting<'_>, source: &Source) {
        let key = (
            sighting.outlet,
            sighting.partition,
            source.topic.clone(),
            source.partition,
        );
        let last = self.last.entry(key).or_insert(source.offset);
        if source.offset < *last {
            let (outlet, partition) = (sighting.outlet, sighting.partition);
            self.went_back.push(format!(
                "{outlet:?} partition {partition}: {source} after offset {last}"
            ));
        }
        *last = (*last).max(source.offset);
    }
}

fn excerpt(sighting: &Sighting<'_>) -> String {
    let value = sighting.value.unwrap_or_default();
    shown(Some(&value[..value.len().min(200)]))
}
