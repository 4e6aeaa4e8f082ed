//! What the roles of one process share: tables, memory, models, the sidecar; and the threads that run them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::Registry;
use tracing::{info, warn};

use crate::arena::{Ring, WallMetrics};
use crate::config::SecretKey;
use crate::engine::{Failpoints, Health};
use crate::event::topic::Topic;
use crate::exploit::Catalogue;
use crate::guard::metrics::BreakerMetrics;
use crate::http::{BuildInfo, Probe, Probes, Serving, Sidecar};
use crate::judge::models::Models;
use crate::judge::shelf::Shelf;
use crate::ledger::Counts;
use crate::log::pulse::Pulse;
use crate::log::topics::{Drift, TopicNames, TopicPlan, check};
use crate::memory::{ExactMemory, MemoryMetrics};
use crate::role::error::RunError;
use crate::role::models::keep_models;
use crate::role::operations::ProcessOperations;
use crate::role::settings::Settings;
use crate::role::{validate, wargame};
use crate::table::{ComparisonMetrics, TableMetrics, Tables};

/// How often a start that waits for its tables looks whether it should stop.
const WAIT_STEP: Duration = Duration::from_millis(200);

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Patches in, decisions, queue items and requests out.
    Validate,
    /// Requests in, exploits replayed, decisions and queue items out.
    Wargame,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Validate, Self::Wargame];

    /// Returns its name in the group and at the transaction coordinator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Wargame => "wargame",
        }
    }
}

/// What every role of the process has.
pub(super) struct Shared<'a> {
    pub(super) settings: &'a Settings,
    pub(super) names: TopicNames,
    pub(super) key: Option<&'a SecretKey>,
    pub(super) tables: Arc<Tables>,
    pub(super) memory: Arc<ExactMemory>,
    pub(super) models: Arc<Models>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) ring: Arc<Ring>,
    pub(super) registry: Registry,
    pub(super) failpoints: Arc<Failpoints>,
    pub(super) stop: Arc<AtomicBool>,
}

