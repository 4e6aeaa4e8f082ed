//! The guard of an attack that runs in one process with the library that it attacks.
//!
//! Nothing inside such a process can rule out that a hostile patch speaks for the harness. But a patch that replaces
//! what the attack stands on, so that evidence never arrives, leaves the replacement behind: the guard is loaded before
//! the library, compares the functions of the runtime at the end, and writes a file by way of them. What the unpatched
//! library does as well counts for nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use uuid::Uuid;

use super::sandbox::Work;
use super::surroundings::ARENA;
use crate::exploit::Runtime;

const NODE: &str = include_str!("guard/node.js");
const NODE_PATH: &str = "/crisol/guard.js";
const PYTHON: &str = include_str!("guard/sitecustomize.py");
const PYTHON_PATH: &str = "/crisol/guard/sitecustomize.py";
/// What stands before the target among Python's directories; the first `sitecustomize` is the one that counts.
pub(super) const PYTHON_DIRECTORY: &str = "/crisol/guard";

/// The guard of one run.
#[derive(Debug)]
pub(super) struct Guard {
    control: String,
    report: String,
    nonce: String,
}

/// What a guard saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// Functions of the runtime that were others at the end than at the beginning.
    pub(super) changed: BTreeSet<String>,
    /// Whether the file that it wrote by way of them arrived.
    pub(super) writes_arrive: bool,
}

/// The report of a guard.
#[derive(Deserialize)]
struct Report {
    nonce: String,
    changed: Vec<String>,
}

impl Guard {
    /// Returns a guard with names that nobody knows beforehand.
    pub(super) fn new() -> Self {
        let word = || Uuid::new_v4().simple().to_string();
        Self {
            control: word(),
            report: word(),
            nonce: word(),
        }
    }

    /// Adds what the run needs for it.
    pub(super) fn add(
        &self,
        runtime: Runtime,
        fixtures: &mut BTreeMap<String, String>,
        environment: &mut Vec<(String, String)>,
    ) {
        let Self {
            control,
            report,
            nonce,
        } = self;
        let told = format!("{ARENA}/{control}:{ARENA}/{report}:{nonce}");
        environment.push(("CRISOL_GUARD".to_owned(), told));
        match runtime {
            Runtime::Node => {
                fixtures.insert(NODE_PATH.to_owned(), NODE.to_owned());
                let option = format!("--require={NODE_PATH}");
                environment.push(("NODE_OPTIONS".to_owned(), option));
            }
            Runtime::Python => {
                fixtures.insert(PYTHON_PATH.to_owned(), PYTHON.to_owned());
            }
        }
    }

    /// Returns what it saw; `None` if it came to no end, as where the attack ends its own process.
    pub(super) fn watched(&self, work: &Work) -> Option<Watched> {
        let report: Report = serde_json::from_slice(&work.file(&self.report)?).ok()?;
        (report.nonce == self.nonce).then(|| Watched {
            changed: report.changed.into_iter().collect(),
            writes_arrive: work.file(&self.control).as_deref() == Some(self.nonce.as_bytes()),
        })
    }
}

/// Returns how a patch meddles with what an attack stands on, by what guards saw before and after it.
pub(super) fn meddling(before: Option<&Watched>, after: Option<&Watched>) -> Option<String> {
    let Some(before) = before.filter(|before| before.writes_arrive) else {
        // Where the guard does not see the unpatched library's end, it says nothing of the patched one's.
        return None;
    };
    let Some(after) = after else {
        return Some("the process ends before its guard".to_owned());
    };
    if !after.writes_arrive {
        return Some("what the process writes does not arrive".to_owned());
    }
    let mut more = after.changed.difference(&before.changed);
    more.next()
        .map(|name| format!("the patched library replaces {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(changed: &[&str], writes_arrive: bool) -> Watched {
        Watched {
            changed: changed.iter().map(|name| (*name).to_owned()).collect(),
            writes_arrive,
        }
    }

    #[test]
    fn what_the_unpatched_library_does_as_well_counts_for_nothing() {
        let before = watched(&["fs.close"], true);
        assert_eq!(
            meddling(Some(&before), Some(&watched(&["fs.close"], true))),
            None
        );
        assert_eq!(meddling(Some(&before), Some(&watched(&[], true))), None);
        assert_eq!(meddling(None, None), None);
        for after in [
            None,
            Some(watched(&["fs.close"], false)),
            Some(watched(&["fs.close", "fs.writeFileSync"], true)),
        ] {
            assert!(
                meddling(Some(&before), after.as_ref()).is_some(),
                "{after:?}"
            );
        }
    }
}
