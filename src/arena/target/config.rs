//! Where trees are kept, and where packages come from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::arena::registry::{Base, Bases, Sources, optional};

/// Where trees are kept, and where packages come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetsConfig {
    /// A directory that is readable by all.
    pub cache: PathBuf,
    /// The most that built trees may take there, in MiB; those in use may take more for a while.
    pub max_mb: u64,
    /// The registry of npm packages.
    #[serde(deserialize_with = "optional")]
    pub npm_registry: Option<Base>,
    /// The index of Python packages.
    #[serde(deserialize_with = "optional")]
    pub python_index: Option<Base>,
    /// Further indexes of Python packages.
    pub python_extra_index: Bases,
    /// Hosts that artifacts may lie on, beside the registries' own.
    pub artifact_hosts: Bases,
}

impl Default for TargetsConfig {
    fn default() -> Self {
        Self {
            cache: std::env::temp_dir().join("crisol-targets"),
            max_mb: /* 4 GiB */ 4_096,
            npm_registry: Base::read(NPM_REGISTRY).ok(),
            python_index: Base::read(PYTHON_INDEX).ok(),
            python_extra_index: Bases::default(),
            artifact_hosts: Bases(Base::read(PYTHON_FILES).ok().into_iter().collect()),
        }
    }
}

/// The public registries, and the host on which the Python one keeps its files.
const NPM_REGISTRY: &str = "https://registry.npmjs.org/";
const PYTHON_INDEX: &str = "https://pypi.org/simple/";
const PYTHON_FILES: &str = "https://files.pythonhosted.org/";

impl TargetsConfig {
    /// Returns the registries that packages come from: the public ones where none is named.
    pub(super) fn sources(&self) -> Option<Sources> {
        let default = Self::default();
        let python = self.python_index.clone().or(default.python_index)?;
        Some(Sources {
            npm: self.npm_registry.clone().or(default.npm_registry)?,
            python: [vec![python], self.python_extra_index.0.clone()].concat(),
            hosts: self.artifact_hosts.0.clone(),
        })
    }
}