/// Runs roles until `stop` is set.
///
/// Returns what became of every record that this run committed, by role.
///
/// # Errors
/// [`RunError`] tells what to mend.
pub fn run(
    settings: &Settings,
    roles: &[Role],
    failpoints: Failpoints,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<(Role, Counts)>, RunError> {
    let key = settings.secret.load()?;
    let plan = TopicPlan::load(&settings.topics)?;
    refuse_drift(settings, &plan)?;
    start(settings, &plan, roles, Some(&key), failpoints, stop)
}

/// Runs roles on a broker inside the process: nobody checks its topics, because it knows no settings
/// of them, and memory is inside the process too, so that no key is needed.
///
/// # Errors
/// [`RunError`] tells what to mend.
pub fn run_unchecked(
    settings: &Settings,
    plan: &TopicPlan,
    roles: &[Role],
    failpoints: Failpoints,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<(Role, Counts)>, RunError> {
    start(settings, plan, roles, None, failpoints, stop)
}

fn start(
    settings: &Settings,
    plan: &TopicPlan,
    roles: &[Role],
    key: Option<&SecretKey>,
    failpoints: Failpoints,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<(Role, Counts)>, RunError> {
    if failpoints.is_armed() {
        warn!("a failpoint is armed: this process is meant to break");
    }
    let names = plan.names(&settings.kafka.topic_prefix);
    let registry = Registry::new();
    BuildInfo::register(&registry)?;
    let control = names.of(Topic::Control).to_owned();
    let pulse = Arc::new(Pulse::start(&settings.kafka, control.clone(), &registry)?);
    let tables = Arc::new(Tables::tail(
        &settings.kafka,
        &names,
        &settings.tables(),
        &settings.limits,
    )?);
    let metrics = MemoryMetrics::register(&registry)?;
    let memory = Arc::new(match key {
        Some(key) => ExactMemory::start(&settings.memory, key, settings.engine.workers, metrics)?,
        None => ExactMemory::in_process(&settings.memory, metrics),
    });
    let shelf = Shelf::open(&settings.model)?;
    let models = Arc::new(Models::new(shelf.pick(None, None))?);
    models.register(&registry)?;
    let engines: Vec<(Role, Arc<Health>)> = roles
        .iter()
        .map(|role| (*role, Arc::new(Health::default())))
        .collect();
    let shared = Shared {
        settings,
        key,
        catalogue: Arc::new(catalogue(settings)),
        ring: Arc::new(Ring::new(settings.arena.clone(), settings.targets.clone())),
        memory: Arc::clone(&memory),
        models: Arc::clone(&models),
        tables: Arc::clone(&tables),
        registry: registry.clone(),
        names: names.clone(),
        failpoints: Arc::new(failpoints),
        stop: Arc::clone(stop),
    };
    let probes = Arc::new(ProcessProbes {
        engines: engines.clone(),
        pulse: Arc::clone(&pulse),
        memory: Arc::clone(&memory),
        models: Arc::clone(&models),
        ring: Arc::clone(&shared.ring),
        breakers: BreakerMetrics::register(&registry)?,
        wall_metrics: WallMetrics::register(&registry)?,
        tables: Arc::clone(&tables),
        table_metrics: TableMetrics::register(&registry)?,
        comparison_metrics: ComparisonMetrics::register(&registry)?,
    });
    let operations = ProcessOperations {
        engines: engines.clone(),
        pulse,
        tables: Arc::clone(&tables),
        memory,
        models: Arc::clone(&models),
        ring: Arc::clone(&shared.ring),
        client: settings.kafka.clone(),
        control,
        ab: settings.ab,
    };
    let listen = |source| RunError::Listen {
        listen: settings.http.listen.clone(),
        source,
    };
    let serving = Serving {
        probes,
        operations: Arc::new(operations),
        token: settings.ops.load()?,
        registry,
    };
    let _sidecar = Sidecar::start(&settings.http, serving).map_err(listen)?;
    if !wait_for_tables(&tables, &engines, stop) {
        return Ok(Vec::new());
    }
    info!(
        cves = tables.apv.len(),
        open_items = tables.open_items.len(),
        candidates = tables.verdicts.len(),
        exploits = shared.catalogue.all().len(),
        "tables have caught up"
    );
    keep_models(shelf, models, tables, Arc::clone(stop))?;
    run_engines(&shared, &engines)
}

/// Runs each role's engine on a thread of its own; the first that ends with an error ends the others.
fn run_engines(
    shared: &Shared<'_>,
    engines: &[(Role, Arc<Health>)],
) -> Result<Vec<(Role, Counts)>, RunError> {
    std::thread::scope(|scope| {
        let running: Vec<_> = engines
            .iter()
            .map(|(role, health)| {
                std::thread::Builder::new()
                    .name(role.as_str().to_owned())
                    .spawn_scoped(scope, move || {
                        let ran = match role {
                            Role::Validate => validate::run(shared, health),
                            Role::Wargame => wargame::run(shared, health),
                        };
                        // One role without the others would be a process that looks alive.
                        shared.stop.store(true, Ordering::Relaxed);
                        ran
                    })
            })
            .collect();
        let mut counts = Vec::new();
        let mut failed = None;
        for (thread, (role, _)) in running.into_iter().zip(engines) {
            let ran = match thread?.join() {
                Ok(ran) => ran,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            match ran {
                Ok(of_role) => counts.push((*role, of_role)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(counts), Err)
    })
}

/// Returns the exploits that can be used; where there are none, people decide what the judges do not.
pub fn catalogue(settings: &Settings) -> Catalogue {
    let directory = &settings.exploits.directory;
    match Catalogue::open(directory) {
        Ok((catalogue, flawed)) => {
            for flaw in flawed {
                warn!(error = %flaw, "an exploit cannot be used; crisol exploits lint tells more");
            }
            catalogue
        }
        Err(error) => {
            warn!(directory = %directory.display(), %error, "no exploits: people decide what judges do not");
            Catalogue::default()
        }
    }
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
fn refuse_drift(settings: &Settings, plan: &TopicPlan) -> Result<(), RunError> {
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
        Err(RunError::Drifted(fatal))
    }
}

/// Waits for the tables as long as it takes; returns `false` if told to stop meanwhile.
fn wait_for_tables(tables: &Tables, engines: &[(Role, Arc<Health>)], stop: &AtomicBool) -> bool {
    while let Err(error) = tables.wait_ready(WAIT_STEP) {
        // Catching up is work, not death.
        for (_, health) in engines {
            health.polled();
        }
        if stop.load(Ordering::Relaxed) {
            info!(%error, "stopped before the tables had caught up");
            return false;
        }
    }
    true
}

struct ProcessProbes {
    engines: Vec<(Role, Arc<Health>)>,
    pulse: Arc<Pulse>,
    memory: Arc<ExactMemory>,
    models: Arc<Models>,
    ring: Arc<Ring>,
    breakers: BreakerMetrics,
    wall_metrics: WallMetrics,
    tables: Arc<Tables>,
    table_metrics: TableMetrics,
    comparison_metrics: ComparisonMetrics,
}

impl Probes for ProcessProbes {
    fn is_live(&self) -> bool {
        self.engines.iter().all(|(_, health)| health.is_live())
    }

    fn parts(&self) -> Vec<Probe> {
        let not_ready = |health: &Health| health.not_ready();
        let engines = self.engines.iter().map(|(role, health)| Probe {
            name: match role {
                Role::Validate => "engine",
                Role::Wargame => "wargame",
            },
            not_ready: not_ready(health),
        });
        engines
            .chain([
                Probe {
                    name: "kafka",
                    not_ready: self.pulse.not_ready(),
                },
                Probe {
                    name: "tables",
                    not_ready: self.tables.not_ready(),
                },
            ])
            .collect()
    }

    fn uptime_seconds(&self) -> u64 {
        let uptimes = self.engines.iter().map(|(_, health)| health.uptime());
        uptimes.max().unwrap_or_default().as_secs()
    }

    fn refresh_metrics(&self) {
        self.pulse.observe();
        self.table_metrics.observe(&self.tables);
        self.comparison_metrics
            .observe(&self.tables.comparisons, wall_clock_ms());
        self.breakers.observe(self.memory.breaker());
        self.breakers.observe(self.models.breaker());
        self.breakers.observe(self.ring.breaker());
        self.models.observe();
        self.wall_metrics.observe(&self.ring);
    }
}
