//! Where the microseconds go: each stage alone, on one core, without Kafka.
//!
//! `cargo bench --bench pipeline` prints nanoseconds an event.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::unreachable,
    dead_code,
    unused_imports,
    reason = "a bench that cannot go on has failed"
)]

#[path = "../tests/claims/oracle/mod.rs"]
mod oracle;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crisol::diff::DiffLimits;
use crisol::event::limits::EventLimits;
use crisol::event::record::{Batch, Record};
use crisol::log::source::Coordinates;
use crisol::memory::{ExactMemory, MemoryConfig, MemoryMetrics};
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::policy::RiskConfig;
use crisol::stage::{decode::decode, join::join, judge::judge, read::read};
use crisol::table::{ApvConfig, OpenItemsConfig, Tables};

use prometheus::Registry;

use crate::oracle::{Disposition, Generator, World};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Events in the sample.
const EVENTS: usize = 20_000;
/// Records in one batch, as the engine cuts them.
const BATCH: usize = 256;
/// Passes over the sample; the fastest counts, the rest is noise of the machine.
const PASSES: usize = 5;

fn main() {
    let world = World::generate(7, 400);
    let limits = EventLimits::default();
    let tables = Arc::new(Tables::detached(
        ApvConfig::default(),
        OpenItemsConfig::default(),
        &limits,
    ));
    for record in &world.apv {
        // Some of the world's records are bad on purpose.
        let _ = tables
            .apv
            .apply(Some(record.key.as_bytes()), record.value.as_deref());
    }
    for (offset, record) in (0..).zip(&world.control) {
        let at = Coordinates {
            partition: 0,
            offset,
        };
        tables
            .control
            .apply(at, Some(record.key.as_bytes()), record.value.as_deref())
            .unwrap();
    }
    let records: Vec<Record> = Generator::new(&world, "bench", 7)
        .filter(|event| {
            event.expected.disposition != Disposition::Dead
                && !event.expected.reason.starts_with("apv_")
        })
        .take(EVENTS)
        .zip(0..)
        .map(|(event, offset)| Record {
            offset,
            timestamp_ms: 1,
            key: event.key,
            value: event.value,
            headers: Vec::new(),
            left_out: None,
        })
        .collect();
    let diffs = DiffLimits::default();
    let risk = RiskConfig::default();
    let control = tables.control_snapshot();

    let decoded = fastest(|| {
        for batch in records.chunks(BATCH) {
            black_box(decode(batch, &limits));
        }
    });
    let read_too = fastest(|| {
        for batch in records.chunks(BATCH) {
            let patches = decode(batch, &limits);
            black_box(read(&patches, &diffs));
        }
    });
    let joined_too = fastest(|| {
        for batch in records.chunks(BATCH) {
            let patches = decode(batch, &limits);
            black_box(read(&patches, &diffs));
            black_box(join(&patches, &tables, Duration::ZERO));
        }
    });
    let judged_too = fastest(|| {
        for batch in records.chunks(BATCH) {
            let patches = decode(batch, &limits);
            let diffs = read(&patches, &diffs);
            let joined = join(&patches, &tables, Duration::ZERO);
            let unasked: Vec<_> = joined.iter().map(|_| None).collect();
            black_box(judge(&diffs, &joined, &unasked, &control, &risk));
        }
    });
    let batches: Vec<Batch> = records
        .chunks(BATCH)
        .map(|chunk| Batch {
            topic: Arc::from("patches"),
            partition: 0,
            records: chunk.to_vec(),
        })
        .collect();
    let pipeline = Pipeline::new(
        Arc::clone(&tables),
        PipelineConfig::default(),
        limits.clone(),
        diffs.clone(),
        risk,
        || 0,
    );
    let whole = fastest(|| {
        for batch in &batches {
            black_box(pipeline.handle(batch));
        }
    });
    // Each pass finds nothing, as with patches that nobody has sent before: nothing is kept here.
    let metrics = MemoryMetrics::register(&Registry::new()).unwrap();
    let memory = ExactMemory::in_process(&MemoryConfig::default(), metrics);
    let pipeline = pipeline.with_memory(Arc::new(memory));
    let remembering = fastest(|| {
        for batch in &batches {
            black_box(pipeline.handle(batch));
        }
    });
    for (stage, time) in [
        ("decode", decoded),
        ("read", read_too - decoded),
        ("join", joined_too.saturating_sub(read_too)),
        ("judge", judged_too.saturating_sub(joined_too)),
        ("route", whole.saturating_sub(judged_too)),
        ("whole", whole),
        ("recall and memos", remembering.saturating_sub(whole)),
    ] {
        println!("{stage:>16} {:>7} ns", time.as_nanos() / EVENTS as u128);
    }
}

fn fastest(mut pass: impl FnMut()) -> Duration {
    (0..PASSES)
        .map(|_| {
            let began = Instant::now();
            pass();
            began.elapsed()
        })
        .min()
        .unwrap()
}
