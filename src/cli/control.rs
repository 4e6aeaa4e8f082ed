//! `crisol control`: the settings that every replica obeys.

mod evidence;

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::control::evidence::Counted;
use crate::cli::topics::require;
use crate::cli::{Exit, Failure, logging, output, plan, unreadable};
use crate::event::control::{Control, ControlKey, ControlValue};
use crate::event::evidence::EvidenceCount;
use crate::event::id::from_hex;
use crate::event::topic::Topic;
use crate::log::table::Table;
use crate::log::write::{SettingError, write_setting};
use crate::policy::Policy;
use crate::role::Settings;
use crate::table::ControlTable;

/// How long the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Commands about control.
#[derive(Debug, Subcommand)]
pub(super) enum ControlCommand {
    /// Print the settings in force, or one of them; `evidence` lists what was counted, trial by trial.
    Get {
        /// kill_switch, auto_approve, policy_version, ab_enabled, ab_rate, model_active, model_shadow,
        /// evidence.<judge>.<level>.<writer> or halt.<topic>.<partition>; or evidence,
        /// evidence.<judge> or evidence.<judge>.<level> for its trials.
        key: Option<String>,
    },
    /// Write a setting; every replica obeys it within a second.
    Set {
        /// kill_switch, auto_approve, policy_version, ab_enabled, ab_rate, model_active, model_shadow,
        /// evidence.<judge>.<level>.<writer> or halt.<topic>.<partition>.
        key: String,
        /// JSON: true, 1, or {"agreed": 73, "n": 73, "source": "where that was counted"}.
        value: String,
    },
    /// Take a setting back, so that its default holds.
    Unset {
        /// The setting.
        key: String,
    },
}

pub(super) fn control(
    command: &ControlCommand,
    settings: &Settings,
    as_json: bool,
) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    match command {
        ControlCommand::Get { key } => {
            if let Some(wanted) = key.as_deref().and_then(Counted::asked) {
                let wanted = wanted?;
                let control = read(settings)?;
                return evidence::print(&control, &wanted, as_json);
            }
            let key = key.as_deref().map(parse_key).transpose()?;
            let control = read(settings)?;
            print(&control, key.as_ref(), as_json)
        }
        ControlCommand::Set { key, value } => {
            let key = parse_key(key)?;
            key.check_known()
                .map_err(|error| Failure::new(Exit::Usage, error))?;
            let value = parse_value(&key, value)?;
            vouched(&key, &value)?;
            write(settings, &key, Some(&value))?;
            println!(
                "{} = {}",
                key.name(),
                String::from_utf8_lossy(&value.to_bytes())
            );
            Ok(Exit::Done)
        }
        ControlCommand::Unset { key } => {
            let key = parse_key(key)?;
            write(settings, &key, None)?;
            println!("{} unset", key.name());
            Ok(Exit::Done)
        }
    }
}

pub(super) fn parse_key(name: &str) -> Result<ControlKey, Failure> {
    ControlKey::parse(name).map_err(|error| Failure::new(Exit::Usage, error))
}

pub(super) fn parse_value(key: &ControlKey, text: &str) -> Result<ControlValue, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    // A digest is no JSON as it is, and quotes within quotes are a nuisance on a command line.
    let value: ControlValue = if from_hex(text).is_some() {
        Ok(ControlValue::Digest(text.to_owned()))
    } else {
        serde_json::from_str(text)
    }
    .map_err(|_| {
        usage(format!(
            "{}: {text:?} is not a value; try true, 1, 0.1 or {{\"agreed\": 73, \"n\": 73, \"source\": \"where that was counted\"}}",
            key.name()
        ))
    })?;
    key.check(&value)
        .map_err(|error| usage(error.to_string()))?;
    if let (ControlKey::PolicyVersion, ControlValue::Version(version)) = (key, &value)
        && Policy::of_version(*version).is_none()
    {
        return Err(usage(format!(
            "policy_version: this build knows no policy {version}"
        )));
    }
    Ok(value)
}

