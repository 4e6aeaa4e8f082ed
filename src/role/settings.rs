//! The settings of the whole process, composed from what each room declares.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::arena::{SandboxConfig, TargetsConfig};
use crate::config::{ConfigError, Layers, SecretKeyConfig, load};
use crate::diff::DiffLimits;
use crate::engine::{EngineConfig, FAILPOINT_ENV, SlotsConfig};
use crate::event::limits::EventLimits;
use crate::exploit::CatalogueConfig;
use crate::http::{HttpConfig, OpsConfig};
use crate::judge::shipped::ModelConfig;
use crate::log::client::KafkaConfig;
use crate::log::topics::TopicsConfig;
use crate::memory::MemoryConfig;
use crate::pipeline::PipelineConfig;
use crate::policy::{AbConfig, RiskConfig};
use crate::stage::sources::SourcesConfig;
use crate::table::{ApvConfig, OpenItemsConfig, TableBounds, VerdictsConfig};

/// Names that others rely on, and the setting each stands for.
const ALIASES: &[(&str, &str)] = &[
    ("KAFKA_BROKERS", "kafka.brokers"),
    ("CRISOL_INSTANCE_ID", "kafka.instance_id"),
    ("CRISOL_GROUP_ID", "kafka.group_id"),
    ("CRISOL_TOPIC_PREFIX", "kafka.topic_prefix"),
    ("CRISOL_HTTP_LISTEN", "http.listen"),
    ("AUTO_APPROVE_ENABLED", "judging.auto_approve"),
    ("AB_TEST_RATE", "ab.rate"),
    ("AB_TESTING_ENABLED", "ab.enabled"),
    ("REDIS_URL", "memory.redis_url"),
    ("ML_MODEL_PATH", "model.path"),
    ("npm_config_registry", "targets.npm_registry"),
    ("PIP_INDEX_URL", "targets.python_index"),
    ("PIP_EXTRA_INDEX_URL", "targets.python_extra_index"),
    ("LOG_LEVEL", "log.level"),
];

/// Variables that begin like settings and are none: what steers proofs, tests and this command line.
const IGNORED: &[&str] = &[
    FAILPOINT_ENV,
    "CRISOL_CONFIG",
    "CRISOL_CACHE",
    "CRISOL_KAFKA_JVM",
    "CRISOL_TEST_KAFKA",
    "CRISOL_TEST_REDIS",
];

/// Everything the process is told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where Kafka is and who this replica is there.
    pub kafka: KafkaConfig,
    /// What differs from the files under `topics/`.
    pub topics: TopicsConfig,
    /// Bounds on a record.
    pub limits: EventLimits,
    /// Bounds on a diff.
    pub diff: DiffLimits,
    /// Bounds between levels of patch risk.
    pub risk: RiskConfig,
    /// What the stages are told.
    pub judging: PipelineConfig,
    /// Bounds of the engine.
    pub engine: EngineConfig,
    /// Bounds of the APV table.
    pub apv: ApvConfig,
    /// Bounds of the table of open items.
    pub items: OpenItemsConfig,
    /// Bounds of the table of verdicts.
    pub verdicts: VerdictsConfig,
    /// Where files of patches are looked up.
    pub sources: SourcesConfig,
    /// The model that judges code.
    pub model: ModelConfig,
    /// The catalogue of exploits.
    pub exploits: CatalogueConfig,
    /// How wargames are held.
    pub wargame: SlotsConfig,
    /// Where exploits are replayed.
    pub arena: SandboxConfig,
    /// Where what they attack is kept.
    pub targets: TargetsConfig,
    /// Exact memory.
    pub memory: MemoryConfig,
    /// The sample for A/B comparisons.
    pub ab: AbConfig,
    /// The secret key.
    pub secret: SecretKeyConfig,
    /// The sidecar.
    pub http: HttpConfig,
    /// The token of operators.
    pub ops: OpsConfig,
    /// Logs.
    pub log: LogConfig,
}

/// How logs are written; they go to standard error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A level, or a filter such as `info,librdkafka=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSettings {
    /// A source cannot be read or holds something unknown.
    #[error(transparent)]
    Source(#[from] ConfigError),
    /// Values that make no sense, alone or together.
    #[error("{0}")]
    Value(String),
}

