//! The topics as they must be: one file each, created, widened and checked against the brokers.
//!
//! Over 400 lines because plan, apply and check share one small vocabulary that nobody else needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::{Deserialize, Serialize};

use crate::event::codec::printable;
use crate::event::topic::Topic;
use crate::log::client::{KafkaConfig, LogContext};

/// How long the brokers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// `retention.ms` of what is only looked at for a while.
const WEEK_MS: &str = "604800000";
/// How often they are asked whether a change is seen.
const SEEN_POLL: Duration = Duration::from_millis(100);
/// What mends most differences.
const APPLY: &str = "crisol topics apply";
/// Leaves the number of replicas to the brokers' default.
const BROKER_DEFAULT_REPLICATION: i32 = -1;

/// The files under `topics/`.
const FILES: &[(Topic, &str)] = &[
    (Topic::Apv, include_str!("../../topics/apv.toml")),
    (Topic::Patches, include_str!("../../topics/patches.toml")),
    (Topic::Wargames, include_str!("../../topics/wargames.toml")),
    (
        Topic::Decisions,
        include_str!("../../topics/decisions.toml"),
    ),
    (Topic::Hitl, include_str!("../../topics/hitl.toml")),
    (Topic::HitlOpen, include_str!("../../topics/hitl-open.toml")),
    (Topic::Verdicts, include_str!("../../topics/verdicts.toml")),
    (
        Topic::Comparisons,
        include_str!("../../topics/comparisons.toml"),
    ),
    (Topic::Control, include_str!("../../topics/control.toml")),
    (Topic::Dlq, include_str!("../../topics/dlq.toml")),
];

/// What may differ from the files from one installation to the next.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicsConfig {
    /// Partitions by topic, where the load asks for more than the file says.
    pub partitions: BTreeMap<String, i32>,
    /// Replicas of every topic; the brokers' default if absent.
    pub replication: Option<i32>,
}

/// One topic as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicSpec {
    /// What the records are keyed by, for people.
    pub key: String,
    /// How many partitions.
    pub partitions: i32,
    /// The topic's own settings, by Kafka's names.
    pub config: BTreeMap<String, String>,
}

/// Every topic this build uses, as it must be.
#[derive(Debug, Clone)]
pub struct TopicPlan {
    specs: BTreeMap<Topic, TopicSpec>,
    replication: i32,
}

/// Full names and partition counts, for those who write.
#[derive(Debug, Clone)]
pub struct TopicNames(Arc<BTreeMap<Topic, (String, i32)>>);

/// Why topics cannot be planned, applied or checked.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// A file of the build is broken.
    #[error("topics/{topic}.toml: {message}")]
    Spec {
        /// The topic.
        topic: Topic,
        /// What is wrong.
        message: String,
    },
    /// The configuration names a topic that does not exist, or asks for no partition.
    #[error("topics.partitions.{name}: {problem}")]
    Override {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The brokers refuse or do not answer.
    #[error(
        "{action}: {message}; are the brokers at {brokers} up, and may this client administer topics?"
    )]
    Admin {
        /// What was tried.
        action: String,
        /// What the brokers say.
        message: String,
        /// Where they are thought to be.
        brokers: String,
    },
}

/// A difference between what must be and what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The full name of the topic.
    pub topic: String,
    /// What differs: `exists`, `partitions`, or the name of a setting.
    pub what: String,
    /// What must be.
    pub wanted: String,
    /// What is.
    pub found: String,
    /// Whether the service refuses to start over it.
    pub fatal: bool,
    /// What mends it.
    pub remedy: String,
}

/// One step that [`apply`] took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The full name of the topic.
    pub topic: String,
    /// What was done.
    pub done: String,
}

