//! Where outcomes of a replay go: a topic of the run's own, or the real ones.
//!
//! Outcomes and how far the run has come go into one transaction, so a run that died and is started
//! again under its name writes nothing twice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::{Exit, Failure, unreadable};
use crate::event::record::Output;
use crate::event::topic::Topic;
use crate::log::client::KafkaConfig;
use crate::log::range::RangeReader;
use crate::log::statistics::ProducerContext;
use crate::log::topics::{TopicNames, TopicPlan, create_aside};
use crate::log::transaction::{TransactionError, TransactionalProducer};

/// The header that marks what a replay wrote; its value is the name of the run.
pub(super) const REPLAY: &str = "crisol_replay";
/// The header that says where an outcome would have gone.
const MEANT_FOR: &str = "crisol_replay_topic";
/// Outputs in one transaction.
const PORTION: usize = 2_000;
/// How long registering may take: a run that died under this name blocks the id for 15 s.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Takes outcomes and sends them a portion to a transaction.
pub(super) struct Sink<'a> {
    producer: TransactionalProducer,
    reader: &'a RangeReader,
    target: String,
    run: String,
    publishes: bool,
    outputs: Vec<Output>,
    next: BTreeMap<i32, i64>,
}

impl<'a> Sink<'a> {
    /// Returns a sink into `<prefix>replay.<run>`, which is created where it does not exist.
    pub(super) fn aside(
        kafka: &KafkaConfig,
        plan: &TopicPlan,
        names: &TopicNames,
        reader: &'a RangeReader,
        run: &str,
    ) -> Result<Self, Failure> {
        let target = format!("{}replay.{run}", kafka.topic_prefix);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        runtime
            .block_on(create_aside(kafka, plan, &target))
            .map_err(unreadable)?;
        let aside = names.with(Topic::Hitl, &target, 1);
        Self::start(kafka, aside, reader, run, target, false)
    }

    /// Returns a sink into the real topics.
    pub(super) fn publishing(
        kafka: &KafkaConfig,
        names: &TopicNames,
        reader: &'a RangeReader,
        run: &str,
    ) -> Result<Self, Failure> {
        let target = format!("{}, {}", names.of(Topic::Decisions), names.of(Topic::Hitl));
        Self::start(kafka, names.clone(), reader, run, target, true)
    }

    fn start(
        kafka: &KafkaConfig,
        names: TopicNames,
        reader: &'a RangeReader,
        run: &str,
        target: String,
        publishes: bool,
    ) -> Result<Self, Failure> {
        let producer = TransactionalProducer::register(
            kafka,
            "replay",
            names,
            ProducerContext::default(),
            TIMEOUT,
        )
        .map_err(unsent)?;
        Ok(Self {
            producer,
            reader,
            target,
            run: run.to_owned(),
            publishes,
            outputs: Vec::new(),
            next: BTreeMap::new(),
        })
    }

    /// Returns where outcomes go, for people.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Takes the outputs of one record.
    pub(super) fn take(&mut self, outputs: Vec<Output>) -> Result<(), Failure> {
        let mark = |name: &'static str, value: &str| {
            let value = value.as_bytes().to_vec();
            (name.into(), Some(value.into()))
        };
        for mut output in outputs {
            output.headers.push(mark(REPLAY, &self.run));
            if !self.publishes {
                if matches!(output.topic, Topic::HitlOpen | Topic::Verdicts) {
                    continue;
                }
                output.headers.push(mark(MEANT_FOR, output.topic.as_str()));
                output.topic = Topic::Hitl;
                output.partition_by = None;
            }
            self.outputs.push(output);
        }
        Ok(())
    }

    /// Notes that everything before `next` is judged; sends what waits if it is a portion.
    pub(super) fn reached(&mut self, partition: i32, next: i64) -> Result<(), Failure> {
        self.next.insert(partition, next);
        if self.outputs.len() >= PORTION {
            self.send()?;
        }
        Ok(())
    }

    /// Sends what waits, and commits how far the run has come.
    pub(super) fn send(&mut self) -> Result<(), Failure> {
        if self.next.is_empty() {
            return Ok(());
        }
        let transaction = self.producer.begin().map_err(unsent)?;
        let sent = transaction
            .send_all(&self.outputs)
            .and_then(|()| self.reader.commit_in(&transaction, &self.next));
        if sent.is_err() {
            return transaction.or_abort(sent).map_err(unsent);
        }
        transaction.commit().map_err(unsent)?;
        self.outputs.clear();
        self.next.clear();
        Ok(())
    }
}

fn unsent(error: TransactionError) -> Failure {
    Failure::new(
        Exit::Unavailable,
        format!("{error}; run it again under the same --name, and it goes on where it was"),
    )
}
