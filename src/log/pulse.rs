//! Whether any broker answers: asked every two seconds, whatever else the process does.
//!
//! Consumers and producers are silent about brokers that are away, because that heals by itself; who looks
//! after the process still has to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus::{Gauge, IntGauge, Registry};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use tracing::{info, warn};

use crate::event::codec::printable;
use crate::log::client::{KafkaConfig, LogContext};

/// The time between an answer and the next question.
const STEP: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);
/// Without an answer for so long, no broker answers: a question that goes unanswered and one more.
const SILENCE: Duration = Duration::from_secs(8);

/// What the probes say while no broker answers.
pub const NO_ANSWER: &str = "no broker answers";

/// Asks brokers whether they are there; dropping it ends that.
pub struct Pulse {
    beat: Arc<Beat>,
    thread: Option<JoinHandle<()>>,
    up: IntGauge,
    age: Gauge,
}

/// When brokers answered last, written by the thread that asks.
struct Beat {
    began: Instant,
    answered_ms: AtomicU64,
    took_us: AtomicU64,
    stop: AtomicBool,
}

/// Why nobody can ask.
#[derive(Debug, thiserror::Error)]
pub enum PulseError {
    /// The client cannot be built.
    #[error("cannot watch the brokers: {0}")]
    Client(#[from] KafkaError),
    /// The thread cannot be started.
    #[error("cannot start the thread that watches the brokers: {0}")]
    Thread(#[from] std::io::Error),
    /// The name of a metric is taken.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl Pulse {
    /// Starts to ask for `topic`, whose existence does not matter. Brokers count as there until they have
    /// been silent for 8 s.
    ///
    /// # Errors
    /// [`PulseError`] if client, thread or metrics cannot be made.
    pub fn start(
        config: &KafkaConfig,
        topic: String,
        registry: &Registry,
    ) -> Result<Self, PulseError> {
        let up = IntGauge::new("crisol_kafka_up", "1 while a broker answers")?;
        let age = Gauge::new(
            "crisol_kafka_answer_age_seconds",
            "Time since a broker answered last",
        )?;
        registry.register(Box::new(up.clone()))?;
        registry.register(Box::new(age.clone()))?;
        let consumer: BaseConsumer<LogContext> = config
            .query_client("read_committed")
            .create_with_context(LogContext)?;
        let beat = Arc::new(Beat::new());
        let kept = Arc::clone(&beat);
        let thread = std::thread::Builder::new()
            .name("pulse".to_owned())
            .spawn(move || kept.keep(&consumer, &topic))?;
        Ok(Self {
            beat,
            thread: Some(thread),
            up,
            age,
        })
    }

    /// Returns whether a broker answered lately.
    pub fn is_up(&self) -> bool {
        self.beat.is_up()
    }

    /// Returns how long the last answer took; `None` while no broker answers.
    pub fn latency(&self) -> Option<Duration> {
        let took = Duration::from_micros(self.beat.took_us.load(Ordering::Relaxed));
        self.is_up().then_some(took)
    }

    /// Returns what keeps a replica from being ready; empty if nothing does.
    pub fn not_ready(&self) -> Vec<&'static str> {
        if self.is_up() {
            Vec::new()
        } else {
            vec![NO_ANSWER]
        }
    }

    /// Sets the gauges.
    pub fn observe(&self) {
        self.up.set(i64::from(self.is_up()));
        self.age.set(self.beat.age().as_secs_f64());
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beat.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It may wait for an answer; it ends with the process or a moment later.
            thread.thread().unpark();
        }
    }
}

impl Beat {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            answered_ms: AtomicU64::new(0),
            took_us: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn keep(&self, consumer: &BaseConsumer<LogContext>, topic: &str) {
        let mut was_up = true;
        while !self.stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            match consumer.fetch_metadata(Some(topic), ANSWER) {
                Ok(_) => {
                    self.answered(asked.elapsed());
                    if !was_up {
                        info!("brokers answer again");
                    }
                    was_up = true;
                }
                Err(error) if was_up && !self.is_up() => {
                    let error = printable(&error.to_string());
                    warn!(%error, "no broker answers: nothing is committed until one does");
                    was_up = false;
                }
                Err(_) => {}
            }
            // What the client has to say otherwise piles up.
            while consumer.poll(Duration::ZERO).is_some() {}
            std::thread::park_timeout(STEP);
        }
    }

    fn answered(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.took_us.store(micros, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered_ms.store(now, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        let answered = Duration::from_millis(self.answered_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(answered)
    }

    fn is_up(&self) -> bool {
        self.age() <= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_that_are_silent_for_long_are_away_until_one_answers() {
        let mut beat = Beat::new();
        assert!(beat.is_up());
        let Some(long_ago) = Instant::now().checked_sub(SILENCE + Duration::from_secs(1)) else {
            return;
        };
        beat.began = long_ago;
        assert!(!beat.is_up());
        beat.answered(Duration::from_millis(3));
        assert!(beat.is_up());
    }
}
