//! A broker inside the process: librdkafka's mock cluster, for trying Crisol out.
//!
//! It keeps records and consumer groups in memory but applies neither transactions nor their
//! offsets: what it shows is the main job, never a proof. It drops old records of a partition past
//! 5 MiB or 100,000 records, so whoever feeds it must not run ahead of its readers.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::event::topic::Topic;
use crate::log::topics::TopicNames;

/// How often the mock cluster is poked while it is asked for topics.
const POKE_INTERVAL: Duration = Duration::from_millis(5);
/// The most pokes: more than any start takes.
const MAX_POKES: usize = 2_000;

/// The mock cluster; it lives as long as this value.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts one broker that has every topic of `names`.
    ///
    /// # Errors
    /// What the client says if it cannot listen or create a topic.
    pub fn start(names: &TopicNames) -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        while_poked(&cluster.bootstrap_servers(), || {
            for topic in Topic::ALL {
                let name = names.of(topic);
                if name != topic.as_str() {
                    cluster.create_topic(name, names.partitions(topic), 1)?;
                }
            }
            Ok::<(), KafkaError>(())
        })?;
        Ok(Self { cluster })
    }

    /// Returns where it listens.
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Does `work` while somebody connects now and then: the mock cluster's thread sometimes misses that
/// it was asked for a topic and would look again only after a second.
fn while_poked<T>(address: &str, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Bounded, so that work which panics is not waited for for ever.
            for _ in 0..MAX_POKES {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                // What matters is the attempt; that nobody accepts it would show in `work`.
                drop(TcpStream::connect(address));
                std::thread::sleep(POKE_INTERVAL);
            }
        });
        let made = work();
        done.store(true, Ordering::Relaxed);
        made
    })
}
