//! Reading part of a topic: from an offset or a time to another.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::event::record::Record;
use crate::event::timestamp::parse_rfc3339_ms;
use crate::log::client::{KafkaConfig, LogContext};
use crate::log::error::is_outage;
use crate::log::source::record_of;
use crate::log::transaction::{Transaction, TransactionError};

/// How long one question to the brokers may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);
/// How long nothing may come before reading is given up.
const STALL: Duration = Duration::from_secs(60);

/// Where a range begins or ends: an offset, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// An offset, the same in each partition that is read.
    Offset(i64),
    /// The first record at or after this time, milliseconds since the epoch.
    TimeMs(i64),
}

/// A text that is neither an offset nor a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an offset, such as 4711, nor a time, such as 2026-11-21T18:00:00Z")]
pub struct InvalidBound;

impl FromStr for Bound {
    type Err = InvalidBound;

    fn from_str(text: &str) -> Result<Self, InvalidBound> {
        if let Ok(offset) = text.parse::<i64>() {
            return if offset < 0 {
                Err(InvalidBound)
            } else {
                Ok(Self::Offset(offset))
            };
        }
        parse_rfc3339_ms(text).map(Self::TimeMs).ok_or(InvalidBound)
    }
}

/// Part of a partition: offsets `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// One past the last offset.
    pub to: i64,
}

impl Stretch {
    /// Returns how many offsets it has; a topic written in transactions has fewer records than that.
    pub fn len(&self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or(0)
    }

    /// Returns whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }
}

/// Why a range cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RangeError<E> {
    /// What the client says.
    #[error("cannot read {topic}: {source}")]
    Client {
        /// The topic.
        topic: String,
        /// What it says.
        source: KafkaError,
    },
    /// Nothing came for a long time.
    #[error("{topic}: nothing came for {} s, and its end is not reached", STALL.as_secs())]
    Stalled {
        /// The topic.
        topic: String,
    },
    /// Who takes the records refuses one.
    #[error(transparent)]
    Taker(E),
}

/// Reads parts of one topic, and keeps how far it came under a group of its own.
pub struct RangeReader {
    consumer: BaseConsumer<LogContext>,
    topic: String,
}

impl RangeReader {
    /// Returns a reader of `topic`. It reads `read_committed`.
    ///
    /// # Errors
    /// What the client says of its configuration.
    pub fn open(config: &KafkaConfig, group: &str, topic: &str) -> Result<Self, KafkaError> {
        let consumer = config
            .table_consumer(topic)
            .set("group.id", group)
            .create_with_context(LogContext)?;
        Ok(Self {
            consumer,
            topic: topic.to_owned(),
        })
    }

