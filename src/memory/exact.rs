//! Exact memory: a store, what seals its values, and the breaker before it.

use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::config::{KeyedHash, SecretKey};
use crate::event::codec::printable;
use crate::event::record::Memo;
use crate::guard::breaker::Breaker;
use crate::memory::MemoryConfig;
use crate::memory::key::prefix_of;
use crate::memory::local::LocalStore;
use crate::memory::metrics::{MemoryMetrics, Recall};
use crate::memory::redis::{RedisOptions, RedisStore};
use crate::memory::remembered::{Found, Remembered};
use crate::memory::store::{Store, StoreError};

/// The use of the secret key.
const LABEL: &str = "crisol/exact-memory/1";
/// The breaker's name.
const BREAKER: &str = "cache";

/// Exact memory.
pub struct ExactMemory {
    store: Box<dyn Store>,
    seals: KeyedHash,
    breaker: Breaker,
    wait: Duration,
    metrics: MemoryMetrics,
}

impl ExactMemory {
    /// Returns the memory that the settings ask for, and that `readers` callers may ask at once.
    ///
    /// # Errors
    /// [`StoreError`] if the address of Redis is none. That Redis is away is no error.
    pub fn start(
        config: &MemoryConfig,
        key: &SecretKey,
        readers: usize,
        metrics: MemoryMetrics,
    ) -> Result<Self, StoreError> {
        let store: Box<dyn Store> = match &config.redis_url {
            Some(url) => Box::new(RedisStore::start(RedisOptions {
                url: url.clone(),
                connect: Duration::from_millis(config.connect_ms),
                ttl: config.ttl(),
                readers,
            })?),
            None if config.is_off() => {
                info!("no REDIS_URL and memory.local_mib is 0: nothing is remembered");
                Box::new(local(config))
            }
            None => {
                info!("no REDIS_URL: what is learned is remembered in this process alone");
                Box::new(local(config))
            }
        };
        Ok(Self::over(store, config, key.keyed(LABEL), metrics))
    }

    /// Returns memory inside this process, wherever the settings say that Redis is. It needs no key.
    pub fn in_process(config: &MemoryConfig, metrics: MemoryMetrics) -> Self {
        let seals = SecretKey::of_this_process().keyed(LABEL);
        Self::over(Box::new(local(config)), config, seals, metrics)
    }

    fn over(
        store: Box<dyn Store>,
        config: &MemoryConfig,
        seals: KeyedHash,
        metrics: MemoryMetrics,
    ) -> Self {
        Self {
            store,
            seals,
            breaker: Breaker::new(BREAKER, config.breaker()),
            wait: config.batch_wait(),
            metrics,
        }
    }

    /// Returns what is remembered under each key, in order, after one round trip. Whatever goes wrong
    /// is a miss.
    pub fn recall(&self, keys: &[&str]) -> Vec<Option<Remembered>> {
        let nothing = || keys.iter().map(|_| None).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        let asked = Instant::now();
        let Ok(permit) = self.breaker.ask(asked) else {
            self.metrics.recalled(Recall::Skipped, keys.len());
            return nothing();
        };
        let answer = self.store.get(keys, self.wait);
        let took = asked.elapsed();
        self.metrics.waited(took.as_secs_f64());
        match answer {
            Ok(values) if values.len() == keys.len() => {
                permit.succeeded();
                self.open(keys, values)
            }
            Ok(_) => {
                permit.failed(asked + took);
                self.metrics.recalled(Recall::Failed, keys.len());
                nothing()
            }
            Err(error) => {
                permit.failed(asked + took);
                self.metrics.recalled(Recall::Failed, keys.len());
                warn!(error = %printable(&error.to_string()), "memory: judging without what is remembered");
                nothing()
            }
        }
    }

    fn open(&self, keys: &[&str], values: Vec<Option<Vec<u8>>>) -> Vec<Option<Remembered>> {
        let (mut missed, mut forged) = (0, 0);
        let known: Vec<Option<Remembered>> = keys
            .iter()
            .zip(values)
            .map(|(key, value)| {
                let Some(value) = value else {
                    missed += 1;
                    return None;
                };
                match Remembered::open(key, &value, &self.seals) {
                    Found::Whole(remembered) => Some(*remembered),
                    Found::Forged => {
                        forged += 1;
                        None
                    }
                }
            })
            .collect();
        self.metrics.recalled(Recall::Miss, missed);
        self.metrics.recalled(Recall::Forged, forged);
        self.metrics
            .recalled(Recall::Hit, keys.len() - missed - forged);
        known
    }

    /// Returns the memo that keeps a judgement under its key, once its outcome is committed.
    pub fn memo(&self, key: String, remembered: &Remembered) -> Memo {
        remembered.seal(key, &self.seals)
    }

    /// Keeps memos whose outcomes are committed, best effort; never waits.
    pub fn remember(&self, memos: Vec<Memo>) {
        if memos.is_empty() {
            return;
        }
        let count = memos.len();
        let taken = self.store.put(memos);
        self.metrics.remembered(taken, count);
    }

    /// Forgets everything of one CVE, or everything. Returns how much there was.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be asked.
    pub fn forget(&self, cve_id: Option<&str>) -> Result<u64, StoreError> {
        self.store.forget(&prefix_of(cve_id))
    }

    /// Returns the breaker before the store.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Returns the questions so far that ended so.
    pub fn count(&self, result: Recall) -> u64 {
        self.metrics.count(result)
    }

    /// Returns the store's name.
    pub fn store_name(&self) -> &'static str {
        self.store.name()
    }

    /// Returns how long the store takes to answer.
    ///
    /// # Errors
    /// [`StoreError`] says why it does not.
    pub fn ping(&self) -> Result<Duration, StoreError> {
        self.store.ping(self.wait)
    }
}

fn local(config: &MemoryConfig) -> LocalStore {
    LocalStore::new(config.local_mib * 1_024 * 1_024, config.ttl())
}
