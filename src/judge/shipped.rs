//! Which model judges code: the one that comes with the program, or one from a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::judge::code::Loaded;
use crate::judge::model::ModelError;

/// The model that comes with the program; `docs/model.md` says what it was made from.
const SHIPPED: &[u8] = include_bytes!("../../models/crisol.json");

/// Which model judges code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Whether any does; without one, people judge code.
    pub enabled: bool,
    /// A file that `crisol train` made; the shipped model without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A second model's file: it judges beside the first, and only metrics know what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<PathBuf>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            path: None,
            shadow: None,
        }
    }
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("model.path (ML_MODEL_PATH) or model.shadow: cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no model for this build.
    #[error("model.path (ML_MODEL_PATH) or model.shadow: {}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ModelError,
    },
    /// The shipped model is none for this build: a defect.
    #[error("the shipped model: {0}")]
    Shipped(ModelError),
}

impl ModelConfig {
    /// Returns the model that these settings ask for.
    ///
    /// # Errors
    /// [`LoadError`] if it cannot be read, or is none for this build.
    pub fn load(&self) -> Result<Option<Loaded>, LoadError> {
        if !self.enabled {
            return Ok(None);
        }
        let loaded = match &self.path {
            None => shipped()?,
            Some(path) => read(path)?,
        };
        Ok(Some(loaded))
    }
}

/// Returns the model that comes with the program.
///
/// # Errors
/// [`LoadError::Shipped`]: a defect.
pub fn shipped() -> Result<Loaded, LoadError> {
    Loaded::read(SHIPPED).map_err(LoadError::Shipped)
}

/// Returns the model of a file.
///
/// # Errors
/// [`LoadError`] if it cannot be read, or is none for this build.
pub fn read(path: &Path) -> Result<Loaded, LoadError> {
    let file = std::fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    Loaded::read(&file).map_err(|source| LoadError::Model {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_one_for_this_build() {
        let loaded = ModelConfig::default().load().unwrap().unwrap();
        assert_eq!(loaded.digest().len(), 64);
    }

    #[test]
    fn what_is_no_model_is_refused_with_its_place() {
        let config = ModelConfig {
            path: Some(PathBuf::from("/nowhere/model.json")),
            ..ModelConfig::default()
        };
        let error = config.load().unwrap_err().to_string();
        assert!(
            error.contains("ML_MODEL_PATH") && error.contains("/nowhere"),
            "{error}"
        );
        let off = ModelConfig {
            enabled: false,
            ..config
        };
        assert_eq!(off.load().unwrap(), None);
    }
}
