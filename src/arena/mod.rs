//! The arena: what is attacked and what attacks it run here and nowhere else.
//!
//! [`Sandbox`] runs a shell line behind walls, [`Referee`] runs the phases of a wargame in it and judges from outside.
//!
//! ```mermaid
//! flowchart LR
//!     E[exploit] --> R[referee]
//!     P[patch] --> T[targets: vulnerable and patched tree]
//!     T --> R
//!     R -->|a fresh sandbox for each run| S[sandbox]
//!     S -->|output, exit, files| R --> V[verdict with evidence]
//! ```

mod answer;
mod apply;
mod attempt;
mod baseline;
mod cgroup;
mod claim;
mod client;
mod evidence;
mod excerpt;
mod filter;
mod guard;
mod identity;
mod launch;
mod metrics;
#[cfg(test)]
mod payloads;
mod probe;
mod referee;
pub mod registry;
mod relay;
mod report;
mod ring;
mod sandbox;
mod shelf;
mod surroundings;
mod tamper;
mod target;
mod trees;

pub use apply::{ApplyError, apply};
pub use cgroup::Bounds;
pub use metrics::WallMetrics;
pub use probe::Wall;
pub use referee::{Progress, Referee};
pub use relay::{Relayed, plan_of, relayed};
pub use report::{Outcome, Phase, Report, RunReport};
pub use ring::{Arena, Ring, RingError};
pub use sandbox::{ArenaError, Ended, Ran, Run, Sandbox, SandboxConfig, Work};
pub use target::{BuildError, TargetError, Targets, TargetsConfig};
