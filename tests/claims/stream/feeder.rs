//! Feeding events in, as an idempotent producer does.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::Stream;
use crate::oracle::Event;

/// A producer into a stream.
pub struct Feeder {
    producer: ThreadedProducer<DefaultProducerContext>,
    patches: String,
}

impl Feeder {
    /// A producer that compresses as the upstream ones do.
    pub fn new(stream: &Stream) -> Self {
        Self::compressing(stream, "gzip")
    }

    /// A producer with a codec of librdkafka's.
    pub fn compressing(stream: &Stream, codec: &str) -> Self {
        Self::with(stream, &[("compression.type", codec), ("linger.ms", "2")])
    }

    /// A producer whose batches hold so many bytes before compression, however fast it is fed.
    pub fn batching(stream: &Stream, bytes: usize) -> Self {
        let bytes = bytes.to_string();
        Self::with(
            stream,
            &[
                ("compression.type", "gzip"),
                ("batch.size", &bytes),
                ("linger.ms", "1000"),
            ],
        )
    }

    /// A producer with these options of librdkafka's.
    pub fn with(stream: &Stream, options: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", stream.bootstrap())
            .set("enable.idempotence", "true")
            .set("message.max.bytes", "4194304")
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", "120000");
        for (key, value) in options {
            config.set(*key, *value);
        }
        let producer = config.create().unwrap();
        Self {
            producer,
            patches: stream.topic("patches"),
        }
    }

    /// Sends an event to `patches`.
    pub fn feed(&self, event: &Event) {
        self.send(
            &self.patches,
            event.key.as_deref(),
            event.value.as_deref(),
            &event.headers,
        );
    }

    /// Sends any record.
    pub fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(String, Option<Vec<u8>>)],
    ) {
        let mut owned = OwnedHeaders::new();
        for (name, value) in headers {
            owned = owned.insert(Header {
                key: name,
                value: value.as_deref(),
            });
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).headers(owned);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(value) = value {
            record = record.payload(value);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                    record = unsent;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => panic!("cannot feed {topic}: {error}"),
            }
        }
    }

    /// Waits until everything sent has been acknowledged.
    pub fn flush(&self) {
        self.producer.flush(Duration::from_secs(120)).unwrap();
        assert_eq!(self.producer.in_flight_count(), 0);
    }
}
