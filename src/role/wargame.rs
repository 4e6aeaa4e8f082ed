//! The role `wargame`: requests in, exploits replayed, decisions, queue items, verdicts and comparisons out.

use std::sync::Arc;

use tracing::{info, warn};

use crate::engine::{Engine, EngineConfig, EngineError, EngineMetrics, Health, Parts, Slots};
use crate::event::topic::Topic;
use crate::ledger::Counts;
use crate::pipeline::wargame::{WargameParts, WargamePipeline};
use crate::role::error::RunError;
use crate::role::process::{Role, Shared, wall_clock_ms};
use crate::stage::sources::Sources;

/// Runs the role until the process stops.
pub(super) fn run(shared: &Shared<'_>, health: &Arc<Health>) -> Result<Counts, RunError> {
    let settings = shared.settings;
    // Told at the start, not by the first patch; without an arena requests still end, with people.
    match shared.ring.arena() {
        Ok(_) => info!("the arena's walls hold"),
        Err(error) => warn!(%error, "no wargames can be held here: people decide"),
    }
    let tables = Arc::new(shared.tables.beside(
        &settings.kafka,
        &shared.names,
        &settings.tables(),
        &settings.limits,
    )?);
    let pipeline = Arc::new(WargamePipeline::new(WargameParts {
        tables: Arc::clone(&tables),
        config: settings.judging.clone(),
        limits: settings.limits.clone(),
        diffs: settings.diff.clone(),
        risk: settings.risk.clone(),
        clock: wall_clock_ms,
        sources: Arc::new(Sources::of(&settings.sources)),
        models: Arc::clone(&shared.models),
        catalogue: Arc::clone(&shared.catalogue),
        ring: Arc::clone(&shared.ring),
    }));
    let crew = Slots::start(
        &settings.wargame,
        &pipeline,
        &shared.failpoints,
        wall_clock_ms,
        &settings.kafka.instance_id,
    )
    .map_err(EngineError::Thread)?;
    let engine = Engine::start(Parts {
        role: Role::Wargame.as_str(),
        input: Topic::Wargames,
        kafka: settings.kafka.clone(),
        names: shared.names.clone(),
        config: EngineConfig {
            // Each request ends by itself.
            batch_records: 1,
            partition_records: settings.wargame.read_ahead.max(1),
            ..settings.engine.clone()
        },
        crew: Box::new(crew),
        tables,
        metrics: EngineMetrics::register(&shared.registry, Role::Wargame.as_str())?,
        health: Arc::clone(health),
        failpoints: Arc::clone(&shared.failpoints),
        stop: Arc::clone(&shared.stop),
        clock: wall_clock_ms,
    })?;
    Ok(engine.run()?)
}
