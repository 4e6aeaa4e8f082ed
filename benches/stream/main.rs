//! Throughput and latency of the service beside a bare pass-through, on one broker in one run.
//!
//! `make bench` runs it. Machines are noisy, so the figure to quote is the ratio of medians; the two
//! run in turn. `CRISOL_BENCH_EVENTS`, `CRISOL_BENCH_ROUNDS` and `CRISOL_BENCH_WARM_UP` (seconds) change
//! the size, `CRISOL_BENCH_BATCH` the bytes in a batch of the producer's.
//! With `CRISOL_BENCH_CODE=1` all of it is code, which the forest judges.
//! With `CRISOL_BENCH_SOAK=30` it watches the memory of the service for 30 minutes instead.

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

#[path = "../../tests/claims/fixture/mod.rs"]
mod fixture;
#[path = "../../tests/claims/oracle/mod.rs"]
mod oracle;
#[path = "../../tests/claims/stream/mod.rs"]
mod stream;

mod latency;
mod passthrough;
mod service;
mod soak;

use std::time::{Duration, Instant};

use crate::fixture::{Cluster, Redis};
use crate::oracle::{Event, Generator, Kind, World};
use crate::stream::{Feeder, Stream};

/// Events in one round.
const EVENTS: usize = 600_000;
/// Rounds of each that count; their median is the figure.
const ROUNDS: usize = 3;
/// Rounds that begin within this time do not count: the broker still compiles what it does most, on the
/// cores it shares. Seconds.
const WARM_UP_S: usize = 120;
/// Bytes in a batch of the producer's, before compression: what aiokafka (`max_batch_size`) and the Java
/// client (`batch.size`) send by default. Left to itself librdkafka sends up to 1,000,000, by chance.
const BATCH: usize = 16_384;
/// CVEs in the world.
const CVES: usize = 400;

fn main() {
    // Cargo passes `--bench` and filters; there is one benchmark.
    let events = number("CRISOL_BENCH_EVENTS", EVENTS);
    let rounds = number("CRISOL_BENCH_ROUNDS", ROUNDS);
    let warm_up = Duration::from_secs(number("CRISOL_BENCH_WARM_UP", WARM_UP_S) as u64);
    let cluster = Cluster::start(1);
    if let Ok(minutes) = std::env::var("CRISOL_BENCH_SOAK") {
        println!("{}", soak::measure(&cluster, minutes.parse().unwrap()));
        return;
    }
    let stream = Stream::create(cluster.bootstrap(), "bench");
    let mut redis = Redis::start();
    let world = World::generate(7, CVES);
    stream.publish(&world);
    let is_code = std::env::var_os("CRISOL_BENCH_CODE").is_some();
    let bytes = feed(&stream, &world, events, is_code);
    println!(
        "{events} events, {:.0} bytes each",
        bytes as f64 / events as f64
    );

    let mut bare = Vec::new();
    let mut alone = Vec::new();
    let mut beside = Vec::new();
    let began = Instant::now();
    for round in 1.. {
        let counts = began.elapsed() >= warm_up;
        let reference = passthrough::measure(&stream, events, round);
        let unaided = service::measure(&stream, None, is_code, events, round);
        let in_redis = service::measure(&stream, Some(&redis), is_code, events, round);
        println!(
            "round {round}{}: pass-through {reference:.0}/s",
            if counts { "" } else { ", warming up" },
        );
        for (memory, measured) in [("none", &unaided), ("in Redis", &in_redis)] {
            let (rate, note) = (measured.rate, &measured.note);
            println!("    crisol, memory {memory}: {rate:.0}/s ({note})");
        }
        if counts {
            bare.push(reference);
            alone.push(unaided.rate);
            beside.push(in_redis.rate);
        }
        if bare.len() == rounds {
            break;
        }
    }
    let bare = median(bare);
    println!("median: pass-through {bare:.0}/s");
    let [rate, beside] = [("none", alone), ("in Redis", beside)].map(|(memory, rates)| {
        let rate = median(rates);
        println!(
            "median: crisol, memory {memory}: {rate:.0}/s, ratio {:.2}",
            rate / bare
        );
        rate
    });

    if is_code {
        return;
    }
    // The same rate for all three, so that they can be compared.
    let half = rate.min(beside) / 2.0;
    let alone = latency::measure(&cluster, None, half);
    println!("without Redis: {alone}");
    let beside = latency::measure(&cluster, Some(&redis.url()), half);
    println!("with Redis: {beside}");
    redis.pause();
    let hanging = latency::measure(&cluster, Some(&redis.url()), half);
    println!("with a Redis that hangs: {hanging}");
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Returns the middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Sleeps until it is the turn of the `nth` event at this rate, events a second.
pub fn wait_for_turn(began: Instant, nth: usize, rate: f64) {
    let due = began + Duration::from_secs_f64(nth as f64 / rate);
    if let Some(wait) = due.checked_duration_since(Instant::now()) {
        std::thread::sleep(wait);
    }
}

/// Bumps and code whose CVE is known, as the issue of speed says.
pub fn known(event: &Event) -> bool {
    let reason = event.expected.reason;
    !reason.starts_with("apv_") && event.expected.disposition != oracle::Disposition::Dead
}

fn feed(stream: &Stream, world: &World, events: usize, is_code: bool) -> usize {
    let feeder = Feeder::batching(stream, number("CRISOL_BENCH_BATCH", BATCH));
    let mut bytes = 0;
    let wanted = |event: &Event| known(event) && (!is_code || event.expected.kind == Kind::Code);
    for event in Generator::new(world, "bench", 7)
        .filter(wanted)
        .take(events)
    {
        bytes += event.value.as_ref().map_or(0, Vec::len);
        feeder.feed(&event);
    }
    feeder.flush();
    bytes
}
