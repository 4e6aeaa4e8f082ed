//! One record written outside any transaction: what an operator changes by hand.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::statistics::Statistics;

use crate::log::client::{KafkaConfig, log_error, log_line};

/// How long the brokers may take to acknowledge.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Writes one record and waits until every in-sync replica has it; `None` writes a tombstone.
///
/// # Errors
/// What the client says if the record is not acknowledged in time.
pub fn write_one(
    config: &KafkaConfig,
    topic: &str,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), KafkaError> {
    let outcome = Arc::new(Mutex::new(None));
    let producer: BaseProducer<Delivery> = config
        .producer()
        .create_with_context(Delivery(Arc::clone(&outcome)))?;
    let mut record = BaseRecord::<str, [u8]>::to(topic).key(key);
    if let Some(value) = value {
        record = record.payload(value);
    }
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(TIMEOUT)?;
    let told = outcome.lock().take();
    told.unwrap_or(Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)))
}

/// Remembers whether the one record was delivered.
struct Delivery(Arc<Mutex<Option<Result<(), KafkaError>>>>);

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn stats(&self, _statistics: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        *self.0.lock() = Some(
            result
                .as_ref()
                .map(|_| ())
                .map_err(|(error, _)| error.clone()),
        );
    }
}
