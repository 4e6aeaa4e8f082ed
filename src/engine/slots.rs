//! Slots: where wargames take place side by side, and what sees to it that none of them outstays its deadline.
//!
//! More requests are taken in than there are slots, so that one that waits behind others still ends on time. Whoever
//! comes first, the slot with what it found or the timekeeper at the deadline, claims a request and concludes it; the
//! other finds it claimed and lets it be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::engine::crew::{Crew, Done, InHand, Job};
use crate::engine::failpoint::{Failpoints, Point};
use crate::engine::tally::Tally;
use crate::event::record::{Handled, Memo, Record};
use crate::event::wargame::Unheld;
use crate::pipeline::Clock;
use crate::pipeline::wargame::WargamePipeline;
use crate::stage::fight::Fought;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How many wargames take place at once, and how long one may take from being asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlotsConfig {
    /// Wargames at once.
    pub slots: usize,
    /// Requests that are taken in ahead of a free slot, so that those that wait too long end on time.
    pub read_ahead: usize,
    /// From being asked for to the end, in seconds; past it a person decides.
    pub deadline_s: u64,
    /// So many comparisons that contradict an approval, within `contradictions_window_s`, switch auto-approval off.
    pub contradictions: usize,
    /// That window, in seconds.
    pub contradictions_window_s: u64,
}

impl Default for SlotsConfig {
    fn default() -> Self {
        Self {
            slots: 2,
            read_ahead: 64,
            deadline_s: /* 15 min */ 900,
            contradictions: 3,
            contradictions_window_s: /* 1 day */ 86_400,
        }
    }
}

/// A bound that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wargame.{field}: must be at least {least}")]
pub struct InvalidSlotsConfig {
    /// The field.
    pub field: &'static str,
    /// The least that it may be.
    pub least: usize,
}

impl SlotsConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`InvalidSlotsConfig`] names the first field that makes no sense.
    pub fn validate(&self) -> Result<(), InvalidSlotsConfig> {
        let at_least = [
            ("slots", self.slots, 1),
            ("read_ahead", self.read_ahead, self.slots),
            ("deadline_s", self.deadline_s as usize, 1),
            ("contradictions", self.contradictions, 1),
        ];
        match at_least.into_iter().find(|(_, value, least)| value < least) {
            Some((field, _, least)) => Err(InvalidSlotsConfig { field, least }),
            None => Ok(()),
        }
    }
}

/// A request that waits or is fought over.
struct Held {
    job: Job,
    in_hand: Mutex<Option<InHand>>,
    /// Whether nobody wants its outcome any more.
    abandoned: AtomicBool,
}

impl Held {
    /// Returns the right to conclude it, once.
    fn claim(&self) -> Option<InHand> {
        self.in_hand.lock().take()
    }

    fn is_open(&self) -> bool {
        !self.abandoned.load(Ordering::Relaxed) && self.in_hand.lock().is_some()
    }

    fn record(&self) -> Option<&Record> {
        self.job.batch.records.first()
    }
}

/// What slots, timekeeper and engine share.
struct Shared {
    held: Mutex<Vec<Arc<Held>>>,
    pipeline: Arc<WargamePipeline>,
    failpoints: Arc<Failpoints>,
    config: SlotsConfig,
    clock: Clock,
    stopped: AtomicBool,
}

/// The slots and the way to and from them.
pub struct Slots {
    shared: Arc<Shared>,
    ready: Option<Sender<Arc<Held>>>,
    finished: Sender<Done>,
    done: Receiver<Done>,
    tally: Mutex<Tally>,
}

impl Slots {
    /// Starts slots over the pipeline; `writer` names this worker where it counts evidence.
    ///
    /// # Errors
    /// What the system says if a thread cannot start.
    pub fn start(
        config: &SlotsConfig,
        pipeline: &Arc<WargamePipeline>,
        failpoints: &Arc<Failpoints>,
        clock: Clock,
        writer: &str,
    ) -> Result<Self, std::io::Error> {
        let (finished, done) = unbounded();
        let (ready, waiting) = unbounded::<Arc<Held>>();
        let shared = Arc::new(Shared {
            held: Mutex::new(Vec::new()),
            pipeline: Arc::clone(pipeline),
            failpoints: Arc::clone(failpoints),
            config: config.clone(),
            clock,
            stopped: AtomicBool::new(false),
        });
        for n in 0..config.slots {
            let (shared, waiting) = (Arc::clone(&shared), waiting.clone());
            std::thread::Builder::new()
                .name(format!("slot-{n}"))
                .spawn(move || {
                    for held in &waiting {
                        shared.fight(&held);
                    }
                })?;
        }
        let timekeeper = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("timekeeper".to_owned())
            .spawn(move || {
                while !timekeeper.stopped.load(Ordering::Relaxed) {
                    timekeeper.end_overdue();
                    std::thread::sleep(TICK);
                }
            })?;
        Ok(Self {
            tally: Mutex::new(Tally::new(
                Arc::clone(pipeline.tables()),
                writer,
                clock,
                config.contradictions,
                Duration::from_secs(config.contradictions_window_s),
            )),
            shared,
            ready: Some(ready),
            finished,
            done,
        })
    }
}

