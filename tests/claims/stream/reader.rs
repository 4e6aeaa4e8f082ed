//! Reading what comes out, as a `read_committed` consumer does.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::Stream;
use crate::oracle::{Account, Outlet, Sighting};

/// A reader of `decisions`, `hitl` and `dlq`, and the account it keeps.
pub struct Reader {
    consumer: BaseConsumer,
    outlets: [(String, Outlet); 3],
    /// What was expected and what was seen.
    pub account: Account,
    /// How many records were read.
    pub seen: usize,
    /// Records that hold this text are kept in `aside` and are not in the account.
    pub set_aside: Option<String>,
    /// Those records: topic, headers and value as text.
    pub aside: Vec<String>,
}

impl Reader {
    pub fn new(stream: &Stream) -> Self {
        let outlets = [
            (stream.topic("decisions"), Outlet::Decisions),
            (stream.topic("hitl"), Outlet::Hitl),
            (stream.topic("dlq"), Outlet::Dlq),
        ];
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", stream.bootstrap())
            .set("group.id", format!("{}reader", stream.group()))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        for (topic, _) in &outlets {
            let metadata = consumer
                .fetch_metadata(Some(topic), Duration::from_secs(20))
                .unwrap();
            for partition in metadata.topics()[0].partitions() {
                assignment
                    .add_partition_offset(topic, partition.id(), Offset::Beginning)
                    .unwrap();
            }
        }
        consumer.assign(&assignment).unwrap();
        Self {
            consumer,
            outlets,
            account: Account::default(),
            seen: 0,
            set_aside: None,
            aside: Vec::new(),
        }
    }

    /// Reads for a while.
    pub fn read_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            // Errors heal by themselves: brokers come and go under these tests.
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(20)) {
                let (_, outlet) = self
                    .outlets
                    .iter()
                    .find(|(topic, _)| topic == message.topic())
                    .unwrap();
                let headers: Vec<_> = message.headers().map_or_else(Vec::new, |headers| {
                    headers
                        .iter()
                        .map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)))
                        .collect()
                });
                self.seen += 1;
                let value = String::from_utf8_lossy(message.payload().unwrap_or_default());
                if let Some(text) = &self.set_aside
                    && value.contains(text)
                {
                    let headers: Vec<String> = headers
                        .iter()
                        .map(|(name, value)| {
                            format!(
                                "{name}={}",
                                String::from_utf8_lossy(value.as_deref().unwrap_or_default())
                            )
                        })
                        .collect();
                    self.aside
                        .push(format!("{} {} {value}", message.topic(), headers.join(" ")));
                    continue;
                }
                self.account.see(&Sighting {
                    outlet: *outlet,
                    partition: message.partition(),
                    key: message.key(),
                    value: message.payload(),
                    headers: &headers,
                });
            }
        }
    }
}
