//! Layers: flags over environment over file over defaults.
//!
//! The layers are merged as TOML values and then read once into a typed struct that refuses unknown
//! keys, so a misspelt name is an error wherever it stands.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The prefix of environment variables that name a section and a key.
const ENV_PREFIX: &str = "CRISOL_";

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A key is unknown, a value is of the wrong type, or values contradict each other.
    #[error("{origin}: {message}")]
    Value {
        /// Where the value came from: a variable, a flag or the file.
        origin: String,
        /// What is wrong.
        message: String,
    },
}

/// What the layers are made of.
#[derive(Debug, Default)]
pub struct Layers<'a> {
    /// The file; `None` for none.
    pub file: Option<&'a Path>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Names that others rely on, and the path each stands for (`KAFKA_BROKERS`, `kafka.brokers`).
    pub aliases: &'a [(&'a str, &'a str)],
    /// Variables that begin with `CRISOL_` and are no setting.
    pub ignored: &'a [&'a str],
    /// Paths set by flags, strongest of all.
    pub flags: Vec<(String, String)>,
}

/// Reads the layers into `T`, whose serde defaults are the lowest layer.
///
/// Sections are the first level of keys. `CRISOL_<SECTION>_<KEY>` sets `section.key`.
///
/// # Errors
/// [`ConfigError`] names the file, variable or flag at fault.
pub fn load<T: DeserializeOwned>(layers: &Layers<'_>) -> Result<T, ConfigError> {
    let mut merged = match layers.file {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    // The file alone first, so that its faults are told as its own.
    if let Some(path) = layers.file {
        check::<T>(&merged, &path.display().to_string())?;
    }
    for (name, text) in &layers.env {
        let path = match layers.aliases.iter().find(|(alias, _)| alias == name) {
            Some((_, path)) => (*path).to_owned(),
            None if layers.ignored.contains(&name.as_str()) => continue,
            None => match name.strip_prefix(ENV_PREFIX) {
                None => continue,
                Some(rest) => env_path(rest),
            },
        };
        merged = with::<T>(merged, &path, text, name)?;
    }
    for (path, text) in &layers.flags {
        merged = with::<T>(merged, path, text, &format!("flag for {path}"))?;
    }
    read(merged, "configuration")
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.to_owned(),
        source,
    })?;
    text.parse::<Table>().map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

/// `KAFKA_TOPIC_PREFIX` is `kafka.topic_prefix`.
fn env_path(rest: &str) -> String {
    let lower = rest.to_ascii_lowercase();
    match lower.split_once('_') {
        Some((section, key)) => format!("{section}.{key}"),
        None => lower,
    }
}

/// Sets one path, as the type that the struct takes there: text first, then what TOML makes of it.
fn with<T: DeserializeOwned>(
    base: Table,
    path: &str,
    text: &str,
    origin: &str,
) -> Result<Table, ConfigError> {
    let mut first_error = None;
    for value in candidates(text) {
        let mut table = base.clone();
        set(&mut table, path, value);
        match check::<T>(&table, origin) {
            Ok(()) => return Ok(table),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| ConfigError::Value {
        origin: origin.to_owned(),
        message: "no value".to_owned(),
    }))
}

fn candidates(text: &str) -> Vec<Value> {
    let mut values = Vec::new();
    if let Ok(integer) = text.parse::<i64>() {
        values.push(Value::Integer(integer));
    }
    if let Ok(float) = text.parse::<f64>() {
        values.push(Value::Float(float));
    }
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => values.push(Value::Boolean(true)),
        "false" | "off" | "no" => values.push(Value::Boolean(false)),
        _ => {}
    }
    values.push(Value::String(text.to_owned()));
    values
}

fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, key)) => {
            let entry = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = entry {
                inner.insert(key.to_owned(), value);
            }
        }
    }
}

fn check<T: DeserializeOwned>(table: &Table, origin: &str) -> Result<(), ConfigError> {
    read::<T>(table.clone(), origin).map(|_| ())
}

fn read<T: DeserializeOwned>(table: Table, origin: &str) -> Result<T, ConfigError> {
    Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| ConfigError::Value {
            origin: origin.to_owned(),
            message: error.to_string().trim().replace('\n', " "),
        })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Probe {
        kafka: Section,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Section {
        brokers: String,
        rate: f64,
        enabled: bool,
    }

    fn probe(
        file: Option<&Path>,
        env: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Probe, ConfigError> {
        let owned = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        load(&Layers {
            file,
            env: owned(env),
            aliases: &[("KAFKA_BROKERS", "kafka.brokers")],
            ignored: &["CRISOL_FAILPOINT"],
            flags: owned(flags),
        })
    }

    #[test]
    fn flags_win_over_environment_over_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("crisol.toml");
        std::fs::write(&file, "[kafka]\nbrokers = \"file\"\nrate = 0.5\n").unwrap();
        let read = probe(Some(&file), &[], &[]).unwrap();
        assert_eq!(
            read.kafka,
            Section {
                brokers: "file".into(),
                rate: 0.5,
                enabled: false
            }
        );
        let read = probe(
            Some(&file),
            &[
                ("KAFKA_BROKERS", "env"),
                ("CRISOL_KAFKA_ENABLED", "on"),
                ("HOME", "/"),
            ],
            &[("kafka.rate", "1")],
        )
        .unwrap();
        assert_eq!(
            read.kafka,
            Section {
                brokers: "env".into(),
                rate: 1.0,
                enabled: true
            }
        );
        assert_eq!(
            probe(None, &[("KAFKA_BROKERS", "9092")], &[])
                .unwrap()
                .kafka
                .brokers,
            "9092"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_wherever_it_stands() {
        let error = probe(None, &[("CRISOL_KAFKA_BROKRES", "x")], &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("CRISOL_KAFKA_BROKRES: ") && error.contains("brokres"),
            "{error}"
        );
        probe(None, &[("CRISOL_FAILPOINT", "x")], &[]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("crisol.toml");
        std::fs::write(&file, "[kafak]\n").unwrap();
        let error = probe(Some(&file), &[], &[]).unwrap_err().to_string();
        assert!(
            error.contains("crisol.toml") && error.contains("kafak"),
            "{error}"
        );
    }
}
