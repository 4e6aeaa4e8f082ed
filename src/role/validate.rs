//! The role `validate`: patches in, decisions and queue items out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::Registry;
use tracing::{info, warn};

use crate::config::{InvalidSecret, InvalidSecretKey, SecretKey};
use crate::engine::{Engine, EngineError, EngineMetrics, Failpoints, Health, Parts};
use crate::event::topic::Topic;
use crate::guard::metrics::BreakerMetrics;
use crate::http::{BuildInfo, Probe, Probes, Serving, Sidecar};
use crate::judge::models::Models;
use crate::judge::shelf::Shelf;
use crate::judge::shipped::LoadError;
use crate::ledger::Counts;
use crate::log::table::TableError;
use crate::log::topics::{Drift, TopicPlan, TopicsError, check};
use crate::memory::{ExactMemory, MemoryMetrics, StoreError};
use crate::pipeline::Pipeline;
use crate::policy::Sampler;
use crate::role::models::keep_models;
use crate::role::operations::ValidateOperations;
use crate::role::settings::Settings;
use crate::table::{TableMetrics, Tables};

/// The role's name in the group and at the transaction coordinator.
const ROLE: &str = "validate";
/// How often a start that waits for its tables looks whether it should stop.
const WAIT_STEP: Duration = Duration::from_millis(200);

/// Why the role ends.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// The topics cannot be looked at.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The topics are not as they must be.
    #[error("{}", describe(.0))]
    Drifted(Vec<Drift>),
    /// A table cannot start.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There is no secret key, or none that can be used.
    #[error(transparent)]
    SecretKey(#[from] InvalidSecretKey),
    /// The token of operators cannot be used.
    #[error(transparent)]
    Token(#[from] InvalidSecret),
    /// Memory cannot start.
    #[error("memory.redis_url (REDIS_URL): {0}")]
    Memory(#[from] StoreError),
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// The sidecar cannot listen.
    #[error(
        "cannot listen on {listen}: {source}; is another replica on this host? set CRISOL_HTTP_LISTEN"
    )]
    Listen {
        /// The address.
        listen: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Two metrics have one name: a defect.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The engine ended.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A helper of the start cannot run.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

fn describe(drifts: &[Drift]) -> String {
    let lines: Vec<String> = drifts
        .iter()
        .map(|d| {
            format!(
                "{}: {} is {}, must be {}; mend it with: {}",
                d.topic, d.what, d.found, d.wanted, d.remedy
            )
        })
        .collect();
    lines.join("\n")
}

/// Runs the role until `stop` is set.
///
/// Returns what became of every record this run committed.
///
/// # Errors
/// [`ValidateError`] tells what to mend.
pub fn run(
    settings: &Settings,
    failpoints: Failpoints,
    stop: &Arc<AtomicBool>,
) -> Result<Counts, ValidateError> {
    let key = settings.secret.load()?;
    let plan = TopicPlan::load(&settings.topics)?;
    refuse_drift(settings, &plan)?;
    start(settings, &plan, Some(&key), failpoints, stop)
}

/// Runs the role on a broker inside the process: nobody checks its topics, because it knows no settings
/// of them, and memory is inside the process too, so that no key is needed.
///
/// # Errors
/// [`ValidateError`] tells what to mend.
pub fn run_unchecked(
    settings: &Settings,
    plan: &TopicPlan,
    failpoints: Failpoints,
    stop: &Arc<AtomicBool>,
) -> Result<Counts, ValidateError> {
    start(settings, plan, None, failpoints, stop)
}

fn start(
    settings: &Settings,
    plan: &TopicPlan,
    key: Option<&SecretKey>,
    failpoints: Failpoints,
    stop: &Arc<AtomicBool>,
) -> Result<Counts, ValidateError> {
    if failpoints.is_armed() {
        warn!("a failpoint is armed: this process is meant to break");
    }
    let names = plan.names(&settings.kafka.topic_prefix);
    let registry = Registry::new();
    BuildInfo::register(&registry)?;
    let tables = Arc::new(Tables::tail(
        &settings.kafka,
        &names,
        &settings.tables(),
        &settings.limits,
    )?);
    let health = Arc::new(Health::default());
    let metrics = MemoryMetrics::register(&registry)?;
    let memory = Arc::new(match key {
        Some(key) => ExactMemory::start(&settings.memory, key, settings.engine.workers, metrics)?,
        None => ExactMemory::in_process(&settings.memory, metrics),
    });
    let shelf = Shelf::open(&settings.model)?;
    let models = Arc::new(Models::new(shelf.pick(None, None))?);
    models.register(&registry)?;
    let probes = Arc::new(ValidateProbes {
        health: Arc::clone(&health),
        memory: Arc::clone(&memory),
        models: Arc::clone(&models),
        breakers: BreakerMetrics::register(&registry)?,
        tables: Arc::clone(&tables),
        table_metrics: TableMetrics::register(&registry)?,
    });
    let metrics = EngineMetrics::register(&registry)?;
    let address = settings
        .http
        .address()
        .map_err(|error| ValidateError::Listen {
            listen: settings.http.listen.clone(),
            source: std::io::Error::other(error),
        })?;
    let operations = ValidateOperations {
        health: Arc::clone(&health),
        tables: Arc::clone(&tables),
        memory: Arc::clone(&memory),
        models: Arc::clone(&models),
        kafka: settings.kafka.clone(),
        control: names.of(Topic::Control).to_owned(),
        ab: settings.ab,
    };
    let serving = Serving {
        probes,
        operations: Arc::new(operations),
        token: settings.ops.load()?,
        registry,
    };
    let _sidecar = Sidecar::start(address, serving).map_err(|source| ValidateError::Listen {
        listen: settings.http.listen.clone(),
        source,
    })?;
    if !wait_for_tables(&tables, &health, stop) {
        return Ok(Counts::default());
    }
    info!(
        cves = tables.apv.len(),
        open_items = tables.open_items.len(),
        candidates = tables.verdicts.len(),
        "tables have caught up"
    );
    keep_models(
        shelf,
        Arc::clone(&models),
        Arc::clone(&tables),
        Arc::clone(stop),
    )?;
    let pipeline = Pipeline::new(
        tables,
        settings.judging.clone(),
        settings.limits.clone(),
        settings.diff.clone(),
        settings.risk.clone(),
        wall_clock_ms,
    )
    .with_models(models);
    let in_process = SecretKey::of_this_process();
    let sampler = Sampler::new(key.unwrap_or(&in_process));
    let pipeline = pipeline.with_sampling(sampler, settings.ab);
    let pipeline = Arc::new(if settings.memory.is_off() {
        pipeline
    } else {
        pipeline.with_memory(memory)
    });
    let engine = Engine::start(Parts {
        role: ROLE,
        input: Topic::Patches,
        kafka: settings.kafka.clone(),
        names,
        config: settings.engine.clone(),
        pipeline,
        metrics,
        health,
        failpoints: Arc::new(failpoints),
        stop: Arc::clone(stop),
        clock: wall_clock_ms,
    })?;
    Ok(engine.run()?)
}

/// Returns the wall clock, milliseconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks for the time"
)]
pub fn wall_clock_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}

