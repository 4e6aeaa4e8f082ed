//! Learning from labelled patches, and measuring what was learnt. Nothing here runs in the stream.

mod evaluate;
mod fit;
mod folds;
mod known;
pub mod measure;
mod protocol;
mod row;
mod stream;
mod threshold;

pub use evaluate::{Figures, Looks, Measured, Simulation, closed_loop};
pub use fit::{Fit, FitError, Fitted, fit};
pub use folds::by_project;
pub use protocol::Protocol;
pub use row::{LabelledPatch, Replay, RowError, Sample};
pub use stream::{Arrived, Said, Taught, run, shuffled};
