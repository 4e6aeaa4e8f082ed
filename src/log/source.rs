//! What comes off a log, without the client's types.

use std::fmt;
use std::str::FromStr;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::event::id::sha256_hex;
use crate::event::record::{Header, LeftOut, Record};
use crate::log::client::{KafkaConfig, LogContext, MAX_OUTPUT_BYTES};
use crate::log::dead_letter::{ATTEMPT, FIRST_FAILURE};

/// The longest header that counts failures, in bytes: more is no number of ours.
const MAX_COUNT_BYTES: usize = 32;

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

/// Returns a message as a record of its own, byte for byte; one that is larger than anything that may be
/// written is left out.
pub fn record_of(message: &BorrowedMessage<'_>) -> Record {
    let place = Record {
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        ..Record::default()
    };
    let bytes = size_of(message);
    if bytes > MAX_OUTPUT_BYTES {
        return Record {
            headers: headers_of(message, |name, value| {
                // How often a letter has failed goes on, however large it is.
                [ATTEMPT, FIRST_FAILURE].contains(&name)
                    && value.is_none_or(|value| value.len() <= MAX_COUNT_BYTES)
            }),
            left_out: Some(Box::new(LeftOut {
                bytes,
                digest: sha256_hex(message.payload().unwrap_or_default()),
            })),
            ..place
        };
    }
    Record {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers_of(message, |_, _| true),
        ..place
    }
}

fn size_of(message: &BorrowedMessage<'_>) -> usize {
    let headers = message.headers().map_or(0, |headers| {
        headers
            .iter()
            .map(|header| header.key.len() + header.value.map_or(0, <[u8]>::len))
            .sum()
    });
    message.key().map_or(0, <[u8]>::len) + message.payload_len() + headers
}

fn headers_of(
    message: &BorrowedMessage<'_>,
    wanted: impl Fn(&str, Option<&[u8]>) -> bool,
) -> Vec<Header> {
    message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .filter(|header| wanted(header.key, header.value))
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    })
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
