//! Where the microseconds go: each stage alone, on one core, without Kafka; and what memory saves on a
//! stream of which half are repeats, inside the process and in a real Redis.
//!
//! `cargo bench --bench pipeline` prints nanoseconds an event; with `-- code` behind it, of code alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::unreachable,
    dead_code,
    unused_imports,
    reason = "a bench that cannot go on has failed"
)]

#[path = "../tests/claims/fixture/mod.rs"]
mod fixture;
#[path = "../tests/claims/oracle/mod.rs"]
mod oracle;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crisol::config::{Secret, SecretKeyConfig};
use crisol::diff::{DiffLimits, parse};
use crisol::event::decision::Source;
use crisol::event::id::sha256_hex;
use crisol::event::limits::EventLimits;
use crisol::event::record::{Batch, Record};
use crisol::event::verdict::{VerdictEvent, WargameVerdict, verdict_key};
use crisol::judge::features::Extractor;
use crisol::judge::models::Models;
use crisol::judge::precedent::MOST;
use crisol::judge::shipped::ModelConfig;
use crisol::log::source::Coordinates;
use crisol::memory::{ExactMemory, MemoryConfig, MemoryMetrics, Recall};
use crisol::pipeline::{Pipeline, PipelineConfig};
use crisol::policy::RiskConfig;
use crisol::stage::{decode::decode, join::join, judge::Judges, read::read};
use crisol::table::{Known, TableBounds, Tables};

use prometheus::Registry;
use serde_json::json;

use crate::fixture::Redis;
use crate::oracle::code::code_diff;
use crate::oracle::random::Random;
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
    let tables = Arc::new(Tables::detached(&TableBounds::default(), &limits));
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

    let models = Arc::new(Models::of(ModelConfig::default().load().unwrap()).unwrap());
    let picked = models.in_force();
    let judged = |records: &[Record], with_model: bool| {
        let sources = crisol::stage::sources::Sources::default();
        let judges = Judges {
            sources: &sources,
            control: &control,
            risk: &risk,
            models: with_model.then_some(&models),
            picked: &picked,
            verdicts: &tables.verdicts,
        };
        fastest(|| {
            for batch in records.chunks(BATCH) {
                let patches = decode(batch, &limits);
                let diffs = read(&patches, &diffs);
                let joined = join(&patches, &tables, Duration::ZERO);
                let unasked: Vec<_> = joined.iter().map(|_| None).collect();
                black_box(judges.judge(&patches, &diffs, &joined, &unasked));
            }
        })
    };
    let bare = || {
        Pipeline::new(
            Arc::clone(&tables),
            PipelineConfig::default(),
            limits.clone(),
            diffs.clone(),
            risk.clone(),
            || 0,
        )
    };
    code(&world, &tables, |records| {
        let read_too = fastest(|| {
            for batch in records.chunks(BATCH) {
                let patches = decode(batch, &limits);
                black_box(read(&patches, &diffs));
            }
        });
        let batches = batches_of(records);
        let pipeline = bare().with_models(Arc::clone(&models));
        let whole = fastest(|| {
            for batch in &batches {
                black_box(pipeline.handle(batch));
            }
        });
        [
            read_too,
            judged(records, false),
            judged(records, true),
            whole,
        ]
    });
    if std::env::args().any(|argument| argument == "code") {
        return;
    }

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
    let judged_too = judged(&records, false);
    let batches = batches_of(&records);
    let pipeline = bare();
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

    let redis = Redis::start();
    let in_redis = MemoryConfig {
        redis_url: Some(Secret::new(redis.url())),
        ..MemoryConfig::default()
    };
    for (name, config) in [
        ("in process", MemoryConfig::default()),
        ("in Redis", in_redis),
    ] {
        let metrics = MemoryMetrics::register(&Registry::new()).unwrap();
        let key = SecretKeyConfig {
            key: Some(Secret::new("a key for the bench, not for service")),
            key_file: None,
        };
        let memory = ExactMemory::start(&config, &key.load().unwrap(), 1, metrics).unwrap();
        let repeats = Repeats::measure(bare(), Arc::new(memory), &records);
        println!("half repeats, memory {name}: {repeats}");
    }
}

/// Cuts records as the engine does.
fn batches_of(records: &[Record]) -> Vec<Batch> {
    records
        .chunks(BATCH)
        .map(|chunk| Batch {
            topic: Arc::from("patches"),
            partition: 0,
            records: chunk.to_vec(),
        })
        .collect()
}