impl Settings {
    /// Returns the settings from flags over environment over file over defaults, cross-checked.
    ///
    /// # Errors
    /// [`InvalidSettings`] names the source and the key.
    pub fn load(
        file: Option<&Path>,
        env: Vec<(String, String)>,
        flags: Vec<(String, String)>,
    ) -> Result<Self, InvalidSettings> {
        let settings: Self = load(&Layers {
            file,
            env,
            aliases: ALIASES,
            ignored: IGNORED,
            flags,
        })?;
        settings.validate()?;
        Ok(settings)
    }

    /// Returns the bounds of the tables.
    pub fn tables(&self) -> TableBounds {
        TableBounds {
            apv: self.apv.clone(),
            items: self.items.clone(),
            verdicts: self.verdicts.clone(),
        }
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`InvalidSettings::Value`] names the key.
    pub fn validate(&self) -> Result<(), InvalidSettings> {
        let value = |message: String| InvalidSettings::Value(message);
        self.kafka.validate().map_err(|e| value(e.to_string()))?;
        self.engine.validate().map_err(|e| value(e.to_string()))?;
        self.wargame.validate().map_err(|e| value(e.to_string()))?;
        self.diff
            .validate()
            .map_err(|e| value(format!("diff.{e}")))?;
        self.memory.validate().map_err(|e| value(e.to_string()))?;
        self.ab.validate().map_err(|e| value(e.to_string()))?;
        self.http.validate().map_err(|e| value(e.to_string()))?;
        if self.limits.max_record_bytes > self.judging.max_output_bytes {
            return Err(value(
                "limits.max_record_bytes must not exceed judging.max_output_bytes, or a dead letter could not carry what it is of".to_owned(),
            ));
        }
        if self.judging.max_output_bytes > crate::log::client::MAX_OUTPUT_BYTES {
            return Err(value(format!(
                "judging.max_output_bytes must not exceed {}",
                crate::log::client::MAX_OUTPUT_BYTES
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_env(pairs: &[(&str, &str)]) -> Result<Settings, InvalidSettings> {
        let env = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Settings::load(None, env, Vec::new())
    }

    #[test]
    fn the_names_that_others_rely_on_are_read() {
        let settings = from_env(&[
            ("KAFKA_BROKERS", "k:1"),
            ("CRISOL_INSTANCE_ID", "r7"),
            ("CRISOL_GROUP_ID", "g"),
            ("CRISOL_TOPIC_PREFIX", "x."),
            ("CRISOL_HTTP_LISTEN", "127.0.0.1:1"),
            ("AUTO_APPROVE_ENABLED", "true"),
            ("LOG_LEVEL", "debug"),
            ("CRISOL_ENGINE_WORKERS", "3"),
            ("CRISOL_FAILPOINT", "after-poll:kill"),
        ])
        .unwrap();
        assert_eq!(settings.kafka.brokers, "k:1");
        assert_eq!(settings.kafka.instance_id, "r7");
        assert_eq!(settings.kafka.topic_prefix, "x.");
        assert!(settings.judging.auto_approve);
        assert_eq!(settings.engine.workers, 3);
        assert_eq!(settings.log.level, "debug");
    }

    #[test]
    fn approvals_are_off_unless_somebody_switches_them_on() {
        assert!(!from_env(&[]).unwrap().judging.auto_approve);
    }

    #[test]
    fn the_example_file_names_every_setting_and_holds_its_default() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/crisol.example.toml");
        let example = Settings::load(Some(Path::new(path)), Vec::new(), Vec::new()).unwrap();
        let defaults = serde_json::to_value(Settings::default()).unwrap();
        assert_eq!(serde_json::to_value(&example).unwrap(), defaults);
        let text = std::fs::read_to_string(path).unwrap();
        for (section, values) in defaults.as_object().unwrap() {
            for key in values.as_object().unwrap().keys() {
                let said = text.lines().any(|line| {
                    let line = line.trim_start_matches("# ");
                    line.starts_with(&format!("{key} =")) || line == format!("[{section}.{key}]")
                });
                assert!(said, "{section}.{key}");
            }
        }
    }

    #[test]
    fn values_are_checked_against_each_other() {
        let error = from_env(&[("CRISOL_LIMITS_MAX_RECORD_BYTES", "9000000")]).unwrap_err();
        assert!(
            error.to_string().contains("limits.max_record_bytes"),
            "{error}"
        );
    }
}
