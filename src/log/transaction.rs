//! The transactional producer: the protocol as types.
//!
//! [`TransactionalProducer::begin`] borrows the producer, so there is one transaction at a time and
//! nothing is sent outside one; [`Transaction::commit`] and [`Transaction::abort`] consume it.
//! Every call may block and belongs on the engine's own thread.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::event::record::Output;
use crate::log::client::{KafkaConfig, TRANSACTION_TIMEOUT};
use crate::log::error::{Remedy, remedy};
use crate::log::partitioner::partition_of;
use crate::log::statistics::ProducerContext;
use crate::log::topics::TopicNames;

/// The longest an abort is retried; past it the producer is replaced, which aborts as well.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a step gets even past the transaction's deadline: a replica that was frozen asks what became
/// of its transaction, and the answer tells a zombie from an outage.
const LAST_TRY: Duration = Duration::from_secs(1);
/// One try of an abort: between two, delivery reports are taken.
const ABORT_TRY: Duration = Duration::from_millis(500);
/// The longest a transaction can take, its abort included.
pub const LONGEST: Duration = TRANSACTION_TIMEOUT
    .saturating_add(LAST_TRY)
    .saturating_add(ABORT_TIMEOUT);
/// How often it is asked whether everything has been acknowledged. A commit asks too, but only every
/// 100 ms.
const FLUSH_STEP: Duration = Duration::from_millis(2);
/// How long a full send queue is drained before the next try.
const QUEUE_FULL_POLL: Duration = Duration::from_millis(5);

/// A failed step, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct TransactionError {
    /// The step that failed.
    pub step: &'static str,
    /// What to do.
    pub remedy: Remedy,
    /// What the client says.
    #[source]
    pub source: KafkaError,
}

impl TransactionError {
    /// Returns the error of a consumer without a group: its outputs must not go out without offsets.
    pub fn no_member() -> Self {
        Self {
            step: "send offsets",
            remedy: Remedy::Replace,
            source: KafkaError::Global(RDKafkaErrorCode::UnknownGroup),
        }
    }

    pub(super) fn new(step: &'static str, source: KafkaError) -> Self {
        Self {
            step,
            remedy: remedy(&source),
            source,
        }
    }
}

/// A producer whose transactional id is registered: older holders of the id are fenced.
pub struct TransactionalProducer {
    producer: BaseProducer<ProducerContext>,
    names: TopicNames,
}

/// An open transaction. Dropping it leaves it open at the broker, so it must be ended.
#[must_use = "a transaction must be committed or aborted"]
pub struct Transaction<'p> {
    owner: &'p mut TransactionalProducer,
    /// When the coordinator ends it by itself: past that, no step can succeed any more, so all of
    /// them together block the engine no longer.
    deadline: Instant,
}

impl TransactionalProducer {
    /// Registers the role's transactional id, which fences every older producer under it and ends
    /// what that left open.
    ///
    /// # Errors
    /// [`TransactionError`] if the brokers cannot be reached in time or refuse.
    pub fn register(
        config: &KafkaConfig,
        role: &str,
        names: TopicNames,
        context: ProducerContext,
        timeout: Duration,
    ) -> Result<Self, TransactionError> {
        let producer: BaseProducer<ProducerContext> = config
            .transactional_producer(role)
            .create_with_context(context)
            .map_err(|e| TransactionError::new("create producer", e))?;
        retry("init transactions", timeout, |left| {
            producer.init_transactions(left)
        })?;
        Ok(Self { producer, names })
    }

    /// Serves statistics, and reports of records that were not delivered.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// [`TransactionError`] if the producer is spent.
    pub fn begin(&mut self) -> Result<Transaction<'_>, TransactionError> {
        self.producer.begin_transaction().map_err(|source| {
            let mut failure = TransactionError::new("begin", source);
            if failure.remedy == Remedy::Abort {
                // There is nothing of ours to abort, so an older failure still sticks to the producer.
                failure.remedy = Remedy::Replace;
            }
            failure
        })?;
        Ok(Transaction {
            owner: self,
            deadline: Instant::now() + TRANSACTION_TIMEOUT,
        })
    }
}

