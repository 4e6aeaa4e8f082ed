//! Records into the embedded broker, and where each of them came to stand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::cli::{Exit, Failure};
use crate::event::codec::printable;
use crate::log::client::{KafkaConfig, LogContext};
use crate::log::source::Coordinates;

/// How long the broker may take to acknowledge what was sent.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long one look for acknowledgements takes at most.
const POLL: Duration = Duration::from_millis(5);

/// A record's place in the call order, and its place in the log.
pub(super) type Delivered = (usize, Coordinates);

type Deliveries = BTreeMap<usize, Result<Coordinates, KafkaError>>;

/// A plain producer, as a neighbour in the stream would have.
pub(super) struct Feed {
    producer: BaseProducer<Acknowledged>,
    deliveries: Arc<Mutex<Deliveries>>,
}

impl Feed {
    /// Connects to the broker.
    pub(super) fn start(kafka: &KafkaConfig) -> Result<Self, Failure> {
        let deliveries = Arc::new(Mutex::new(Deliveries::new()));
        let producer: BaseProducer<Acknowledged> = kafka
            .producer()
            // Producers in the stream are of many kinds; a plain one needs no id from the broker first.
            .set("enable.idempotence", "false")
            .set("statistics.interval.ms", "0")
            .create_with_context(Acknowledged(Arc::clone(&deliveries)))
            .map_err(|error| failed(&error))?;
        // Without it the client sometimes asks again for its first topic only after a second or two.
        let topics = producer.client().fetch_metadata(None, TIMEOUT);
        topics.map_err(|error| failed(&error))?;
        Ok(Self {
            producer,
            deliveries,
        })
    }

    /// Sends one record; `mark` names it among those of its portion.
    pub(super) fn send(
        &self,
        topic: &str,
        key: Option<&str>,
        value: &str,
        mark: usize,
    ) -> Result<(), Failure> {
        let mut record = BaseRecord::<str, str, usize>::with_opaque_to(topic, mark).payload(value);
        if let Some(key) = key {
            record = record.key(key);
        }
        self.producer
            .send(record)
            .map_err(|(error, _)| failed(&error))
    }

    /// Waits for the broker and returns where everything sent since the last call stands.
    pub(super) fn delivered(&self) -> Result<Vec<Delivered>, Failure> {
        // The client's own flush looks only every 100 ms.
        let deadline = Instant::now() + TIMEOUT;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(POLL);
        }
        if self.producer.in_flight_count() > 0 {
            return Err(failed(&KafkaError::Flush(
                RDKafkaErrorCode::OperationTimedOut,
            )));
        }
        std::mem::take(&mut *self.deliveries.lock())
            .into_iter()
            .map(|(mark, at)| at.map(|at| (mark, at)).map_err(|error| failed(&error)))
            .collect()
    }
}

fn failed(error: &KafkaError) -> Failure {
    let error = printable(&error.to_string());
    Failure::new(
        Exit::Internal,
        format!("cannot write to the embedded broker: {error}"),
    )
}

/// Notes what was acknowledged.
struct Acknowledged(Arc<Mutex<Deliveries>>);

impl ClientContext for Acknowledged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        LogContext.log(level, facility, message);
    }
}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, mark: usize) {
        let at = match result {
            Ok(message) => Ok(Coordinates {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().insert(mark, at);
    }
}
