//! Rebalances: taking partitions on and giving them up, between two polls.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use crate::engine::attempts::{ProcessName, Starts};
use crate::engine::error::EngineError;
use crate::engine::run::Engine;
use crate::event::codec::printable;
use crate::log::client::AssignmentStrategy;
use crate::log::error::is_absence;
use crate::log::statistics::Rebalance;

/// How long the brokers may take to tell the committed offsets: as long as a transaction that a dead
/// replica left open may block them, and a margin.
const OFFSETS_LIMIT: Duration = Duration::from_secs(40);
/// One try of it.
const OFFSETS_TRY: Duration = Duration::from_secs(5);
/// How long the engine polls before the next.
const OFFSETS_PAUSE: Duration = Duration::from_millis(100);
/// How long the table of open items may take to catch up before a partition is taken on.
const OPEN_ITEMS_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take when it is asked again, and how long that waits.
const OPEN_ITEMS_TRY: Duration = Duration::from_millis(500);
const OPEN_ITEMS_PAUSE: Duration = Duration::from_secs(5);
/// How often work in flight is looked at while partitions are given up.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Where the group stands in a partition.
struct Committed {
    partition: i32,
    /// `None` if the group never committed there.
    offset: Option<i64>,
    starts: Starts,
}

impl Engine {
    /// Carries out the rebalances that the group has asked for.
    pub(super) fn rebalance(&mut self) -> Result<(), EngineError> {
        loop {
            let next = {
                let mut asked = self.events.rebalances.lock();
                if asked.is_empty() {
                    return Ok(());
                }
                asked.remove(0)
            };
            match next {
                Rebalance::Assign(partitions) => self.take_on(&partitions)?,
                Rebalance::Revoke(partitions) => self.give_up(&partitions)?,
            }
        }
    }

