//! Everything that stands on the output topics at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use super::Stream;
use crate::oracle::{Header, Outlet, Sighting};

/// How long reading all of it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a record stands: its topic, partition and offset.
pub type Place = (String, i32, i64);

/// An output record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub outlet: Outlet,
    /// The input record it tells of.
    pub source: Place,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

/// Reads `decisions`, `hitl` and `dlq` from their beginning to where they end for a reader of this
/// isolation level.
///
/// # Panics
/// Panics if a record cannot be read, or if it takes over a minute.
pub fn snapshot(stream: &Stream, isolation: &str) -> BTreeMap<Place, Told> {
    let mut told = BTreeMap::new();
    for (name, outlet) in [
        ("decisions", Outlet::Decisions),
        ("hitl", Outlet::Hitl),
        ("dlq", Outlet::Dlq),
    ] {
        let topic = stream.topic(name);
        for message in all_of(stream, name, isolation) {
            let headers: Vec<Header> = message.headers().map_or_else(Vec::new, |headers| {
                headers
                    .iter()
                    .map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)))
                    .collect()
            });
            let sighting = Sighting {
                outlet,
                partition: message.partition(),
                key: message.key(),
                value: message.payload(),
                headers: &headers,
            };
            let (_, source) = sighting.read().unwrap();
            let place = (topic.clone(), message.partition(), message.offset());
            let one = Told {
                outlet,
                source: (source.topic, source.partition, source.offset),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers,
            };
            told.insert(place, one);
        }
    }
    told
}

/// Reads a topic from its beginning to where it ends for a reader of this isolation level.
///
/// # Panics
/// Panics if it takes over a minute.
pub fn all_of(stream: &Stream, name: &str, isolation: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", stream.bootstrap())
        .set("group.id", format!("{}snapshot", stream.group()))
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "50")
        .create()
        .unwrap();
    let topic = stream.topic(name);
    let metadata = consumer
        .fetch_metadata(Some(&topic), Duration::from_secs(20))
        .unwrap();
    let mut unread: BTreeSet<i32> = metadata.topics()[0]
        .partitions()
        .iter()
        .map(|partition| partition.id())
        .collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &unread {
        assignment
            .add_partition_offset(&topic, *partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let deadline = Instant::now() + LIMIT;
    let mut all = Vec::new();
    while !unread.is_empty() {
        assert!(Instant::now() < deadline, "{topic} has no end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => all.push(message.detach()),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            // Errors heal by themselves.
            Some(Err(_)) | None => {}
        }
    }
    all
}
