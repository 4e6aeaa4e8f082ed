//! A broker inside the process: librdkafka's mock cluster, for trying Crisol out.
//!
//! It keeps records and consumer groups in memory but applies neither transactions nor their
//! offsets: what it shows is the main job, never a proof. It drops old records of a partition past
//! 5 MiB or 100,000 records, so whoever feeds it must not run ahead of its readers.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::event::topic::Topic;
use crate::log::topics::TopicNames;

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
        for topic in Topic::ALL {
            let name = names.of(topic);
            if name != topic.as_str() {
                cluster.create_topic(name, names.partitions(topic), 1)?;
            }
        }
        Ok(Self { cluster })
    }

    /// Returns where it listens.
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
