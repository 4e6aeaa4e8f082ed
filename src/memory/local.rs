//! Memory inside the process, for where no Redis is told of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::event::record::Memo;
use crate::memory::store::{Store, StoreError};

/// Memory inside the process, bounded in bytes: the least used go first.
pub struct LocalStore {
    kept: Cache<String, Arc<[u8]>>,
}

impl LocalStore {
    /// Returns an empty store that keeps at most `max_bytes` of keys and values, each for `ttl`.
    pub fn new(max_bytes: u64, ttl: Duration) -> Self {
        let weigh = |key: &String, value: &Arc<[u8]>| {
            u32::try_from(key.len() + value.len()).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(weigh)
            .time_to_live(ttl)
            .build();
        Self { kept }
    }
}

impl Store for LocalStore {
    fn name(&self) -> &'static str {
        "process"
    }

    fn get(&self, keys: &[&str], _wait: Duration) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        Ok(keys
            .iter()
            .map(|key| self.kept.get(*key).map(|value| value.to_vec()))
            .collect())
    }

    fn put(&self, memos: Vec<Memo>) -> usize {
        let taken = memos.len();
        for memo in memos {
            self.kept.insert(memo.key, memo.value.into());
        }
        taken
    }

    fn forget(&self, prefix: &str) -> Result<u64, StoreError> {
        let keys: Vec<Arc<String>> = self
            .kept
            .iter()
            .map(|(key, _)| key)
            .filter(|key| key.starts_with(prefix))
            .collect();
        let mut forgotten = 0;
        for key in keys {
            forgotten += u64::from(self.kept.remove(key.as_str()).is_some());
        }
        Ok(forgotten)
    }

    fn ping(&self, _wait: Duration) -> Result<Duration, StoreError> {
        let asked = Instant::now();
        self.kept.contains_key("");
        Ok(asked.elapsed())
    }
}
