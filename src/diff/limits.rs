//! How large a diff may be.

use serde::{Deserialize, Serialize};

/// Bounds on one diff. A diff past any of them is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffLimits {
    /// The most files one diff may touch.
    pub max_files: usize,
    /// The most hunks, over all files.
    pub max_hunks: usize,
    /// The most lines added and removed together, over all files; context is free.
    pub max_changed_lines: usize,
    /// The longest line of the diff, in bytes: marker included, `\n` not.
    pub max_line_bytes: usize,
}

/// A limit of 0, which would refuse every diff; names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be at least 1")]
pub struct InvalidDiffLimits(pub &'static str);

// === impl DiffLimits ===

impl Default for DiffLimits {
    fn default() -> Self {
        Self {
            max_files: 200,
            max_hunks: 5_000,
            max_changed_lines: 20_000,
            max_line_bytes: 10_000,
        }
    }
}

impl DiffLimits {
    /// Checks that every limit lets something through.
    ///
    /// # Errors
    ///
    /// [`InvalidDiffLimits`] names the first limit that is 0.
    pub fn validate(&self) -> Result<(), InvalidDiffLimits> {
        let named = [
            ("max_files", self.max_files),
            ("max_hunks", self.max_hunks),
            ("max_changed_lines", self.max_changed_lines),
            ("max_line_bytes", self.max_line_bytes),
        ];
        match named.into_iter().find(|&(_, value)| value == 0) {
            Some((name, _)) => Err(InvalidDiffLimits(name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(DiffLimits::default().validate(), Ok(()));
    }

    #[test]
    fn a_limit_of_zero_is_named() {
        let limits = DiffLimits {
            max_hunks: 0,
            ..DiffLimits::default()
        };
        let error = limits.validate().unwrap_err();
        assert_eq!(error.to_string(), "max_hunks must be at least 1");
    }

    #[test]
    fn an_unknown_limit_is_refused_and_a_missing_one_is_the_default() {
        assert!(serde_json::from_str::<DiffLimits>(r#"{"max_file": 1}"#).is_err());
        let limits: DiffLimits = serde_json::from_str(r#"{"max_files": 7}"#).unwrap();
        assert_eq!(limits.max_files, 7);
        assert_eq!(limits.max_hunks, DiffLimits::default().max_hunks);
    }
}
