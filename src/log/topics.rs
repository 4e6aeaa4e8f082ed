//! The topics as they must be: one file each, created, widened and checked against the brokers.
//!
//! Over 400 lines because plan, apply and check share one small vocabulary that nobody else needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic,
    OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
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
/// The setting that says whether old records go by age or by key.
const POLICY: &str = "cleanup.policy";
/// By key, and by key only.
const COMPACT: &str = "compact";
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

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} is {}, must be {}; mend it with: {}",
            self.topic, self.what, self.found, self.wanted, self.remedy
        )
    }
}

/// One step that [`apply`] took, as the brokers tell of it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The full name of the topic.
    pub topic: String,
    /// What was done.
    pub done: String,
}

/// What became of [`apply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// What was done and is seen.
    pub applied: Vec<Applied>,
    /// What differs all the same.
    pub left: Vec<Drift>,
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

    fn all(&self) -> Vec<&str> {
        self.0.values().map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the number of partitions; 1 for a topic that this build does not use.
    pub fn partitions(&self, topic: Topic) -> i32 {
        self.0.get(&topic).map_or(1, |(_, partitions)| *partitions)
    }
}

/// What the brokers have of one topic.
#[derive(Debug)]
struct Found {
    partitions: i32,
    /// Settings in force, defaults included.
    config: BTreeMap<String, String>,
    /// Settings somebody made on the topic itself.
    own: BTreeMap<String, String>,
}

/// Creates missing topics, adds missing partitions and sets settings that differ. Never removes a
/// partition and never deletes a topic. What it tells of is what the brokers have afterwards: a client
/// that sends to a topic before it is created makes the brokers create it their own way, and a name that
/// exists is no proof of what it is.
///
/// # Errors
/// [`TopicsError::Admin`] names the step.
pub async fn apply(config: &KafkaConfig, plan: &TopicPlan) -> Result<Outcome, TopicsError> {
    let admin = admin_client(config)?;
    let names = plan.names(&config.topic_prefix);
    let mut steps: BTreeMap<Topic, Vec<Step>> = BTreeMap::new();
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let found = look(config, &admin, &names.all()).await?;
        let left = drifts(config, plan, &found);
        let is_unseen = left.iter().any(|drift| drift.remedy.starts_with(APPLY));
        if !is_unseen || Instant::now() >= deadline {
            let applied = told(&names, &steps, &found);
            return Ok(Outcome { applied, left });
        }
        for (topic, spec) in plan.specs() {
            let taken = steps.entry(topic).or_default();
            let name = names.of(topic);
            let step = next_step(spec, found.get(name), taken);
            match &step {
                None => continue,
                Some(Step::Create) => {
                    create(config, &admin, name, spec, plan.replication).await?;
                }
                Some(Step::Widen { .. }) => widen(config, &admin, name, spec.partitions).await?,
                Some(Step::Set(_)) => {
                    let own = found.get(name).map(|found| found.own.clone());
                    alter(config, &admin, name, spec, own.unwrap_or_default()).await?;
                }
            }
            taken.extend(step);
        }
        // The controller has done it; a busy broker takes a while to tell of it.
        tokio::time::sleep(SEEN_POLL).await;
    }
}

/// What brings a topic nearer to how it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Create,
    Widen { from: i32 },
    Set(Vec<(String, String, String)>),
}

/// Returns the next step for a topic; none twice, since brokers tell late of the first.
fn next_step(spec: &TopicSpec, found: Option<&Found>, taken: &[Step]) -> Option<Step> {
    let Some(found) = found else {
        return (!taken.contains(&Step::Create)).then_some(Step::Create);
    };
    let is_wide = taken.iter().any(|step| matches!(step, Step::Widen { .. }));
    if found.partitions < spec.partitions && !is_wide {
        return Some(Step::Widen {
            from: found.partitions,
        });
    }
    let differing = differences(spec, found);
    let is_set = taken.iter().any(|step| matches!(step, Step::Set(_)));
    (!differing.is_empty() && !is_set).then_some(Step::Set(differing))
}

/// Returns what the steps came to, as far as it is seen.
fn told(
    names: &TopicNames,
    steps: &BTreeMap<Topic, Vec<Step>>,
    found: &BTreeMap<String, Found>,
) -> Vec<Applied> {
    let mut applied = Vec::new();
    for (topic, step) in steps
        .iter()
        .flat_map(|(topic, steps)| steps.iter().map(move |step| (*topic, step)))
    {
        let name = names.of(topic);
        let Some(now) = found.get(name) else {
            continue;
        };
        let mut note = |done: String| {
            applied.push(Applied {
                topic: name.to_owned(),
                done,
            });
        };
        match step {
            Step::Create => note(format!("created with {} partitions", now.partitions)),
            Step::Widen { from } => {
                note(format!(
                    "widened from {from} to {} partitions",
                    now.partitions
                ));
            }
            Step::Set(settings) => {
                for (key, _, was) in settings {
                    let is = now.config.get(key).map_or("unset", String::as_str);
                    note(format!("set {key} from {was} to {is}"));
                }
            }
        }
    }
    applied
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
        if look(config, &admin, &[name]).await?.contains_key(name) {
            break;
        }
        tokio::time::sleep(SEEN_POLL).await;
    }
    Ok(())
}

