//! Labelled patches: what a model learns from, and is measured on.

use serde::Deserialize;

use crate::diff::{DiffLimits, parse};
use crate::judge::features::{Extractor, Language};
use crate::judge::precedent::generator_hash;
use crate::judge::sketch::Sketch;

/// What generators that are people are called by.
const DEVELOPER: &str = "developer";
/// Sources whose labels come from papers alone.
const BY_HAND: &str = "manual";

/// A labelled patch as it stands in a file, one JSON object a line.
#[derive(Debug, Clone, Deserialize)]
pub struct LabelledPatch {
    /// Its id, unique in the file.
    pub patch_id: String,
    /// The collection it is from.
    pub source: String,
    /// Who made it.
    pub tool: String,
    /// The project it changes; candidates of one project are not independent.
    pub project: String,
    /// The flaw that it claims to remedy: a CVE, or a task of the collection.
    pub instance: String,
    /// The language as the collection names it.
    pub language: String,
    /// The unified diff.
    pub diff: String,
    /// Whether it is right.
    pub label: bool,
    /// How that is known: `exec` or `manual`.
    #[serde(default)]
    pub label_tier: String,
    /// What a wargame would say: `mitigated`, `refused` or `inconclusive`.
    pub replay: Replay,
}

/// What a wargame would say of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// The exploit fails and the benign checks pass.
    Mitigated,
    /// One of them does not.
    Refused,
    /// It came to no end.
    Inconclusive,
}

impl Replay {
    /// Returns whether it is mitigated; `None` if it came to no end.
    pub fn mitigated(self) -> Option<bool> {
        match self {
            Self::Mitigated => Some(true),
            Self::Refused => Some(false),
            Self::Inconclusive => None,
        }
    }
}

/// Why a line is no sample.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is not the JSON of a labelled patch.
    #[error("not a labelled patch: {0}")]
    Json(#[from] serde_json::Error),
    /// Its diff cannot be read.
    #[error("diff of {patch_id}: {error}")]
    Diff {
        /// The patch.
        patch_id: String,
        /// Why.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A labelled patch as numbers.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its features without memory.
    pub edit: Vec<f32>,
    /// What later candidates are compared with.
    pub sketch: Sketch,
    /// The language of most of its changed lines.
    pub language: Language,
    /// Who made it.
    pub made_by: String,
    /// The hash of that.
    pub generator: u64,
    /// The flaw.
    pub instance: String,
    /// The project.
    pub project: String,
    /// The collection.
    pub source: String,
    /// Whether it is right.
    pub label: bool,
    /// What a wargame would say.
    pub replay: Replay,
}

impl LabelledPatch {
    /// Whether it may be learnt from and measured on: made by a tool, and judged by running it. A developer's
    /// fix is always right, so its features would be the author's.
    pub fn counts(&self) -> bool {
        !self.tool.starts_with(DEVELOPER) && self.label_tier != BY_HAND
    }

    /// Returns the patch as numbers.
    ///
    /// # Errors
    /// [`RowError::Diff`] if its diff cannot be read.
    pub fn sample(self, extractor: &mut Extractor) -> Result<Sample, RowError> {
        let diff = match parse(&self.diff, &DiffLimits::default()) {
            Ok(diff) => diff,
            Err(error) => {
                return Err(RowError::Diff {
                    patch_id: self.patch_id,
                    error: error.into(),
                });
            }
        };
        let read = extractor.read(&diff);
        // The name of a tool's unfinished attempts says that they failed.
        let tool = self.tool.replacen("-intermediate/", "/", 1);
        Ok(Sample {
            edit: read.features,
            sketch: read.sketch,
            language: read.language,
            generator: generator_hash(&tool),
            made_by: tool,
            instance: self.instance,
            project: self.project,
            source: self.source,
            label: self.label,
            replay: self.replay,
        })
    }
}