/// Refuses a count of an operator's own that does not say where it comes from.
fn vouched(key: &ControlKey, value: &ControlValue) -> Result<(), Failure> {
    match value {
        ControlValue::Evidence(count) if count.is_unvouched() => {
            let message = format!(
                "{}: approvals will rest on it, so it names where it was counted: {{\"agreed\": {}, \"n\": {}, \"source\": \"...\"}}",
                key.name(),
                count.agreed,
                count.n
            );
            Err(Failure::new(Exit::Usage, message))
        }
        _ => Ok(()),
    }
}

pub(super) fn read(settings: &Settings) -> Result<std::sync::Arc<Control>, Failure> {
    require(settings, Topic::Control)?;
    let names = plan(settings)?.names(&settings.kafka.topic_prefix);
    let table = std::sync::Arc::new(ControlTable::default());
    let sink = std::sync::Arc::clone(&table);
    let tail = Table::start(
        &settings.kafka,
        names.of(Topic::Control).to_owned(),
        names.partitions(Topic::Control),
        Box::new(move |at, key, value| sink.apply(at, key, value)),
    )
    .map_err(unreadable)?;
    tail.wait_ready(TIMEOUT).map_err(unreadable)?;
    Ok(table.snapshot())
}

pub(super) fn write(
    settings: &Settings,
    key: &ControlKey,
    value: Option<&ControlValue>,
) -> Result<(), Failure> {
    // A producer makes brokers create what is missing: a mistyped prefix would send a kill switch nowhere.
    require(settings, Topic::Control)?;
    let names = plan(settings)?.names(&settings.kafka.topic_prefix);
    write_setting(&settings.kafka, names.of(Topic::Control), key, value).map_err(|error| {
        let exit = match error {
            SettingError::Value(_) => Exit::Usage,
            SettingError::Write { .. } => Exit::Unavailable,
        };
        Failure::new(exit, error)
    })
}

fn print(control: &Control, only: Option<&ControlKey>, as_json: bool) -> Result<Exit, Failure> {
    let rows: Vec<(String, Value)> = rows(control)
        .into_iter()
        .filter(|(name, _)| only.is_none_or(|key| key.name() == *name))
        .collect();
    if as_json {
        let map: serde_json::Map<String, Value> = rows.into_iter().collect();
        output::json(&json!({"version": control.version, "settings": map}))?;
    } else {
        output::table(
            &["setting", "value"],
            rows.into_iter()
                .map(|(name, value)| vec![name, in_short(&value)]),
        );
        println!("control version {}", control.version);
    }
    Ok(Exit::Done)
}

/// Returns a value as a cell holds it: trials are many, and `control get evidence` lists them.
fn in_short(value: &Value) -> String {
    match serde_json::from_value::<EvidenceCount>(value.clone()) {
        Ok(count) => evidence::in_words(&count),
        Err(_) => value.to_string(),
    }
}

fn rows(control: &Control) -> Vec<(String, Value)> {
    let mut rows = vec![
        ("kill_switch".to_owned(), json!(control.kill_switch)),
        ("auto_approve".to_owned(), json!(control.auto_approve)),
        ("policy_version".to_owned(), json!(control.policy_version)),
        ("ab_enabled".to_owned(), json!(control.ab_enabled)),
        ("ab_rate".to_owned(), json!(control.ab_rate)),
        ("model_active".to_owned(), json!(control.model_active)),
        ("model_shadow".to_owned(), json!(control.model_shadow)),
    ];
    let levels = control
        .evidence
        .iter()
        .flat_map(|(judge, levels)| levels.iter().map(move |(level, of)| (judge, level, of)));
    for (judge, level, writers) in levels {
        for (writer, count) in writers {
            let key = ControlKey::Evidence {
                judge: judge.clone(),
                level: level.clone(),
                writer: writer.clone(),
            };
            rows.push((key.name(), json!(**count)));
        }
    }
    for ((topic, partition), halt) in &control.halts {
        let key = ControlKey::Halt {
            topic: *topic,
            partition: *partition,
        };
        rows.push((key.name(), json!(halt)));
    }
    rows
}
