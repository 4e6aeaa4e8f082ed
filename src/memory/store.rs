//! The port: a place that keeps bytes under keys for a while.

use std::time::Duration;

use crate::event::record::Memo;

/// Why a store gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached.
    #[error("cannot be reached: {0}")]
    Away(String),
    /// It did not answer in time.
    #[error("did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It answered with a refusal.
    #[error("refused: {0}")]
    Refused(String),
}

/// A place that keeps bytes under keys for as long as it was told when it was made. Two exist:
/// [`LocalStore`](super::LocalStore) and [`RedisStore`](super::RedisStore).
pub trait Store: Send + Sync {
    /// Returns the name used in health and tables.
    fn name(&self) -> &'static str;

    /// Returns what is kept under each key, in order; `None` where there is nothing, or nothing of a
    /// kind that was put there by [`Store::put`]. Takes at most `wait`.
    ///
    /// # Errors
    /// [`StoreError`], and then nothing is known of any key.
    fn get(&self, keys: &[&str], wait: Duration) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Keeps the memos, best effort and later: a caller never waits.
    ///
    /// Returns how many were taken on; the rest are dropped.
    fn put(&self, memos: Vec<Memo>) -> usize;

    /// Forgets every key that begins with `prefix`, whatever characters it is of, and returns how many
    /// there were.
    ///
    /// # Errors
    /// [`StoreError`]; some may be forgotten then and some not.
    fn forget(&self, prefix: &str) -> Result<u64, StoreError>;

    /// Returns whether it answers at all, and how long that took.
    ///
    /// # Errors
    /// [`StoreError`] says why it does not.
    fn ping(&self, wait: Duration) -> Result<Duration, StoreError>;
}
