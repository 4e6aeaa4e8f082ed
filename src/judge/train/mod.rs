//! Learning from labelled patches, and measuring what was learnt. Nothing here runs in the stream.

mod evaluate;
mod fit;
mod folds;
pub mod measure;
mod row;
mod stream;
mod threshold;

pub use evaluate::{Figures, Measured, Simulation, closed_loop};
pub use fit::{Fit, FitError, Fitted, Protocol, fit};
pub use folds::by_project;
pub use row::{LabelledPatch, Replay, RowError, Sample};
pub use stream::{Arrived, Said, Taught, run, shuffled};