/// Prints what the first look at code costs, beside as many earlier candidates for its CVE.
fn code(world: &World, tables: &Tables, measure: impl Fn(&[Record]) -> [Duration; 4]) {
    let cve = world
        .apv
        .iter()
        .map(|record| &record.key)
        .find(|key| matches!(tables.apv.get(key), Some(Known::Facts(_))))
        .unwrap();
    let mut random = Random::new(7);
    let records: Vec<Record> = (0..5_000)
        .map(|n| {
            let event = json!({
                "patch_id": format!("p{n}"), "cve_id": cve, "generator": "a tool",
                "diff_content": code_diff(&n.to_string(), 1_000, &mut random),
            });
            Record {
                offset: n,
                value: Some(event.to_string().into_bytes()),
                ..Record::default()
            }
        })
        .collect();
    let bytes: usize = records.iter().map(Record::size_bytes).sum();
    println!("code: {} bytes an event", bytes / records.len());
    let mut extractor = Extractor::default();
    let mut known = 0;
    for precedents in [0, 20, MOST] {
        while known < precedents {
            let diff = code_diff(&format!("earlier {known}"), 1_000, &mut random);
            let digest = sha256_hex(diff.as_bytes());
            let read = extractor.read(&parse(&diff, &DiffLimits::default()).unwrap());
            let event = VerdictEvent {
                cve_id: cve.into(),
                patch_id: format!("e{known}").into(),
                patch_digest: digest.as_str().into(),
                verdict: Some(WargameVerdict::Regression),
                language: read.language.as_str().into(),
                generator: None,
                sketch: read.sketch.to_text().into(),
                source: Source {
                    topic: "patches".into(),
                    partition: 0,
                    offset: 0,
                    timestamp_ms: 0,
                },
            };
            let value = serde_json::to_vec(&event).unwrap();
            tables
                .verdicts
                .apply(Some(verdict_key(cve, &digest).as_bytes()), Some(&value))
                .unwrap();
            known += 1;
        }
        let [read, without, with, whole] = measure(&records);
        let each = |time: Duration| time.as_nanos() / records.len() as u128;
        println!(
            "code, {precedents:>2} earlier candidates: decode and parse {} ns, first look {} ns, both {} ns; \
             route {} ns, whole {} ns",
            each(read),
            each(with - without),
            each(read + (with - without)),
            each(whole.saturating_sub(with)),
            each(whole)
        );
    }
}

/// What memory does on a stream of which half are repeats.
struct Repeats {
    hit_rate: f64,
    hit: Duration,
    miss: Duration,
}

impl Repeats {
    /// Judges each record twice, with others between, and keeps what is judged after each batch, as after
    /// a commit. Then once more, when all of it is known.
    fn measure(pipeline: Pipeline, memory: Arc<ExactMemory>, records: &[Record]) -> Self {
        while memory.ping().is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let pipeline = pipeline.with_memory(Arc::clone(&memory));
        let halves: Vec<&[Record]> = records.chunks(BATCH / 2).collect();
        let batch = |parts: [&[Record]; 2]| {
            let records = parts.concat().into_iter().zip(0..);
            Batch {
                topic: Arc::from("patches"),
                partition: 0,
                records: records
                    .map(|(record, offset)| Record { offset, ..record })
                    .collect(),
            }
        };
        let handle = |batch: &Batch| {
            let began = Instant::now();
            let mut handled = pipeline.handle(batch);
            let took = began.elapsed();
            pipeline.remember(handled.iter_mut().filter_map(|h| h.memo.take()).collect());
            took
        };
        for pair in halves.windows(2) {
            handle(&batch([pair[1], pair[0]]));
            // A commit takes longer than keeping does.
            std::thread::sleep(Duration::from_millis(5));
        }
        let (hits, misses) = (memory.count(Recall::Hit), memory.count(Recall::Miss));
        let each = |time: Duration| time / u32::try_from(records.len()).unwrap();
        let again: Vec<Batch> = halves
            .chunks(2)
            .map(|pair| batch([pair[0], pair.get(1).unwrap_or(&&[][..])]))
            .collect();
        let known = fastest(|| {
            again
                .iter()
                .for_each(|batch| drop(black_box(pipeline.handle(batch))))
        });
        memory.forget(None).unwrap();
        let unknown = fastest(|| {
            again
                .iter()
                .for_each(|batch| drop(black_box(pipeline.handle(batch))))
        });
        Self {
            hit_rate: hits as f64 / (hits + misses) as f64,
            hit: each(known),
            miss: each(unknown),
        }
    }
}

impl std::fmt::Display for Repeats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "hit rate {:.1} %; an event that is known {} ns in all, one that is not {} ns",
            self.hit_rate * 100.0,
            self.hit.as_nanos(),
            self.miss.as_nanos()
        )
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