impl TopicPlan {
    /// Returns the plan of the build's files with the installation's differences.
    ///
    /// # Errors
    /// [`TopicsError::Spec`] or [`TopicsError::Override`].
    pub fn load(config: &TopicsConfig) -> Result<Self, TopicsError> {
        let mut specs = BTreeMap::new();
        for (topic, text) in FILES {
            let spec: TopicSpec = toml::from_str(text).map_err(|error| TopicsError::Spec {
                topic: *topic,
                message: error.to_string(),
            })?;
            specs.insert(*topic, spec);
        }
        for (name, partitions) in &config.partitions {
            let refused = |problem| TopicsError::Override {
                name: name.clone(),
                problem,
            };
            let (topic, spec) = specs
                .iter_mut()
                .find(|(topic, _)| topic.as_str() == name)
                .ok_or_else(|| refused("no such topic"))?;
            if *partitions < 1 {
                return Err(refused("must be at least 1"));
            }
            if *topic == Topic::Control && *partitions != 1 {
                return Err(refused(
                    "must be 1: its offset is the version that decisions carry",
                ));
            }
            spec.partitions = *partitions;
        }
        Ok(Self {
            specs,
            replication: config.replication.unwrap_or(BROKER_DEFAULT_REPLICATION),
        })
    }

    /// Returns the names and partition counts under the configured prefix.
    pub fn names(&self, prefix: &str) -> TopicNames {
        let names = self
            .specs
            .iter()
            .map(|(topic, spec)| (*topic, (topic.name(prefix), spec.partitions)))
            .collect();
        TopicNames(Arc::new(names))
    }

    /// Returns every topic and how it must be.
    pub fn specs(&self) -> impl Iterator<Item = (Topic, &TopicSpec)> {
        self.specs.iter().map(|(topic, spec)| (*topic, spec))
    }
}

impl TopicNames {
    /// Returns the names with another name and partition count for one topic.
    pub fn with(&self, topic: Topic, name: &str, partitions: i32) -> Self {
        let mut names = BTreeMap::clone(&self.0);
        names.insert(topic, (name.to_owned(), partitions));
        Self(Arc::new(names))
    }

    /// Returns the full name; the bare name for a topic that this build does not use.
    pub fn of(&self, topic: Topic) -> &str {
        self.0.get(&topic).map_or(topic.as_str(), |(name, _)| name)
    }

    /// Returns the number of partitions; 1 for a topic that this build does not use.
    pub fn partitions(&self, topic: Topic) -> i32 {
        self.0.get(&topic).map_or(1, |(_, partitions)| *partitions)
    }
}

/// What the brokers have of one topic.
struct Found {
    partitions: Option<i32>,
    /// Settings in force, defaults included.
    config: BTreeMap<String, String>,
    /// Settings somebody made on the topic itself.
    own: BTreeMap<String, String>,
}

/// Creates missing topics, adds missing partitions and sets settings that differ. Never removes a
/// partition and never deletes a topic.
///
/// # Errors
/// [`TopicsError::Admin`] names the step.
pub async fn apply(config: &KafkaConfig, plan: &TopicPlan) -> Result<Vec<Applied>, TopicsError> {
    let admin = admin_client(config)?;
    let mut done = Vec::new();
    for (topic, spec) in plan.specs() {
        let name = topic.name(&config.topic_prefix);
        let found = look(config, &admin, &name, spec).await?;
        let mut note = |text: String| {
            done.push(Applied {
                topic: name.clone(),
                done: text,
            });
        };
        match found.partitions {
            None => {
                create(config, &admin, &name, spec, plan.replication).await?;
                note(format!("created with {} partitions", spec.partitions));
                continue;
            }
            Some(partitions) if partitions < spec.partitions => {
                widen(config, &admin, &name, spec.partitions).await?;
                note(format!(
                    "widened from {partitions} to {} partitions",
                    spec.partitions
                ));
            }
            Some(_) => {}
        }
        let differing = differences(spec, &found);
        if !differing.is_empty() {
            alter(config, &admin, &name, spec, found.own).await?;
            for (key, wanted, was) in differing {
                note(format!("set {key} from {was} to {wanted}"));
            }
        }
    }
    if !done.is_empty() {
        until_seen(config, plan).await?;
    }
    Ok(done)
}

