//! Ending what an earlier transaction left hanging.
//!
//! A transaction that the coordinator calls ended may still be open in the partitions. Apache Kafka
//! 4.3.1 does that when the only broker comes back from a crash: before it knows its own address, the
//! coordinator takes the partitions of the transactions it has to end for deleted and skips them
//! ("Couldn't find leader endpoint for partitions ... can be skipped"). From then on readers of
//! committed records stop there, the group's committed offsets are not told to anybody, and the next
//! commit under the same transactional id commits what was aborted. An aborted transaction that
//! touches the same partitions ends what hangs there, as aborted; it is redone, because its offsets
//! share its fate.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::event::topic::Topic;
use crate::log::client::{KafkaConfig, LogContext};
use crate::log::topics::TopicNames;
use crate::log::transaction::{TransactionError, TransactionalProducer};

/// Opens a transaction that touches every partition of `topics` and the group's offsets of `input`,
/// and aborts it. Takes some 50 ms; nothing of it is ever seen by a reader of committed records.
///
/// # Errors
/// [`TransactionError`] if the brokers are away or refuse; the producer is then of no use.
pub fn sweep(
    producer: &mut TransactionalProducer,
    config: &KafkaConfig,
    names: &TopicNames,
    input: Topic,
    topics: &[Topic],
) -> Result<(), TransactionError> {
    // Offsets may be sent by a consumer that is no member: that is how it was before members had to
    // prove themselves, and these offsets count for nothing.
    let outsider: BaseConsumer<LogContext> = config
        .outsider()
        .create_with_context(LogContext)
        .map_err(|source| TransactionError::new("create consumer", source))?;
    let member = outsider
        .group_metadata()
        .ok_or_else(TransactionError::no_member)?;
    let mut offsets = TopicPartitionList::new();
    offsets
        .add_partition_offset(names.of(input), 0, Offset::Offset(0))
        .map_err(|source| TransactionError::new("name offsets", source))?;

    let transaction = producer.begin()?;
    for topic in topics {
        for partition in 0..names.partitions(*topic) {
            transaction.touch(*topic, partition)?;
        }
    }
    transaction.flush()?;
    transaction.send_offsets(&offsets, &member)?;
    transaction.abort()
}