impl Transaction<'_> {
    /// Adds records to the transaction, and takes what the client reports meanwhile.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_all(&self, outputs: &[Output]) -> Result<(), TransactionError> {
        outputs.iter().try_for_each(|output| self.send(output))?;
        self.owner.poll();
        Ok(())
    }

    /// Adds a record to the transaction.
    ///
    /// # Errors
    /// [`TransactionError`] if the client refuses the record or its queue stays full.
    pub fn send(&self, output: &Output) -> Result<(), TransactionError> {
        let owner = &*self.owner;
        let name = owner.names.of(output.topic);
        let mut headers = OwnedHeaders::new_with_capacity(output.headers.len());
        for (key, value) in &output.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_deref(),
            });
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(name).headers(headers);
        if let Some(key) = &output.key {
            record = record.key(key);
        }
        if let Some(value) = &output.value {
            record = record.payload(value);
        }
        if let Some(beside) = &output.partition_by {
            let partitions = owner.names.partitions(output.topic);
            record = record.partition(partition_of(beside.as_bytes(), partitions));
        }
        loop {
            match owner.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent))
                    if Instant::now() < self.deadline =>
                {
                    record = unsent;
                    owner.producer.poll(QUEUE_FULL_POLL);
                }
                Err((error, _)) => return Err(TransactionError::new("produce", error)),
            }
        }
    }

    /// Adds the offsets to the transaction, under the consumer's present membership.
    ///
    /// # Errors
    /// [`TransactionError`]; a member that lost its place is told so here.
    pub fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        member: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        retry("send offsets", self.left(), |left| {
            self.owner
                .producer
                .send_offsets_to_transaction(offsets, member, left)
        })
    }

    /// Waits until the brokers have acknowledged every record sent so far.
    ///
    /// # Errors
    /// [`TransactionError`] if they do not in time.
    pub fn flush(&self) -> Result<(), TransactionError> {
        let deadline = Instant::now() + self.left();
        loop {
            match self.owner.producer.flush(Duration::ZERO) {
                Err(_) if Instant::now() < deadline => {
                    self.owner.poll();
                    std::thread::sleep(FLUSH_STEP);
                }
                flushed => return flushed.map_err(|e| TransactionError::new("flush", e)),
            }
        }
    }

    /// Commits; aborts if the client asks for that instead. After an error whose remedy is
    /// [`Remedy::Replace`] the outcome is unknown.
    ///
    /// # Errors
    /// [`TransactionError`] with the remedy; after [`Remedy::Abort`] the transaction has ended.
    pub fn commit(self) -> Result<(), TransactionError> {
        let committed = self.flush().and_then(|()| {
            retry("commit", self.left(), |left| {
                self.owner.producer.commit_transaction(left)
            })
        });
        self.or_abort(committed)
    }

    /// Ends the transaction after a failed step: aborts where that is the remedy.
    ///
    /// # Errors
    /// The step's error, or the abort's if that fails too.
    pub fn or_abort(self, step: Result<(), TransactionError>) -> Result<(), TransactionError> {
        if step
            .as_ref()
            .is_err_and(|failure| failure.remedy == Remedy::Abort)
        {
            self.abort()?;
        }
        step
    }

    /// Aborts: nothing that was sent is ever read by a `read_committed` reader.
    ///
    /// # Errors
    /// [`TransactionError`] if the producer is spent.
    pub fn abort(self) -> Result<(), TransactionError> {
        retry("abort", ABORT_TIMEOUT, |left| {
            // The client gives up what was still to be sent, and waits for somebody to take the
            // reports of that.
            self.owner.producer.poll(Duration::ZERO);
            self.owner.producer.abort_transaction(left.min(ABORT_TRY))
        })
    }

    fn left(&self) -> Duration {
        self.deadline
            .saturating_duration_since(Instant::now())
            .max(LAST_TRY)
    }
}

/// Repeats a step while the client calls its error retriable and time is left.
fn retry(
    step: &'static str,
    limit: Duration,
    mut attempt: impl FnMut(Duration) -> Result<(), KafkaError>,
) -> Result<(), TransactionError> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Err(error) = attempt(left.max(Duration::from_millis(1))) else {
            return Ok(());
        };
        let mut failure = TransactionError::new(step, error);
        if failure.remedy != Remedy::Retry {
            return Err(failure);
        }
        if Instant::now() >= deadline {
            failure.remedy = Remedy::Replace;
            return Err(failure);
        }
    }
}