impl Shared {
    /// Holds a wargame and concludes it, unless somebody else has meanwhile.
    fn fight(&self, held: &Held) {
        let Some(record) = held.record().filter(|_| held.is_open()) else {
            return;
        };
        self.failpoints
            .abort_on(record.value.as_deref().unwrap_or_default());
        let goes_on = || {
            self.failpoints.pass(Point::DuringWargame);
            held.is_open() && !self.stopped.load(Ordering::Relaxed)
        };
        let fought = self.pipeline.fight(record, &goes_on);
        if self.stopped.load(Ordering::Relaxed) {
            // What was cut short is no outcome; its next owner begins anew.
            return;
        }
        self.conclude(held, &fought);
    }

    fn conclude(&self, held: &Held, fought: &Fought) {
        if held.abandoned.load(Ordering::Relaxed) {
            // What would be proposed for it now would be nobody's to take back.
            return;
        }
        let (Some(in_hand), Some(record)) = (held.claim(), held.record()) else {
            return;
        };
        let handled = self.pipeline.conclude(&held.job.batch, record, fought);
        self.failpoints.pass(Point::AfterJudge);
        in_hand.finish(vec![handled]);
    }

    fn end_overdue(&self) {
        let limit = i64::try_from(self.config.deadline_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let now = (self.clock)();
        let mut overdue = Vec::new();
        self.held.lock().retain(|held| {
            let late = held
                .record()
                .is_some_and(|record| now.saturating_sub(record.timestamp_ms) >= limit);
            if late && held.is_open() {
                overdue.push(Arc::clone(held));
            }
            held.is_open() && !late
        });
        for held in overdue {
            self.conclude(&held, &Fought::Unheld(Unheld::Overdue));
        }
    }
}

impl Crew for Slots {
    fn has_room(&self, _partition: i32) -> bool {
        let mut held = self.shared.held.lock();
        held.retain(|one| one.is_open());
        held.len() < self.shared.config.read_ahead
    }

    fn hand(&self, job: Job) -> Result<(), Box<Job>> {
        let Some(ready) = &self.ready else {
            return Err(Box::new(job));
        };
        let give_up = job.give_up;
        let held = Arc::new(Held {
            in_hand: Mutex::new(Some(InHand::take(&job, self.finished.clone()))),
            job,
            abandoned: AtomicBool::new(false),
        });
        if give_up {
            self.shared.conclude(&held, &Fought::Crashed);
            return Ok(());
        }
        self.shared.held.lock().push(Arc::clone(&held));
        // Slots end only with this value, so somebody listens.
        let _ = ready.send(held);
        Ok(())
    }

    fn done(&self) -> &Receiver<Done> {
        &self.done
    }

    fn seal(&self, handled: &mut [Handled]) {
        self.tally.lock().seal(handled);
    }

    fn committed(&self, handled: &[Handled]) {
        self.tally.lock().committed(handled);
    }

    fn remember(&self, _memos: Vec<Memo>) {}

    fn begin_again(&self) {
        self.tally.lock().begin_again();
    }

    fn forget(&self, partition: i32, from: i64) {
        self.shared.held.lock().retain(|held| {
            let batch = &held.job.batch;
            let gone = batch.partition == partition
                && batch.records.iter().any(|record| record.offset >= from);
            if gone {
                held.abandoned.store(true, Ordering::Relaxed);
            }
            !gone
        });
        let tables = self.shared.pipeline.tables();
        tables.open_items.forget_proposed(partition, from);
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Nobody waits for wargames under way: a run may take as long as its limits say, and what it finds is nobody's.
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.ready = None;
    }
}
