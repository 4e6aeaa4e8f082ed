//! Joining the group: at the start, and anew when the group gave this replica's place away.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use tracing::warn;

use crate::engine::commit::{FENCING_GRACE, FENCING_WINDOW, is_recent};
use crate::engine::error::EngineError;
use crate::engine::run::{Engine, Parts};
use crate::log::client::outage_within;
use crate::log::statistics::ConsumerEvents;

/// Builds the consumer of a role and asks the group for partitions.
///
/// # Errors
/// [`EngineError::Start`] if the client refuses its configuration.
pub(super) fn join(
    parts: &Parts,
    topic: &str,
    events: &ConsumerEvents,
) -> Result<Arc<BaseConsumer<ConsumerEvents>>, EngineError> {
    let failed = |step| move |source| EngineError::Start { step, source };
    let consumer: BaseConsumer<ConsumerEvents> = parts
        .kafka
        .group_consumer(parts.role)
        .create_with_context(events.clone())
        .map_err(failed("create consumer"))?;
    consumer.subscribe(&[topic]).map_err(failed("subscribe"))?;
    Ok(Arc::new(consumer))
}

impl Engine {
    /// Begins anew with a consumer and a producer of its own, as a process that starts does.
    ///
    /// A fenced consumer is spent, but that alone does not prove a twin. A join whose answer a dying
    /// broker never sent is repeated under a new member id, and the group then fences the old one;
    /// and a client whose session ended forgets its member id at once, so that brokers which were
    /// away for longer than the session, and never ended it, take its next heartbeat for another
    /// process's. Of two processes with one name each takes the place from the other, so the one that
    /// loses it twice within a minute leaves; where brokers were away meanwhile, it is given the
    /// benefit of the doubt.
    pub(super) fn rejoin(&mut self, evidence: &str) -> Result<(), EngineError> {
        if is_recent(self.last_rejoined) && !outage_within(FENCING_WINDOW) {
            return Err(self.instance_taken(evidence));
        }
        self.last_rejoined = Some(Instant::now());
        warn!(
            evidence,
            "the group gave this replica's place away; joining anew"
        );
        self.parts.metrics.rebalance("lost");
        self.let_go(&self.assignment.partitions());
        self.parts.health.assigned(0);
        // The old consumer must not wait for anybody to carry out its last revocation.
        self.close();
        self.stand_back();
        self.events = ConsumerEvents::default();
        self.consumer = join(&self.parts, &self.topic, &self.events)?;
        // The old producer's transaction may still be open; ended, it no longer holds back the
        // committed offsets that the next assignment asks for.
        self.replace_producer()
    }

    /// Lets whoever took the place finish taking it. Twins that answered each other's blow at once would
    /// both lose the place twice, and then nobody would be left to have it.
    fn stand_back(&self) {
        let deadline = Instant::now() + FENCING_GRACE;
        while Instant::now() < deadline && !self.is_stopping() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}
