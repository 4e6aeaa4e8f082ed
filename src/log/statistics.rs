//! What librdkafka tells of itself: contexts that keep the latest statistics and client errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;

use crate::log::client::{log_error, log_line};

/// The latest statistics of one client; `None` until the first second has passed.
pub type Latest = Arc<Mutex<Option<Statistics>>>;

/// Context of the transactional producer.
#[derive(Clone, Default)]
pub struct ProducerContext {
    /// The latest statistics.
    pub statistics: Latest,
}

impl ClientContext for ProducerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        *self.statistics.lock() = Some(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl rdkafka::producer::ProducerContext for ProducerContext {
    type DeliveryOpaque = ();

    // A record that was not delivered fails its transaction; there is nothing to do for one alone.
    fn delivery(&self, _result: &DeliveryResult<'_>, _opaque: ()) {}
}

/// A change of assignment that the group asks for and the engine has still to carry out.
#[derive(Debug, Clone)]
pub enum Rebalance {
    /// Partitions to take on.
    Assign(TopicPartitionList),
    /// Partitions to give up.
    Revoke(TopicPartitionList),
}

/// Context of the group consumer. It only notes a rebalance: the engine carries it out between two
/// polls, where it may commit what is sealed.
#[derive(Clone, Default)]
pub struct ConsumerEvents {
    /// The latest statistics.
    pub statistics: Latest,
    /// Rebalances asked for, oldest first.
    pub rebalances: Arc<Mutex<Vec<Rebalance>>>,
    /// The error that ended this consumer, once one did.
    pub fatal: Arc<Mutex<Option<KafkaError>>>,
    /// Set when the consumer is about to be closed: a last revocation is then answered at once,
    /// because nobody is left to carry it out and closing would wait for ever.
    pub closing: Arc<AtomicBool>,
}

impl ClientContext for ConsumerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        *self.statistics.lock() = Some(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let fatal = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::FencedInstanceId)
        );
        if fatal {
            *self.fatal.lock() = Some(error.clone());
        }
        log_error(&error, reason);
    }
}

impl ConsumerContext for ConsumerEvents {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Relaxed) {
            if let Err(error) = consumer.unassign() {
                log_error(&error, "unassign while closing");
            }
            return;
        }
        let partitions = partitions.clone();
        let rebalance = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Assign(partitions)
        } else {
            Rebalance::Revoke(partitions)
        };
        self.rebalances.lock().push(rebalance);
    }
}
