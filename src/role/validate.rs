//! The role `validate`: patches in, decisions, queue items and requests for wargames out.

use std::sync::Arc;

use crate::config::SecretKey;
use crate::engine::{Engine, EngineError, EngineMetrics, Health, Parts, Workers};
use crate::event::topic::Topic;
use crate::ledger::Counts;
use crate::pipeline::Pipeline;
use crate::policy::Sampler;
use crate::role::error::RunError;
use crate::role::process::{Role, Shared, wall_clock_ms};
use crate::stage::sources::Sources;

/// Runs the role until the process stops.
pub(super) fn run(shared: &Shared<'_>, health: &Arc<Health>) -> Result<Counts, RunError> {
    let settings = shared.settings;
    let pipeline = Pipeline::new(
        Arc::clone(&shared.tables),
        settings.judging.clone(),
        settings.limits.clone(),
        settings.diff.clone(),
        settings.risk.clone(),
        wall_clock_ms,
    )
    .with_models(Arc::clone(&shared.models))
    .with_exploits(Arc::clone(&shared.catalogue))
    .with_sources(Arc::new(Sources::of(&settings.sources)));
    let in_process = SecretKey::of_this_process();
    let sampler = Sampler::new(shared.key.unwrap_or(&in_process));
    let pipeline = pipeline.with_sampling(sampler, settings.ab);
    let pipeline = Arc::new(if settings.memory.is_off() {
        pipeline
    } else {
        pipeline.with_memory(Arc::clone(&shared.memory))
    });
    let crew = Workers::start(settings.engine.workers, &pipeline, &shared.failpoints)
        .map_err(EngineError::Thread)?;
    let engine = Engine::start(Parts {
        role: Role::Validate.as_str(),
        input: Topic::Patches,
        kafka: settings.kafka.clone(),
        names: shared.names.clone(),
        config: settings.engine.clone(),
        crew: Box::new(crew),
        tables: Arc::clone(&shared.tables),
        metrics: EngineMetrics::register(&shared.registry, Role::Validate.as_str())?,
        health: Arc::clone(health),
        failpoints: Arc::clone(&shared.failpoints),
        stop: Arc::clone(&shared.stop),
        clock: wall_clock_ms,
    })?;
    Ok(engine.run()?)
}
