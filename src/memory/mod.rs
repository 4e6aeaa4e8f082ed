//! Exact memory: what was judged of this very patch under these very facts.
//!
//! It saves work and knows repeats; it decides nothing. What comes back is a judgement, on which policy
//! is evaluated anew with the switches and open items of now. Whatever goes wrong with it is a miss.

mod config;
mod exact;
mod key;
mod local;
mod metrics;
mod redis;
mod remembered;
mod store;

pub use config::{InvalidMemoryConfig, MemoryConfig};
pub use exact::ExactMemory;
pub use key::{Inputs, key_of};
pub use local::LocalStore;
pub use metrics::{MemoryMetrics, Recall};
pub use redis::{RedisOptions, RedisStore};
pub use remembered::{First, Remembered};
pub use store::{Store, StoreError};