/// Looks at the topics and refuses to start over a difference that would break a promise.
fn refuse_drift(settings: &Settings, plan: &TopicPlan) -> Result<(), ValidateError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let drifts = runtime.block_on(check(&settings.kafka, plan))?;
    let (fatal, tolerable): (Vec<Drift>, Vec<Drift>) = drifts.into_iter().partition(|d| d.fatal);
    for drift in tolerable {
        warn!(
            topic = drift.topic,
            setting = drift.what,
            found = drift.found,
            wanted = drift.wanted,
            "topic setting differs; mend it with: {}",
            drift.remedy
        );
    }
    if fatal.is_empty() {
        Ok(())
    } else {
        Err(ValidateError::Drifted(fatal))
    }
}

/// Waits for the tables as long as it takes; returns `false` if told to stop meanwhile.
fn wait_for_tables(tables: &Tables, health: &Health, stop: &AtomicBool) -> bool {
    while let Err(error) = tables.wait_ready(WAIT_STEP) {
        // Catching up is work, not death.
        health.polled();
        if stop.load(Ordering::Relaxed) {
            info!(%error, "stopped before the tables had caught up");
            return false;
        }
    }
    true
}

struct ValidateProbes {
    health: Arc<Health>,
    memory: Arc<ExactMemory>,
    models: Arc<Models>,
    breakers: BreakerMetrics,
    tables: Arc<Tables>,
    table_metrics: TableMetrics,
}

impl Probes for ValidateProbes {
    fn is_live(&self) -> bool {
        self.health.is_live()
    }

    fn parts(&self) -> Vec<Probe> {
        vec![
            Probe {
                name: "engine",
                not_ready: self.health.not_ready(),
            },
            Probe {
                name: "tables",
                not_ready: self.tables.not_ready(),
            },
        ]
    }

    fn uptime_seconds(&self) -> u64 {
        self.health.uptime().as_secs()
    }

    fn refresh_metrics(&self) {
        self.table_metrics.observe(&self.tables);
        self.breakers.observe(self.memory.breaker());
        self.breakers.observe(self.models.breaker());
        self.models.observe();
    }
}
