//! Reading dead letters back: what the headers of one say, and all of them from the topic.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::message::Message;

use crate::event::id::sha256_hex;
use crate::event::record::{Header, OutputHeader, Record, outgoing};
use crate::event::topic::Topic;
use crate::log::client::KafkaConfig;
use crate::log::dead_letter::{ATTEMPT, FIRST_FAILURE, PREFIX};
use crate::log::error::is_outage;
use crate::log::source::{Coordinates, from_beginning, record_of};
use crate::log::topics::TopicNames;

/// The header of a receipt: the address of the letter that was sent in again.
pub const REDRIVEN: &str = "crisol_dlq_redriven";
/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// A record of `dlq`.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A record that could not be taken.
    Letter(Letter),
    /// The word that a letter was sent in again.
    Receipt(Coordinates),
}

/// A dead letter as it stands on the topic. What the headers say is foreign text to whoever prints it:
/// anybody who may write to the topic can write them.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Where it stands.
    pub at: Coordinates,
    /// Key, value and all headers; its time is when the letter was written.
    pub record: Record,
    /// Why it could not be taken.
    pub reason: String,
    /// What was wrong with it, and where.
    pub message: String,
    /// The topic it came from.
    pub topic: String,
    /// The partition it came from.
    pub partition: i32,
    /// The offset it had there.
    pub offset: i64,
    /// How often it has failed.
    pub attempt: u32,
    /// Whether the original did not fit, so that only its coordinates are here.
    pub left_out: bool,
}

impl Entry {
    /// Returns what a record of `dlq` is; `None` if it is neither a letter nor a receipt.
    pub fn read(partition: i32, record: Record) -> Option<Self> {
        if let Some(redriven) = record.header_text(REDRIVEN) {
            return redriven.parse().ok().map(Self::Receipt);
        }
        let text = |name: &str| record.header_text(&format!("{PREFIX}{name}"));
        let letter = Letter {
            reason: text("reason")?.to_owned(),
            message: text("message")?.to_owned(),
            topic: text("topic")?.to_owned(),
            partition: text("partition")?.parse().ok()?,
            offset: text("offset")?.parse().ok()?,
            attempt: text("attempt")?.parse().ok()?,
            left_out: record.value.is_none() && text("digest")? != sha256_hex(b""),
            at: Coordinates {
                partition,
                offset: record.offset,
            },
            record,
        };
        Some(Self::Letter(letter))
    }
}

impl Letter {
    /// Returns the headers that the original had.
    pub fn original_headers(&self) -> Vec<Header> {
        let own = |(name, _): &&Header| !name.starts_with(PREFIX);
        self.record.headers.iter().filter(own).cloned().collect()
    }

    /// Returns the headers of the record as it goes in again: the original's, and how often it failed.
    pub fn outgoing_headers(&self) -> Vec<OutputHeader> {
        let goes_on = |(name, _): &&Header| {
            !name.starts_with(PREFIX) || name == ATTEMPT || name == FIRST_FAILURE
        };
        self.record
            .headers
            .iter()
            .filter(goes_on)
            .map(outgoing)
            .collect()
    }
}

/// Why the letters cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The client cannot be built, or cannot read.
    #[error("cannot read {topic}: {source}")]
    Client {
        /// The topic.
        topic: String,
        /// What the client says.
        source: KafkaError,
    },
    /// Time ran out.
    #[error("{topic} could not be read to its end within {limit:?}")]
    TimedOut {
        /// The topic.
        topic: String,
        /// How long was tried.
        limit: Duration,
    },
}

/// Reads `dlq` from its beginning to its end as of now, and hands on each record with its bytes: the
/// letters of one partition in order, those of different partitions in any.
///
/// Returns how many records were neither letters nor receipts.
///
/// # Errors
/// [`LettersError`] if the brokers cannot be reached, or not all of it is read within `limit`.
pub fn read_letters(
    config: &KafkaConfig,
    names: &TopicNames,
    limit: Duration,
    mut each: impl FnMut(Entry),
) -> Result<usize, LettersError> {
    let topic = names.of(Topic::Dlq);
    let client = |source| LettersError::Client {
        topic: topic.to_owned(),
        source,
    };
    let partitions = names.partitions(Topic::Dlq);
    let consumer = from_beginning(config, topic, partitions).map_err(client)?;
    let mut unread: BTreeSet<i32> = (0..partitions).collect();
    let deadline = Instant::now() + limit;
    let mut strange = 0;
    while !unread.is_empty() {
        if Instant::now() >= deadline {
            return Err(LettersError::TimedOut {
                topic: topic.to_owned(),
                limit,
            });
        }
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => match Entry::read(message.partition(), record_of(&message)) {
                Some(entry) => each(entry),
                None => strange += 1,
            },
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            Some(Err(error)) if is_outage(&error) => {}
            Some(Err(error)) => return Err(client(error)),
        }
    }
    Ok(strange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::reason::Reason;
    use crate::log::dead_letter::{Origin, dead_letter};

    const AT: Coordinates = Coordinates {
        partition: 2,
        offset: 41,
    };

    fn letter_of(record: &Record, limit: usize) -> Letter {
        let origin = Origin {
            topic: "t.patches",
            partition: 3,
        };
        let output = dead_letter(record, origin, Reason::InvalidJson, "bad", 9, limit);
        let record = Record {
            key: output.key,
            value: output.value,
            headers: output
                .headers
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.map(|value| value.into_owned())))
                .collect(),
            ..Record::default()
        };
        match Entry::read(2, record) {
            Some(Entry::Letter(letter)) => letter,
            other => panic!("{other:?}"),
        }
    }

    fn original(headers: Vec<Header>) -> Record {
        Record {
            offset: 7,
            key: Some(b"CVE-1".to_vec()),
            value: Some(b"{".to_vec()),
            headers,
            ..Record::default()
        }
    }

    #[test]
    fn a_letter_is_read_back_as_it_was_written() {
        let letter = letter_of(&original(vec![("x".into(), Some(b"y".to_vec()))]), 10_000);
        assert_eq!(letter.reason, "invalid_json");
        assert_eq!((letter.partition, letter.offset, letter.attempt), (3, 7, 1));
        assert!(!letter.left_out);
        assert_eq!(letter.record.value.as_deref(), Some(&b"{"[..]));
    }

    #[test]
    fn what_did_not_fit_is_told_from_what_was_empty() {
        assert!(letter_of(&original(Vec::new()), 10).left_out);
        let tombstone = Record {
            value: None,
            ..original(Vec::new())
        };
        assert!(!letter_of(&tombstone, 10_000).left_out);
    }

    #[test]
    fn the_count_of_failures_goes_on_over_any_number_of_rounds() {
        let mut record = original(vec![("x".into(), None)]);
        for round in 1..=4 {
            let letter = letter_of(&record, 10_000);
            assert_eq!(letter.attempt, round);
            record.headers = letter
                .outgoing_headers()
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.map(|value| value.into_owned())))
                .collect();
            assert_eq!(record.headers.len(), 3, "{:?}", record.headers);
        }
    }

    #[test]
    fn a_receipt_is_no_letter_and_a_foreign_record_neither() {
        let record = |name: &str, value: &[u8]| Record {
            headers: vec![(name.into(), Some(value.to_vec()))],
            ..Record::default()
        };
        let read = |record| Entry::read(2, record);
        assert!(matches!(
            read(record(REDRIVEN, b"2:41")),
            Some(Entry::Receipt(AT))
        ));
        assert!(read(record(REDRIVEN, b"x")).is_none());
        assert!(read(record("crisol_dlq_reason", b"crashed")).is_none());
    }
}
