//! The reference: records in, the same records out, in transactions. Nothing is looked at.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::stream::Stream;

/// As many as the service has in a transaction when it is busy.
const COMMIT_RECORDS: usize = 10_000;
/// A transaction with fewer ends when nothing more comes.
const PATIENCE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns records a second from the first commit to the last.
pub fn measure(stream: &Stream, events: usize, round: usize) -> f64 {
    let out = stream.topic(&format!("passthrough-{round}"));
    stream.console().create_topic(&out, 6, &[]);
    let group = format!("{}passthrough-{round}", stream.group());
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", stream.bootstrap())
        .set("group.id", &group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "10")
        .create()
        .unwrap();
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", stream.bootstrap())
        .set("transactional.id", &group)
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        // As the service's: the default of 100 ms is spent on every transaction that begins while the
        // markers of the last are still written.
        .set("retry.backoff.ms", "20")
        .set("batch.num.messages", "10000")
        .set("message.max.bytes", "4194304")
        .set("queue.buffering.max.messages", "200000")
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    consumer.subscribe(&[&stream.topic("patches")]).unwrap();
    let mut first: Option<(Instant, usize)> = None;
    let mut total = 0;
    while total < events {
        let full = total + COMMIT_RECORDS;
        let mut next: std::collections::BTreeMap<i32, i64> = std::collections::BTreeMap::new();
        producer.begin_transaction().unwrap();
        while total < full {
            let Some(message) = consumer.poll(PATIENCE) else {
                break;
            };
            let message = message.unwrap();
            let mut record = BaseRecord::<[u8], [u8]>::to(&out);
            if let Some(key) = message.key() {
                record = record.key(key);
            }
            if let Some(payload) = message.payload() {
                record = record.payload(payload);
            }
            if let Some(headers) = message.headers() {
                record = record.headers(headers.detach());
            }
            while let Err((_, unsent)) = producer.send(record) {
                record = unsent;
                producer.poll(Duration::from_millis(1));
            }
            next.insert(message.partition(), message.offset() + 1);
            total += 1;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in next {
            offsets
                .add_partition_offset(&stream.topic("patches"), partition, Offset::Offset(offset))
                .unwrap();
        }
        if offsets.count() > 0 {
            let member = consumer.group_metadata().unwrap();
            producer
                .send_offsets_to_transaction(&offsets, &member, TIMEOUT)
                .unwrap();
        }
        // A commit flushes too, but looks only every 100 ms.
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(1));
        }
        producer.commit_transaction(TIMEOUT).unwrap();
        if total > 0 && first.is_none() {
            first = Some((Instant::now(), total));
        }
    }
    let (began, before) = first.unwrap();
    (total - before) as f64 / began.elapsed().as_secs_f64()
}
