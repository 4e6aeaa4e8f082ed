//! Outcomes, read back from the topics as any consumer would read them.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::cli::answer::Answer;
use crate::cli::demo::feed::Delivered;
use crate::cli::demo::samples::Sample;
use crate::cli::{Exit, Failure};
use crate::event::codec::printable;
use crate::event::record::OutputHeader;
use crate::event::topic::Topic;
use crate::log::client::{KafkaConfig, LogContext};
use crate::log::source::Coordinates;
use crate::log::topics::TopicNames;

/// Where outcomes are told.
pub(super) const TOLD_ON: [Topic; 3] = [Topic::Decisions, Topic::Hitl, Topic::Dlq];

/// A patch that was sent, and what came back of it.
pub(super) struct Row {
    /// The patch.
    pub sample: Sample,
    /// Where it stands in the log.
    pub at: Coordinates,
    /// Its outcomes: one, if all is well.
    pub answers: Vec<Answer>,
}

/// The patches sent so far with their outcomes.
pub(super) struct Outcomes {
    consumer: BaseConsumer<LogContext>,
    names: TopicNames,
    rows: Vec<Row>,
    strangers: usize,
}

impl Outcomes {
    /// Starts to read where outcomes are told, from the beginning.
    pub(super) fn start(kafka: &KafkaConfig, names: &TopicNames) -> Result<Self, Failure> {
        let consumer: BaseConsumer<LogContext> = kafka
            .query_client("read_committed")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "20")
            .create_with_context(LogContext)
            .map_err(|error| failed(&error))?;
        let mut all = TopicPartitionList::new();
        for topic in TOLD_ON {
            for partition in 0..names.partitions(topic) {
                all.add_partition_offset(names.of(topic), partition, Offset::Beginning)
                    .map_err(|error| failed(&error))?;
            }
        }
        consumer.assign(&all).map_err(|error| failed(&error))?;
        Ok(Self {
            consumer,
            names: names.clone(),
            rows: Vec::new(),
            strangers: 0,
        })
    }

    /// Notes patches whose outcomes are to come.
    pub(super) fn expect(&mut self, portion: &[Sample], sent: Vec<Delivered>) {
        for (sample, (_, at)) in portion.iter().zip(sent) {
            self.rows.push(Row {
                sample: sample.clone(),
                at,
                answers: Vec::new(),
            });
        }
    }

    /// Reads for as long as `limit`.
    pub(super) fn poll_for(&mut self, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let found = match self.consumer.poll(left) {
                None => continue,
                Some(Err(error)) => return Err(failed(&error)),
                Some(Ok(message)) => {
                    let Some(topic) = TOLD_ON
                        .into_iter()
                        .find(|topic| self.names.of(*topic) == message.topic())
                    else {
                        continue;
                    };
                    let headers = headers_of(&message);
                    Answer::read(topic, message.payload(), &headers)
                }
            };
            let answer = found.map_err(|problem| Failure::new(Exit::Internal, problem))?;
            match self.rows.iter_mut().find(|row| row.at == answer.source) {
                Some(row) => row.answers.push(answer),
                None => self.strangers += 1,
            }
        }
    }

    /// Returns whether a patch has no outcome yet.
    pub(super) fn are_awaited(&self) -> bool {
        self.rows.iter().any(|row| row.answers.is_empty())
    }

    /// Returns whether each patch has exactly one outcome, and nothing else came.
    pub(super) fn is_whole(&self) -> bool {
        self.strangers == 0 && self.rows.iter().all(|row| row.answers.len() == 1)
    }

    /// Returns how many outcomes came.
    pub(super) fn count(&self) -> usize {
        self.strangers + self.rows.iter().map(|row| row.answers.len()).sum::<usize>()
    }

    /// Returns the patches in the order in which they were sent.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

fn headers_of(message: &impl Message) -> Vec<OutputHeader> {
    message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| {
                (
                    Cow::Owned(header.key.to_owned()),
                    header.value.map(|value| Cow::Owned(value.to_vec())),
                )
            })
            .collect()
    })
}

fn failed(error: &KafkaError) -> Failure {
    let error = printable(&error.to_string());
    Failure::new(
        Exit::Internal,
        format!("cannot read from the embedded broker: {error}"),
    )
}
