//! A value that no dump shows.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands in a dump in place of a secret.
const REDACTED: &str = "[redacted]";

/// A secret: printed and serialised as `[redacted]`, read only through [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns a secret that holds `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Fewer bytes can be guessed.
const LEAST_BYTES: usize = 16;

/// A secret that cannot be used. It is named by its settings and never told.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSecret {
    /// Two sources.
    #[error("both {name} and {name}_file are set; one must go")]
    Twice {
        /// The setting.
        name: &'static str,
    },
    /// Too short.
    #[error("{name} has {bytes} bytes; at least {LEAST_BYTES} are needed")]
    Short {
        /// The setting.
        name: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The file cannot be read.
    #[error("cannot read {name}_file {path}: {source}")]
    File {
        /// The setting.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Returns a secret that the setting `name` holds itself or, as `name`_file, in a file, where white space
/// around it does not count; `None` without either.
///
/// # Errors
/// [`InvalidSecret`] tells what to mend.
pub fn secret_of(
    name: &'static str,
    value: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Option<Secret>, InvalidSecret> {
    let text = match (value, file) {
        (Some(_), Some(_)) => return Err(InvalidSecret::Twice { name }),
        (Some(secret), None) => secret.expose().to_owned(),
        (None, Some(path)) => {
            std::fs::read_to_string(path).map_err(|source| InvalidSecret::File {
                name,
                path: path.to_owned(),
                source,
            })?
        }
        (None, None) => return Ok(None),
    };
    let text = text.trim();
    if text.len() < LEAST_BYTES {
        let bytes = text.len();
        return Err(InvalidSecret::Short { name, bytes });
    }
    Ok(Some(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_dump() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn one_source_is_read_and_two_are_one_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let secret = Secret::new("0123456789abcdef");
        let read = secret_of("x.key", None, Some(&path)).unwrap();
        assert_eq!(read, Some(secret.clone()));
        assert_eq!(secret_of("x.key", None, None).unwrap(), None);
        let error = secret_of("x.key", Some(&secret), Some(&path)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "both x.key and x.key_file are set; one must go"
        );
        let error = secret_of("x.key", Some(&Secret::new("hunter2")), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.key has 7 bytes; at least 16 are needed"
        );
    }
}
