//! A setting written outside any transaction: what an operator changes by hand.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::statistics::Statistics;

use crate::event::codec::CodecError;
use crate::event::control::{ControlKey, ControlValue};
use crate::log::client::{KafkaConfig, log_error, log_line};

/// How long the brokers may take to acknowledge.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Writes one record and waits until every in-sync replica has it; `None` writes a tombstone.
///
/// # Errors
/// What the client says if the record is not acknowledged in time.
fn write_one(
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

/// Why a setting is not written.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// The value is not of the setting's kind, or out of its bounds.
    #[error(transparent)]
    Value(#[from] CodecError),
    /// The brokers do not take it.
    #[error("cannot write {setting}: {source}; are the brokers up?")]
    Write {
        /// The setting.
        setting: String,
        /// What the client says.
        source: KafkaError,
    },
}

/// Writes a setting to `topic`, the full name of `control`; `None` takes it back.
///
/// # Errors
/// [`SettingError`]; a value that is not of the setting's kind is not sent.
pub fn write_setting(
    config: &KafkaConfig,
    topic: &str,
    key: &ControlKey,
    value: Option<&ControlValue>,
) -> Result<(), SettingError> {
    if let Some(value) = value {
        key.check(value)?;
    }
    let setting = key.name();
    let bytes = value.map(ControlValue::to_bytes);
    write_one(config, topic, &setting, bytes.as_deref())
        .map_err(|source| SettingError::Write { setting, source })
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
