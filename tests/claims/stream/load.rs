//! A steady load on a stream, and the account of what comes out.

use std::time::{Duration, Instant};

use super::{Feeder, PARTITIONS, Reader, Stream, settle};
use crate::oracle::{Generator, Report, World};

/// Events a second.
const PACE: u32 = 400;

/// A stream that is fed at a steady pace while its reader keeps the account.
pub struct Load {
    pub feeder: Feeder,
    generator: Generator,
    /// The reader and its account.
    pub reader: Reader,
    /// How many events were fed.
    pub fed: usize,
    due: Instant,
}

impl Load {
    /// Writes a world and begins to feed events of it; `run` names the events, `seed` makes them.
    pub fn begin(stream: &Stream, run: &str, seed: u64) -> Self {
        let world = World::generate(seed, 200);
        stream.publish(&world);
        Self {
            feeder: stream.feeder(),
            generator: Generator::new(&world, run, seed),
            reader: stream.reader(),
            fed: 0,
            due: Instant::now(),
        }
    }

    /// Feeds what is due and reads what has come.
    pub fn step(&mut self) {
        while self.due <= Instant::now() {
            let event = self.generator.next_event();
            self.feeder.feed(&event);
            self.reader.account.expect(event.expected);
            self.fed += 1;
            self.due += Duration::from_secs(1) / PACE;
        }
        self.reader.read_for(Duration::from_millis(20));
    }

    /// Goes on for a while.
    pub fn run_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            self.step();
        }
    }

    /// Goes on until a condition holds; panics with what it says if it does not within `limit`.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut() -> Result<(), String>,
    ) {
        let deadline = Instant::now() + limit;
        while let Err(missing) = condition() {
            assert!(Instant::now() < deadline, "not within {limit:?}: {missing}");
            self.step();
        }
    }

    /// Goes on while something slow is done.
    pub fn run_during<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let work = scope.spawn(work);
            while !work.is_finished() {
                self.step();
            }
            work.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Goes on until the reader has seen this many more outcomes.
    pub fn run_until_seen(&mut self, more: usize, limit: Duration) {
        let goal = self.reader.seen + more;
        let deadline = Instant::now() + limit;
        while self.reader.seen < goal {
            assert!(Instant::now() < deadline, "no progress within {limit:?}");
            self.step();
        }
    }

    /// Goes on until each input partition has outcomes that it had not before.
    pub fn run_until_all_move(&mut self, limit: Duration) {
        let before = self.reader.account.progress();
        let deadline = Instant::now() + limit;
        loop {
            let now = self.reader.account.progress();
            if (0..PARTITIONS).all(|partition| now.get(&partition) > before.get(&partition)) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {before:?} {now:?}"
            );
            self.step();
        }
    }

    /// Stops feeding, waits for every outcome, and a little longer for those that must not come.
    pub fn end(&mut self) -> Report {
        self.feeder.flush();
        settle(&mut self.reader);
        self.reader.read_for(Duration::from_secs(2));
        self.reader.account.verdict()
    }
}
