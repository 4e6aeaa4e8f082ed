//! Limits on what comes in.

use serde::{Deserialize, Serialize};

/// Bounds on one record and what it carries. Past a limit, a record becomes a dead letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventLimits {
    /// The largest value of a record, in bytes.
    pub max_record_bytes: usize,
    /// The deepest nesting of JSON arrays and objects.
    pub max_json_depth: usize,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self {
            max_record_bytes: /* 1 MiB */ 1_024 * 1_024,
            max_json_depth: 64,
        }
    }
}
