//! Why the engine stops.

use rdkafka::error::KafkaError;

use crate::ledger::Violation;
use crate::log::transaction::TransactionError;

/// What ends a run other than a request to stop.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A client cannot be built, or the brokers cannot be reached at the start.
    #[error("{step}: {source}")]
    Start {
        /// What was tried.
        step: &'static str,
        /// What the client says.
        source: KafkaError,
    },
    /// The transactional producer cannot be registered.
    #[error("cannot register transactional id {id}: {source}")]
    Register {
        /// The transactional id.
        id: String,
        /// What the client says.
        source: TransactionError,
    },
    /// The group gave this replica's place to another member of the same name. It may have been this
    /// replica itself: a join whose answer a dying broker never sent is repeated under a new member
    /// id. So it joins once more before it believes in a twin.
    #[error("the group gave the place of instance {instance} away: {evidence}")]
    InstanceFenced {
        /// The instance's name.
        instance: String,
        /// How it was noticed.
        evidence: String,
    },
    /// Another process runs under this replica's name.
    #[error(
        "another process runs as instance {instance} ({evidence}): every replica needs an instance_id of its own (CRISOL_INSTANCE_ID)"
    )]
    InstanceTaken {
        /// The instance's name.
        instance: String,
        /// How it was noticed.
        evidence: String,
    },
    /// The consumer is spent.
    #[error("the consumer failed for good: {0}")]
    Consumer(String),
    /// The committed offsets cannot be learnt.
    #[error("cannot {step} within {seconds} s: {source}")]
    Offsets {
        /// What was tried.
        step: &'static str,
        /// How long.
        seconds: u64,
        /// What the client says.
        source: KafkaError,
    },
    /// A worker ended without handing in its batch.
    #[error("a worker lost a batch of partition {partition}")]
    WorkerLost {
        /// The partition.
        partition: i32,
    },
    /// The books do not balance: a defect. Stopping loses nothing, going on might.
    #[error("the ledger of partition {partition} does not balance: {violation}")]
    Ledger {
        /// The partition.
        partition: i32,
        /// What is wrong.
        violation: Violation,
    },
    /// A thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Thread(std::io::Error),
}
