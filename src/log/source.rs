//! What comes off a log, without the client's types.

use std::fmt;
use std::str::FromStr;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::event::record::Record;
use crate::log::client::{KafkaConfig, LogContext};

/// Where a record stands in its topic; written `partition:offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinates {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

/// A text names no place in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not coordinates; they are written partition:offset, such as 3:41")]
pub struct InvalidCoordinates;

impl FromStr for Coordinates {
    type Err = InvalidCoordinates;

    fn from_str(text: &str) -> Result<Self, InvalidCoordinates> {
        let (partition, offset) = text.split_once(':').ok_or(InvalidCoordinates)?;
        let partition: i32 = partition.parse().map_err(|_| InvalidCoordinates)?;
        let offset: i64 = offset.parse().map_err(|_| InvalidCoordinates)?;
        if partition < 0 || offset < 0 {
            return Err(InvalidCoordinates);
        }
        Ok(Self { partition, offset })
    }
}

/// Returns a consumer without a group that reads all of a topic from its beginning, and tells where
/// each partition ends.
///
/// # Errors
/// What the client says if it cannot be built.
pub fn from_beginning(
    config: &KafkaConfig,
    topic: &str,
    partitions: i32,
) -> Result<BaseConsumer<LogContext>, KafkaError> {
    let consumer: BaseConsumer<LogContext> = config
        .table_consumer(topic)
        .create_with_context(LogContext)?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

/// Returns a message as a record of its own, byte for byte.
pub fn record_of(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Record {
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Coordinates = Coordinates {
        partition: 2,
        offset: 41,
    };

    #[test]
    fn coordinates_are_read_back_and_nothing_else_is_any() {
        assert_eq!("2:41".parse(), Ok(AT));
        assert_eq!(AT.to_string(), "2:41");
        for text in ["", "2", "2:", ":41", "-1:2", "2:-1", "2:41:1", "a:b"] {
            assert_eq!(
                text.parse::<Coordinates>(),
                Err(InvalidCoordinates),
                "{text}"
            );
        }
    }
}