/// Creates a topic of this name beside those of the plan, where it does not exist: one partition that
/// takes what `hitl` takes and keeps it for a week.
///
/// # Errors
/// [`TopicsError::Admin`] if the brokers refuse.
pub async fn create_aside(
    config: &KafkaConfig,
    plan: &TopicPlan,
    name: &str,
) -> Result<(), TopicsError> {
    let mut settings = plan
        .specs
        .get(&Topic::Hitl)
        .map_or_else(BTreeMap::new, |spec| spec.config.clone());
    settings.insert("retention.ms".to_owned(), WEEK_MS.to_owned());
    let spec = TopicSpec {
        key: "patch_id".to_owned(),
        partitions: 1,
        config: settings,
    };
    let admin = admin_client(config)?;
    create(config, &admin, name, &spec, plan.replication).await?;
    // A producer that asks too early is told that there is no such topic.
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        if look(config, &admin, name, &spec)
            .await?
            .partitions
            .is_some()
        {
            break;
        }
        tokio::time::sleep(SEEN_POLL).await;
    }
    Ok(())
}

/// Waits until the brokers tell of what the controller has just done; a busy one takes a while.
async fn until_seen(config: &KafkaConfig, plan: &TopicPlan) -> Result<(), TopicsError> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        let drifts = check(config, plan).await?;
        if !drifts
            .iter()
            .any(|drift| drift.fatal && drift.remedy == APPLY)
        {
            break;
        }
        tokio::time::sleep(SEEN_POLL).await;
    }
    Ok(())
}

/// Returns every difference between the plan and the brokers, in the order of the stream.
///
/// # Errors
/// [`TopicsError::Admin`] names the step.
pub async fn check(config: &KafkaConfig, plan: &TopicPlan) -> Result<Vec<Drift>, TopicsError> {
    let admin = admin_client(config)?;
    let mut drifts = Vec::new();
    for (topic, spec) in plan.specs() {
        let name = topic.name(&config.topic_prefix);
        let found = look(config, &admin, &name, spec).await?;
        let mut drift = |what: &str, wanted: String, is: String, fatal: bool, remedy: &str| {
            drifts.push(Drift {
                topic: name.clone(),
                what: what.to_owned(),
                wanted,
                found: is,
                fatal,
                remedy: remedy.to_owned(),
            });
        };
        match found.partitions {
            None => {
                drift("exists", "yes".into(), "no".into(), true, APPLY);
                continue;
            }
            Some(is) if is < spec.partitions => {
                drift(
                    "partitions",
                    spec.partitions.to_string(),
                    is.to_string(),
                    true,
                    APPLY,
                );
            }
            Some(is) if is > spec.partitions => {
                let remedy = format!(
                    "set topics.partitions.{topic} = {is} in crisol.toml: partitions cannot be taken away"
                );
                drift(
                    "partitions",
                    spec.partitions.to_string(),
                    is.to_string(),
                    true,
                    &remedy,
                );
            }
            Some(_) => {}
        }
        for (key, wanted, is) in differences(spec, &found) {
            drift(&key, wanted, is, false, APPLY);
        }
    }
    Ok(drifts)
}

fn differences(spec: &TopicSpec, found: &Found) -> Vec<(String, String, String)> {
    spec.config
        .iter()
        .filter_map(|(key, wanted)| {
            let is = found.config.get(key).map_or("unset", String::as_str);
            (is != wanted).then(|| (key.clone(), wanted.clone(), is.to_owned()))
        })
        .collect()
}

fn admin_client(config: &KafkaConfig) -> Result<AdminClient<LogContext>, TopicsError> {
    config
        .query_client("read_committed")
        .create_with_context(LogContext)
        .map_err(|error| failed(config, "create admin client", &error.to_string()))
}

fn failed(config: &KafkaConfig, action: &str, message: &str) -> TopicsError {
    TopicsError::Admin {
        action: action.to_owned(),
        message: printable(message),
        brokers: config.brokers.clone(),
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT))
}

async fn look(
    config: &KafkaConfig,
    admin: &AdminClient<LogContext>,
    name: &str,
    spec: &TopicSpec,
) -> Result<Found, TopicsError> {
    let metadata = admin
        .inner()
        .fetch_metadata(Some(name), TIMEOUT)
        .map_err(|e| failed(config, &format!("look at {name}"), &e.to_string()))?;
    let partitions = metadata
        .topics()
        .iter()
        .find(|topic| topic.name() == name && topic.error().is_none())
        .map(|topic| i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX))
        .filter(|count| *count > 0);
    let mut settings = BTreeMap::new();
    let mut own = BTreeMap::new();
    if partitions.is_some() && !spec.config.is_empty() {
        let described = admin
            .describe_configs([&ResourceSpecifier::Topic(name)], &options())
            .await
            .map_err(|e| failed(config, &format!("describe {name}"), &e.to_string()))?;
        for resource in described.into_iter().flatten() {
            for entry in resource.entries {
                let value = entry.value.unwrap_or_default();
                if entry.source == ConfigSource::DynamicTopic {
                    own.insert(entry.name.clone(), value.clone());
                }
                settings.insert(entry.name, value);
            }
        }
    }
    Ok(Found {
        partitions,
        config: settings,
        own,
    })
}

