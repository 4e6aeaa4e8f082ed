//! The tables: topics tailed into bounded memory by every replica.

mod apv;
mod bundle;
mod comparisons;
mod control;
mod open_items;
mod verdicts;

pub use apv::{ApvConfig, ApvTable, Known};
pub use bundle::{TableBounds, TableMetrics, Tables};
pub use comparisons::{
    ComparisonMetrics, Comparisons, Disagreement, JudgeResults, results_json, since_ms,
};
pub use control::ControlTable;
pub use open_items::{ANY_PACKAGE, Asking, OpenItems, OpenItemsConfig, Place, Standing};
pub use verdicts::{VerdictTable, VerdictsConfig};