    /// Returns the stretches between two bounds, as far as the partitions hold them now.
    ///
    /// # Errors
    /// What the client says if the brokers do not tell in time.
    pub fn stretches(
        &self,
        partitions: &[i32],
        from: Option<Bound>,
        to: Option<Bound>,
    ) -> Result<Vec<Stretch>, KafkaError> {
        let begins = self.by_time(partitions, from)?;
        let ends = self.by_time(partitions, to)?;
        let mut found = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (low, high) =
                self.consumer
                    .fetch_watermarks(&self.topic, *partition, QUERY_TIMEOUT)?;
            let at = |bound: Option<Bound>, times: &BTreeMap<i32, i64>, default: i64| match bound {
                None => default,
                Some(Bound::Offset(offset)) => offset.clamp(low, high),
                // Nothing so young is there: past the end.
                Some(Bound::TimeMs(_)) => times.get(partition).copied().unwrap_or(high),
            };
            let from = at(from, &begins, low);
            found.push(Stretch {
                partition: *partition,
                from,
                to: at(to, &ends, high).max(from),
            });
        }
        Ok(found)
    }

    /// Returns the first offset at or after a time, for each partition that has one.
    fn by_time(
        &self,
        partitions: &[i32],
        bound: Option<Bound>,
    ) -> Result<BTreeMap<i32, i64>, KafkaError> {
        let Some(Bound::TimeMs(time_ms)) = bound else {
            return Ok(BTreeMap::new());
        };
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            // Negative numbers name special offsets.
            asked.add_partition_offset(&self.topic, *partition, Offset::Offset(time_ms.max(0)))?;
        }
        let told = self.consumer.offsets_for_times(asked, QUERY_TIMEOUT)?;
        let mut offsets = BTreeMap::new();
        for element in told.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert(element.partition(), offset);
            }
        }
        Ok(offsets)
    }

    /// Takes off what an earlier reader of this group is done with.
    ///
    /// # Errors
    /// What the client says if the brokers do not tell in time.
    pub fn go_on(&self, stretches: &mut [Stretch]) -> Result<(), KafkaError> {
        let mut asked = TopicPartitionList::new();
        for stretch in &*stretches {
            asked.add_partition(&self.topic, stretch.partition);
        }
        let committed = self.consumer.committed_offsets(asked, QUERY_TIMEOUT)?;
        for stretch in stretches {
            if let Some(element) = committed.find_partition(&self.topic, stretch.partition) {
                element.error()?;
                if let Offset::Offset(done) = element.offset() {
                    stretch.from = done.clamp(stretch.from, stretch.to);
                }
            }
        }
        Ok(())
    }

    /// Adds to a transaction that everything before these offsets is done, by partition.
    ///
    /// # Errors
    /// As [`Transaction::send_offsets`].
    pub fn commit_in(
        &self,
        transaction: &Transaction<'_>,
        next: &BTreeMap<i32, i64>,
    ) -> Result<(), TransactionError> {
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in next {
            // Adding a non-negative offset cannot fail.
            let _ = offsets.add_partition_offset(&self.topic, *partition, Offset::Offset(*next));
        }
        match self.consumer.group_metadata() {
            Some(member) => transaction.send_offsets(&offsets, &member),
            // Every consumer with a group id has some.
            None => Ok(()),
        }
    }

    /// Reads the stretches, and hands on each record with its partition: those of one partition in
    /// order, those of different ones in any.
    ///
    /// # Errors
    /// [`RangeError`] if the brokers cannot be reached, nothing comes for a minute, or `take` refuses.
    pub fn read<E>(
        &self,
        stretches: &[Stretch],
        mut take: impl FnMut(i32, Record) -> Result<(), E>,
    ) -> Result<(), RangeError<E>> {
        let client = |source| RangeError::Client {
            topic: self.topic.clone(),
            source,
        };
        let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for stretch in stretches.iter().filter(|stretch| !stretch.is_empty()) {
            ends.insert(stretch.partition, stretch.to);
            assignment
                .add_partition_offset(&self.topic, stretch.partition, Offset::Offset(stretch.from))
                .map_err(client)?;
        }
        self.consumer.assign(&assignment).map_err(client)?;
        let mut heard = Instant::now();
        while !ends.is_empty() {
            match self.consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let partition = message.partition();
                    let Some(end) = ends.get(&partition).copied() else {
                        continue;
                    };
                    if message.offset() < end {
                        take(partition, record_of(&message)).map_err(RangeError::Taker)?;
                    }
                    if message.offset() + 1 >= end {
                        ends.remove(&partition);
                    }
                }
                // What is behind it is of transactions that are open, or no records at all.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ends.remove(&partition);
                }
                Some(Err(error)) if is_outage(&error) => {}
                Some(Err(error)) => return Err(client(error)),
            }
            if heard.elapsed() >= STALL {
                return Err(RangeError::Stalled {
                    topic: self.topic.clone(),
                });
            }
        }
        self.consumer
            .assign(&TopicPartitionList::new())
            .map_err(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_an_offset_or_a_time() {
        assert_eq!("4711".parse(), Ok(Bound::Offset(4_711)));
        assert_eq!("1970-01-01T00:00:02Z".parse(), Ok(Bound::TimeMs(2_000)));
        for text in ["", "-1", "yesterday", "4711.5", "0:41"] {
            assert_eq!(text.parse::<Bound>(), Err(InvalidBound), "{text}");
        }
    }
}