async fn create(
    config: &KafkaConfig,
    admin: &AdminClient<LogContext>,
    name: &str,
    spec: &TopicSpec,
    replication: i32,
) -> Result<(), TopicsError> {
    let mut topic = NewTopic::new(name, spec.partitions, TopicReplication::Fixed(replication));
    for (key, value) in &spec.config {
        topic = topic.set(key, value);
    }
    let action = format!("create {name}");
    let results = admin.create_topics([&topic], &options()).await;
    outcome(
        config,
        &action,
        results,
        Some(RDKafkaErrorCode::TopicAlreadyExists),
    )
}

async fn widen(
    config: &KafkaConfig,
    admin: &AdminClient<LogContext>,
    name: &str,
    partitions: i32,
) -> Result<(), TopicsError> {
    let wider = NewPartitions::new(name, usize::try_from(partitions).unwrap_or(1));
    let action = format!("widen {name}");
    outcome(
        config,
        &action,
        admin.create_partitions([&wider], &options()).await,
        None,
    )
}

async fn alter(
    config: &KafkaConfig,
    admin: &AdminClient<LogContext>,
    name: &str,
    spec: &TopicSpec,
    own: BTreeMap<String, String>,
) -> Result<(), TopicsError> {
    // The request replaces every setting of the topic, so those that others made go along.
    let mut settings = own;
    settings.extend(spec.config.clone());
    let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
    for (key, value) in &settings {
        change = change.set(key, value);
    }
    let action = format!("set {name}");
    let results = admin.alter_configs([&change], &options()).await;
    let flat = results.map(|list| {
        list.into_iter()
            .map(|one| {
                one.map(|_| name.to_owned())
                    .map_err(|(_, code)| (name.to_owned(), code))
            })
            .collect()
    });
    outcome(config, &action, flat, None)
}

type AdminResults = Result<Vec<Result<String, (String, RDKafkaErrorCode)>>, KafkaError>;

fn outcome(
    config: &KafkaConfig,
    action: &str,
    results: AdminResults,
    tolerated: Option<RDKafkaErrorCode>,
) -> Result<(), TopicsError> {
    let results = results.map_err(|e| failed(config, action, &e.to_string()))?;
    for result in results {
        if let Err((_, code)) = result
            && Some(code) != tolerated
        {
            return Err(failed(config, action, &code.to_string()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(partitions: &[(&str, i32)]) -> TopicsConfig {
        TopicsConfig {
            partitions: partitions
                .iter()
                .map(|(n, p)| ((*n).to_owned(), *p))
                .collect(),
            replication: None,
        }
    }

    #[test]
    fn every_file_is_sound() {
        let plan = TopicPlan::load(&TopicsConfig::default()).unwrap();
        assert_eq!(plan.specs().count(), FILES.len());
        for (topic, spec) in plan.specs() {
            assert!(spec.partitions >= 1, "{topic}");
            assert!(spec.config.contains_key("cleanup.policy"), "{topic}");
            assert!(spec.config.contains_key("max.message.bytes"), "{topic}");
        }
    }

    #[test]
    fn an_installation_may_differ_only_where_it_makes_sense() {
        let plan = TopicPlan::load(&with(&[("patches", 24)])).unwrap();
        assert_eq!(plan.names("p.").partitions(Topic::Patches), 24);
        assert_eq!(plan.names("p.").of(Topic::HitlOpen), "p.hitl-open");
        for wrong in [("patch", 24), ("patches", 0), ("control", 2)] {
            let error = TopicPlan::load(&with(&[wrong])).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("topics.partitions.{}", wrong.0)),
                "{error}"
            );
        }
    }
}
