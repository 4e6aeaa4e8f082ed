//! Baselines: what an exploit does to its vulnerable target, kept for a while so that a second patch of the same case
//! need not have it shown again.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::guard::Watched;
use super::report::RunReport;
use crate::event::id::hex;

/// How long a baseline may be relied on.
const LASTS: Duration = Duration::from_secs(3_600);
/// The most that are kept.
const MAX_KEPT: usize = 256;

/// What was found of a vulnerable target on which every variant works and every benign check passes.
#[derive(Debug, Clone)]
pub(super) struct Baseline {
    /// The runs that showed it.
    pub(super) runs: Vec<RunReport>,
    /// How often each variant said that it was delivered.
    pub(super) marks: BTreeMap<String, usize>,
    /// What the guard saw of each variant.
    pub(super) watched: BTreeMap<String, Watched>,
}

/// The baselines of an arena.
#[derive(Debug, Default)]
pub(super) struct Baselines {
    kept: Mutex<HashMap<String, (Instant, Baseline)>>,
}

impl Baselines {
    /// Returns the baseline of a key, if there is one that may be relied on.
    pub(super) fn get(&self, key: &str) -> Option<Baseline> {
        let kept = self.kept.lock();
        let (at, baseline) = kept.get(key)?;
        (at.elapsed() < LASTS).then(|| baseline.clone())
    }

    /// Keeps a baseline; the oldest goes where there are too many.
    pub(super) fn keep(&self, key: String, baseline: Baseline) {
        let mut kept = self.kept.lock();
        kept.retain(|_, (at, _)| at.elapsed() < LASTS);
        if kept.len() >= MAX_KEPT {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                kept.remove(&oldest);
            }
        }
        kept.insert(key, (Instant::now(), baseline));
    }
}

/// Returns what a baseline is kept by: everything below the exploit's directory, and the name of its vulnerable target.
///
/// # Errors
/// If the directory cannot be read.
pub(super) fn key(case: &Path, vulnerable: &str) -> io::Result<String> {
    let mut files = Vec::new();
    let mut left = vec![case.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if fs::symlink_metadata(&path)?.is_dir() {
                left.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(vulnerable.as_bytes());
    for path in files {
        let name = path.strip_prefix(case).unwrap_or(&path);
        part(name.as_os_str().as_encoded_bytes());
        match fs::read_link(&path) {
            Ok(link) => part(link.as_os_str().as_encoded_bytes()),
            Err(_) => part(&fs::read(&path)?),
        }
    }
    Ok(hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_of_what_stands_there_now() {
        let case = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(case.path().join("attack.py"), text).unwrap();
        write("one");
        let before = key(case.path(), "x@1").unwrap();
        assert_eq!(key(case.path(), "x@1").unwrap(), before);
        assert_ne!(key(case.path(), "x@2").unwrap(), before);
        write("two");
        assert_ne!(key(case.path(), "x@1").unwrap(), before);
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let baselines = Baselines::default();
        for n in 0..MAX_KEPT + 2 {
            let empty = Baseline {
                runs: Vec::new(),
                marks: BTreeMap::new(),
                watched: BTreeMap::new(),
            };
            baselines.keep(n.to_string(), empty);
        }
        assert_eq!(baselines.kept.lock().len(), MAX_KEPT);
        assert!(baselines.get("0").is_none());
        assert!(baselines.get(&(MAX_KEPT + 1).to_string()).is_some());
    }
}
