//! Asking where a topic ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tracing::warn;

use crate::log::client::LogContext;

/// How long one query may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before a query that failed is repeated.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client may fail before another takes its place: after brokers went and came back, some
/// never find the leaders again ("leader not available", librdkafka 2.12.1).
const RENEW_AFTER: Duration = Duration::from_millis(1_500);
/// How long a question may take while the last one has no answer: who asks for each batch must not
/// wait the whole time for each.
const IMPATIENCE: Duration = Duration::from_millis(250);

/// Asks for the end of every partition of a topic.
pub struct Ends {
    config: ClientConfig,
    topic: String,
    partitions: i32,
    client: Mutex<Client>,
}

struct Client {
    consumer: Arc<BaseConsumer<LogContext>>,
    failing_since: Option<Instant>,
    unanswered: bool,
}

impl Ends {
    /// Builds the client.
    ///
    /// # Errors
    /// What the client says of its configuration.
    pub fn new(config: ClientConfig, topic: &str, partitions: i32) -> Result<Self, KafkaError> {
        let client = Client {
            consumer: Arc::new(config.create_with_context(LogContext)?),
            failing_since: None,
            unanswered: false,
        };
        Ok(Self {
            config,
            topic: topic.to_owned(),
            partitions,
            client: Mutex::new(client),
        })
    }

    /// Returns the end of every partition, asked for until `deadline`, because after a broker was
    /// away the first answers are errors; or for a moment only, if the last question had no answer.
    ///
    /// # Errors
    /// The last query's.
    pub fn ask(&self, deadline: Instant) -> Result<Vec<i64>, KafkaError> {
        let deadline = if self.client.lock().unanswered {
            deadline.min(Instant::now() + IMPATIENCE)
        } else {
            deadline
        };
        loop {
            let consumer = Arc::clone(&self.client.lock().consumer);
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.query(&consumer, left.clamp(PAUSE, QUERY_TIMEOUT));
            self.note(&consumer, answer.is_ok());
            let Err(failure) = answer else {
                return answer;
            };
            if Instant::now() + PAUSE >= deadline {
                self.client.lock().unanswered = true;
                return Err(failure);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Notes how a query went, and puts another client in the place of one that fails for too long.
    fn note(&self, asked: &Arc<BaseConsumer<LogContext>>, answered: bool) {
        let mut client = self.client.lock();
        if !Arc::ptr_eq(asked, &client.consumer) {
            return;
        }
        if answered {
            client.failing_since = None;
            client.unanswered = false;
            return;
        }
        let since = *client.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() < RENEW_AFTER {
            return;
        }
        client.failing_since = None;
        match self.config.create_with_context(LogContext) {
            Ok(consumer) => client.consumer = Arc::new(consumer),
            Err(error) => warn!(topic = %self.topic, %error, "cannot build another client"),
        }
    }

    /// One request for the end of every partition.
    fn query(
        &self,
        consumer: &BaseConsumer<LogContext>,
        timeout: Duration,
    ) -> Result<Vec<i64>, KafkaError> {
        let count = usize::try_from(self.partitions).unwrap_or(0);
        let mut asked = TopicPartitionList::with_capacity(count);
        for partition in 0..self.partitions {
            asked.add_partition_offset(&self.topic, partition, Offset::End)?;
        }
        let told = consumer.offsets_for_times(asked, timeout)?;
        let mut ends = vec![0; count];
        for element in told.elements() {
            element.error()?;
            let slot = usize::try_from(element.partition())
                .ok()
                .and_then(|p| ends.get_mut(p));
            if let (Some(slot), Offset::Offset(end)) = (slot, element.offset()) {
                *slot = end;
            }
        }
        Ok(ends)
    }
}
