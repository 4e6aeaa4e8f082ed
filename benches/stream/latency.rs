//! Latency end to end at a given rate: from the producer's timestamp to a `read_committed` reader.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::fixture::Cluster;
use crate::oracle::{Generator, World};
use crate::stream::{Feeder, PARTITIONS, Replica, Stream};

/// How long the rate is held; the first fifth warms up and does not count.
const DURATION: Duration = Duration::from_secs(15);

/// Returns a sentence with p50 and p99, with memory in this Redis or, without one, in the process.
pub fn measure(cluster: &Cluster, redis: Option<&str>, rate: f64) -> String {
    let stream = Stream::create(cluster.bootstrap(), "latency");
    let world = World::generate(8, super::CVES);
    stream.publish(&world);
    let settings: Vec<(&str, &str)> = redis.map(|url| ("REDIS_URL", url)).into_iter().collect();
    let mut replica = Replica::start(&stream, "latency", &settings);
    replica.wait_assigned();
    let reading = reader(&stream);
    let events: Vec<_> = Generator::new(&world, "latency", 8)
        .filter(super::known)
        .take((rate * DURATION.as_secs_f64()) as usize)
        .collect();
    let total = events.len();
    let feeding = {
        // What feeds and what reads share the cores with what is measured, so they do little.
        let feeder = Feeder::compressing(&stream, "lz4");
        std::thread::spawn(move || {
            let began = Instant::now();
            for (n, event) in events.iter().enumerate() {
                super::wait_for_turn(began, n, rate);
                feeder.feed(event);
            }
            feeder.flush();
            began.elapsed()
        })
    };
    let mut latencies = Vec::with_capacity(total);
    let deadline = Instant::now() + DURATION * 4;
    while latencies.len() < total && Instant::now() < deadline {
        if let Some(Ok(message)) = reading.poll(Duration::from_millis(20)) {
            latencies.push(now_ms() - produced_ms(&message));
        }
    }
    let fed_for = feeding.join().unwrap();
    let address = replica.http();
    let transactions = super::service::transactions(&address);
    let memory = super::service::memory(&address);
    replica.stop();
    let seen = latencies.len();
    let mut counted: Vec<i64> = latencies.split_off(seen / 5);
    counted.sort_unstable();
    let at = |share: f64| counted[((counted.len() - 1) as f64 * share) as usize];
    format!(
        "latency at {:.0}/s ({seen} of {total} seen): p50 {} ms, p90 {} ms, p99 {} ms; {transactions}, {memory}",
        total as f64 / fed_for.as_secs_f64(),
        at(0.5),
        at(0.9),
        at(0.99)
    )
}

fn reader(stream: &Stream) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", stream.bootstrap())
        .set("group.id", format!("{}latency", stream.group()))
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "5")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for topic in ["decisions", "hitl"] {
        for partition in 0..PARTITIONS {
            assignment
                .add_partition_offset(&stream.topic(topic), partition, Offset::Beginning)
                .unwrap();
        }
    }
    consumer.assign(&assignment).unwrap();
    consumer
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64
}

/// The input's timestamp stands in the body of every outcome.
fn produced_ms(message: &rdkafka::message::BorrowedMessage<'_>) -> i64 {
    debug_assert!(message.headers().is_some_and(|headers| headers.count() > 0));
    let payload = message.payload().unwrap();
    let needle = b"\"timestamp_ms\":";
    let at = payload
        .windows(needle.len())
        .rposition(|w| w == needle)
        .unwrap()
        + needle.len();
    let digits = payload[at..].iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}