    /// Forgets partitions that this replica does not own any more.
    pub(super) fn let_go(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if let Some(owned) = self.assignment.remove(*partition) {
                self.forget_proposed(*partition, owned.ledger.sealed_through());
            }
            self.parts.metrics.gone(*partition);
        }
    }

    fn take_on(&mut self, partitions: &TopicPartitionList) -> Result<(), EngineError> {
        self.parts.metrics.rebalance("assigned");
        // No partition comes or goes while a transaction is open.
        self.commit_now()?;
        let Some(committed) = self.committed(partitions)? else {
            return Ok(());
        };
        self.catch_up_open_items(OPEN_ITEMS_LIMIT);
        let mut start = TopicPartitionList::new();
        for at in committed {
            let offset = at.offset.map_or(Offset::Beginning, Offset::Offset);
            // Adding a partition with a valid offset cannot fail.
            let _ = start.add_partition_offset(&self.topic, at.partition, offset);
            let careful_until = Self::careful_until(&at);
            if careful_until.is_some() {
                warn!(
                    partition = at.partition,
                    offset = at.offset.unwrap_or(0),
                    starts = at.starts.count(),
                    "an earlier start died here without progress; stepping carefully"
                );
            }
            self.assignment.add(
                at.partition,
                at.offset.unwrap_or(0),
                at.starts,
                careful_until,
            );
        }
        let assigned = match self.parts.kafka.assignment_strategy {
            AssignmentStrategy::Range => self.consumer.assign(&start),
            AssignmentStrategy::CooperativeSticky => self.consumer.incremental_assign(&start),
        };
        // A partition that was paused when it was lost comes back paused.
        if let Err(error) = assigned.and_then(|()| self.consumer.resume(&start)) {
            // The group has moved on; its next word follows.
            warn!(error = %printable(&error.to_string()), "assignment is out of date");
        }
        self.count_quarantined();
        self.parts.health.assigned(self.assignment.len());
        info!(partitions = ?self.assignment.partitions(), "assigned");
        Ok(())
    }

    /// Where stepping ends: after the last record that was in flight when the earlier start died.
    fn careful_until(at: &Committed) -> Option<i64> {
        let from = at.offset?;
        if !at.starts.suspicious() {
            return None;
        }
        Some(at.starts.until).filter(|until| *until > from)
    }

    /// What the previous owner opened must be known before its successor judges, or a patch could be
    /// approved past a person. A table that cannot tell makes every patch wait for a person instead.
    fn catch_up_open_items(&mut self, limit: Duration) {
        let tables = &self.parts.tables;
        let outcome = tables.catch_up_open_items(limit);
        tables.open_items.trust(outcome.is_ok());
        self.open_items_unknown_since = outcome.err().map(|error| {
            warn!(%error, "judging without the newest open items: nothing is approved meanwhile");
            Instant::now()
        });
    }

    /// Asks for the newest open items again where the brokers could not tell them.
    pub(super) fn ask_again_for_open_items(&mut self) {
        let due = self
            .open_items_unknown_since
            .is_some_and(|since| since.elapsed() >= OPEN_ITEMS_PAUSE);
        if due {
            self.catch_up_open_items(OPEN_ITEMS_TRY);
        }
    }

    fn give_up(&mut self, partitions: &TopicPartitionList) -> Result<(), EngineError> {
        let list: Vec<i32> = partitions
            .elements()
            .iter()
            .map(|e| e.partition())
            .collect();
        let lost = self.consumer.assignment_lost();
        self.parts
            .metrics
            .rebalance(if lost { "lost" } else { "revoked" });
        if lost {
            warn!(partitions = ?list, "partitions lost; what was in flight is dropped");
            self.abort_open()?;
        } else {
            self.drain(&list)?;
            self.clear_marks(&list);
        }
        self.let_go(&list);
        if lost {
            // What others had in the aborted transaction is begun again.
            self.rewind()?;
        }
        let unassigned = match self.parts.kafka.assignment_strategy {
            AssignmentStrategy::Range => self.consumer.unassign(),
            AssignmentStrategy::CooperativeSticky => self.consumer.incremental_unassign(partitions),
        };
        if let Err(error) = unassigned {
            warn!(error = %printable(&error.to_string()), "revocation is out of date");
        }
        self.count_quarantined();
        self.parts.health.assigned(self.assignment.len());
        info!(given_up = ?list, partitions = ?self.assignment.partitions(), "revoked");
        Ok(())
    }

    /// Waits a bounded time for work in flight of these partitions and commits what is sealed.
    pub(super) fn drain(&mut self, partitions: &[i32]) -> Result<(), EngineError> {
        self.settle()?;
        let deadline = Instant::now() + self.parts.config.drain();
        for partition in partitions {
            if let Some(owned) = self.assignment.get_mut(*partition) {
                // Not admitted yet, so its next owner reads it.
                owned.forget_gathered();
            }
        }
        loop {
            let busy = partitions.iter().any(|partition| {
                self.assignment
                    .get(*partition)
                    .is_some_and(|owned| owned.ledger.is_unfinished())
            });
            if !busy || Instant::now() >= deadline {
                break;
            }
            self.collect(DRAIN_STEP)?;
        }
        self.commit_now()
    }

    /// Begins every owned partition again where the group stands.
    pub(super) fn rewind(&mut self) -> Result<(), EngineError> {
        self.parts.crew.begin_again();
        let mut owned = TopicPartitionList::new();
        for partition in self.assignment.partitions() {
            owned.add_partition(&self.topic, partition);
        }
        if owned.count() == 0 {
            return Ok(());
        }
        let Some(committed) = self.committed(&owned)? else {
            return Ok(());
        };
        for at in committed {
            let next = at.offset.unwrap_or(0);
            let offset = at.offset.map_or(Offset::Beginning, Offset::Offset);
            self.assignment.rewind(at.partition, next);
            self.forget_proposed(at.partition, next);
            if let Err(error) = self
                .consumer
                .seek(&self.topic, at.partition, offset, OFFSETS_TRY)
            {
                warn!(partition = at.partition, error = %printable(&error.to_string()), "cannot rewind; the partition is probably lost");
            }
        }
        info!(partitions = ?self.assignment.partitions(), "rewound to committed offsets");
        Ok(())
    }

    /// Asks where the group stands, past whatever transaction still blocks the answer and for as long
    /// as brokers are away; polls meanwhile, so that the group keeps this replica.
    ///
    /// Returns `None` if the answer has lost its purpose: the partitions are lost, or the engine is
    /// to stop.
    fn committed(
        &mut self,
        partitions: &TopicPartitionList,
    ) -> Result<Option<Vec<Committed>>, EngineError> {
        let deadline = Instant::now() + OFFSETS_LIMIT;
        loop {
            let told = self
                .consumer
                .committed_offsets(partitions.clone(), OFFSETS_TRY)
                .and_then(|list| read_committed(&list, self.name));
            let source = match told {
                Ok(committed) => return Ok(Some(committed)),
                Err(source) => source,
            };
            warn!(error = %printable(&source.to_string()), "asking for committed offsets again");
            if Instant::now() >= deadline && !is_absence(&source) {
                return Err(EngineError::Offsets {
                    step: "learn the committed offsets",
                    seconds: OFFSETS_LIMIT.as_secs(),
                    source,
                });
            }
            self.poll(OFFSETS_PAUSE)?;
            if self.consumer.assignment_lost() || self.is_stopping() {
                warn!("the committed offsets are not needed any more");
                return Ok(None);
            }
        }
    }
}

fn read_committed(
    list: &TopicPartitionList,
    own: ProcessName,
) -> Result<Vec<Committed>, KafkaError> {
    list.elements()
        .iter()
        .map(|element| {
            element.error()?;
            let offset = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            Ok(Committed {
                partition: element.partition(),
                offset,
                starts: Starts::parse(element.metadata(), own),
            })
        })
        .collect()
}
