//! Guards: what keeps a neighbour's trouble a neighbour's.

pub mod breaker;
pub mod metrics;
pub mod retry;