/// Returns every difference between the plan and the brokers, in the order of the stream. Looking changes
/// nothing, also where brokers create what somebody asks for.
///
/// # Errors
/// [`TopicsError::Admin`] names the step.
pub async fn check(config: &KafkaConfig, plan: &TopicPlan) -> Result<Vec<Drift>, TopicsError> {
    let admin = admin_client(config)?;
    let names = plan.names(&config.topic_prefix);
    let found = look(config, &admin, &names.all()).await?;
    Ok(drifts(config, plan, &found))
}

/// Returns what keeps one topic from being relied on; empty if nothing does.
///
/// # Errors
/// [`TopicsError::Admin`] names the step.
pub async fn check_one(
    config: &KafkaConfig,
    plan: &TopicPlan,
    topic: Topic,
) -> Result<Vec<Drift>, TopicsError> {
    let name = topic.name(&config.topic_prefix);
    let mut drifts = check(config, plan).await?;
    drifts.retain(|drift| drift.fatal && drift.topic == name);
    Ok(drifts)
}

fn drifts(config: &KafkaConfig, plan: &TopicPlan, found: &BTreeMap<String, Found>) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for (topic, spec) in plan.specs() {
        let name = topic.name(&config.topic_prefix);
        let mut drift = |what: &str, wanted: &str, is: &str, fatal: bool, remedy: &str| {
            drifts.push(Drift {
                topic: name.clone(),
                what: what.to_owned(),
                wanted: wanted.to_owned(),
                found: is.to_owned(),
                fatal,
                remedy: remedy.to_owned(),
            });
        };
        let Some(found) = found.get(&name) else {
            let remedy =
                format!("{APPLY} (or is kafka.topic_prefix, CRISOL_TOPIC_PREFIX, mistyped?)");
            drift("exists", "yes", "no", true, &remedy);
            continue;
        };
        let (wanted, is) = (spec.partitions.to_string(), found.partitions.to_string());
        if found.partitions < spec.partitions {
            drift("partitions", &wanted, &is, true, APPLY);
        } else if found.partitions > spec.partitions {
            let remedy = if topic == Topic::Control {
                // Its offset is the version that decisions carry.
                format!("delete {name} and run {APPLY}: settings on it are lost")
            } else {
                format!(
                    "set topics.partitions.{topic} = {is} in crisol.toml: partitions cannot be taken away"
                )
            };
            drift("partitions", &wanted, &is, true, &remedy);
        }
        for (key, wanted, is) in differences(spec, found) {
            // What such a topic holds is kept until it is taken back; brokers that delete by age would
            // forget a kill switch, or that a person still has an item.
            let fatal = key == POLICY && wanted == COMPACT;
            drift(&key, &wanted, &is, fatal, APPLY);
        }
    }
    drifts
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

/// Returns what the brokers have of these topics. It asks for the whole cluster: a broker that is asked for
/// one topic may create it.
async fn look(
    config: &KafkaConfig,
    admin: &AdminClient<LogContext>,
    names: &[&str],
) -> Result<BTreeMap<String, Found>, TopicsError> {
    let metadata = admin
        .inner()
        .fetch_metadata(None, TIMEOUT)
        .map_err(|e| failed(config, "look at the topics", &e.to_string()))?;
    let mut found = BTreeMap::new();
    for topic in metadata.topics() {
        let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
        if names.contains(&topic.name()) && topic.error().is_none() && partitions > 0 {
            let nothing_yet = Found {
                partitions,
                config: BTreeMap::new(),
                own: BTreeMap::new(),
            };
            found.insert(topic.name().to_owned(), nothing_yet);
        }
    }
    if found.is_empty() {
        return Ok(found);
    }
    let specifiers: Vec<ResourceSpecifier<'_>> = names
        .iter()
        .filter(|name| found.contains_key(**name))
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    let described = admin
        .describe_configs(&specifiers, &options())
        .await
        .map_err(|e| failed(config, "describe the topics", &e.to_string()))?;
    for resource in described {
        let resource = match resource {
            Ok(resource) => resource,
            // Gone since, or not known to this broker yet: the next look tells.
            Err(RDKafkaErrorCode::UnknownTopicOrPartition) => continue,
            Err(code) => return Err(failed(config, "describe the topics", &code.to_string())),
        };
        let OwnedResourceSpecifier::Topic(name) = resource.specifier else {
            continue;
        };
        let Some(found) = found.get_mut(&name) else {
            continue;
        };
        for entry in resource.entries {
            let value = entry.value.unwrap_or_default();
            if entry.source == ConfigSource::DynamicTopic {
                found.own.insert(entry.name.clone(), value.clone());
            }
            found.config.insert(entry.name, value);
        }
    }
    Ok(found)
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
    // Somebody was faster: what it is like is looked at next.
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
