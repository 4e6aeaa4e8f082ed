//! The stream beside a Redis that knows, lies, hangs and goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crisol::config::{Secret, SecretKeyConfig};
use crisol::event::decision::{JudgeName, JudgementRecord, RiskLevel, RiskRecord};
use crisol::memory::{ExactMemory, First, MemoryConfig, MemoryMetrics, Remembered};
use prometheus::Registry;
use serde_json::Value;

use crate::fixture::{Cluster, Redis};
use crate::oracle::{Event, Generator, World};
use crate::stream::{Load, Place, Replica, Stream, Told, figure, snapshot};

const LIMIT: Duration = Duration::from_secs(60);
const OPEN: &str = "crisol_breaker_standing{breaker=\"cache\",standing=\"open\"}";
const CLOSED: &str = "crisol_breaker_standing{breaker=\"cache\",standing=\"closed\"}";

fn recalls(address: &str, result: &str) -> f64 {
    figure(
        address,
        &format!("crisol_memory_recalls_total{{result=\"{result}\"}}"),
    )
}

fn with_redis(stream: &Stream, redis: &Redis) -> Replica {
    Replica::start(
        stream,
        "r0",
        &[
            ("REDIS_URL", &redis.url()),
            ("CRISOL_MEMORY_BREAKER_RECOVERY_MS", "1000"),
        ],
    )
}

/// Feeds the events and returns what is told of them, by input record.
fn pass(stream: &Stream, events: &[Event], before: usize) -> BTreeMap<Place, Told> {
    let feeder = stream.feeder();
    for event in events {
        feeder.feed(event);
    }
    feeder.flush();
    let began = Instant::now();
    loop {
        let told = snapshot(stream, "read_committed");
        if told.len() >= before + events.len() {
            let by_source = told.into_values().map(|told| (told.source.clone(), told));
            return by_source.collect();
        }
        assert!(
            began.elapsed() < LIMIT,
            "{} of {}",
            told.len(),
            before + events.len()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn value(told: &Told) -> Value {
    serde_json::from_slice(told.value.as_deref().unwrap()).unwrap()
}

/// What a person or a consumer acts on: the patch, the outcome and why.
fn outcome(told: &Told) -> (String, String) {
    let event = value(told);
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    (text("decision_id"), text("reason"))
}

/// Waits until what the last pass taught has arrived.
fn until_learned(redis: &Redis, least: usize) -> Vec<String> {
    let began = Instant::now();
    let mut last = 0;
    loop {
        let keys = redis.keys();
        if keys.len() >= least && keys.len() == last {
            return keys;
        }
        last = keys.len();
        assert!(began.elapsed() < LIMIT, "{last} keys");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// A value for `key` that says "remedies", sealed by somebody who does not have the stream's key.
fn sealed_by_another(key: &str) -> Vec<u8> {
    let metrics = MemoryMetrics::register(&Registry::new()).unwrap();
    let theirs = SecretKeyConfig {
        key: Some(Secret::new("another key, just as long as ours")),
        key_file: None,
    }
    .load()
    .unwrap();
    let memory = ExactMemory::start(&MemoryConfig::default(), &theirs, 1, metrics).unwrap();
    let lie = Remembered {
        judgement: JudgementRecord {
            forest: None,
            judge: JudgeName::Advisory,
            version: 1,
            p: None,
            finding: Some("remedies".into()),
            detail: None,
            level: Some("patch".into()),
            evidence: None,
            bumps: Vec::new(),
            basis: None,
        },
        risk: RiskRecord {
            level: RiskLevel::Low,
            factors: Vec::new(),
        },
        first: First {
            topic: "patches".into(),
            partition: 0,
            offset: 0,
        },
    };
    memory.memo(key.to_owned(), &lie).value
}

#[test]
fn repeats_are_found_and_marked_and_nothing_that_others_write_there_changes_an_outcome() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "recall");
    let redis = Redis::start();
    let world = World::generate(21, 60);
    stream.publish(&world);
    let events: Vec<Event> = Generator::new(&world, "recall", 21)
        .filter(|event| event.expected.disposition != crate::oracle::Disposition::Dead)
        .take(400)
        .collect();
    let mut replica = with_redis(&stream, &redis);
    let address = replica.http();
    replica.wait_assigned();
    let first = pass(&stream, &events, 0);
    assert_eq!(recalls(&address, "hit"), 0.0);
    let keys = until_learned(&redis, 200);

    // The same once more: what memory knows is marked with the record whose outcome stands.
    let all = pass(&stream, &events, events.len());
    let hits = recalls(&address, "hit");
    let mut marks = 0;
    for (source, told) in &all {
        let repeat = &value(told)["repeat"];
        if repeat.is_null() {
            continue;
        }
        marks += 1;
        assert!(!first.contains_key(source), "the first is no repeat");
        let partition = i32::try_from(repeat["partition"].as_i64().unwrap()).unwrap();
        let place = (
            source.0.clone(),
            partition,
            repeat["offset"].as_i64().unwrap(),
        );
        assert_eq!(outcome(&first[&place]).0, outcome(told).0);
    }
    println!(
        "{} keys, {hits} hits, {marks} marks of {} events",
        keys.len(),
        events.len()
    );
    assert!(
        marks >= 200 && f64::from(marks) == hits,
        "{marks} marks, {hits} hits"
    );

    // Garbage, another type, a whole value from under another key, and a forged one.
    for (at, key) in keys.iter().enumerate() {
        let bytes = key.as_bytes();
        let other = keys[(at + 1) % keys.len()].as_bytes();
        match at % 4 {
            0 => drop(redis.ask(&[b"SET", bytes, b"garbage"])),
            1 => drop((
                redis.ask(&[b"DEL", bytes]),
                redis.ask(&[b"LPUSH", bytes, b"x"]),
            )),
            2 => drop(redis.ask(&[b"COPY", other, bytes, b"REPLACE"])),
            _ => drop(redis.ask(&[b"SET", bytes, &sealed_by_another(key)])),
        }
    }
    let third = pass(&stream, &events, 2 * events.len());
    let forged = recalls(&address, "forged");
    assert!(forged >= 120.0, "{forged}");
    let second: BTreeMap<String, String> = all
        .iter()
        .filter(|(source, _)| !first.contains_key(*source))
        .map(|(_, told)| outcome(told))
        .collect();
    let mut compared = 0;
    for (source, told) in &third {
        if all.contains_key(source) {
            continue;
        }
        let (id, reason) = outcome(told);
        assert_eq!(second[&id], reason, "{id}");
        compared += 1;
    }
    assert_eq!(compared, events.len());
    replica.stop();
}

#[test]
fn a_redis_that_stops_hangs_and_comes_back_empty_costs_no_event_and_the_breaker_tells() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "away");
    let mut redis = Redis::start();
    let mut load = Load::begin(&stream, "away", 22);
    let mut replica = with_redis(&stream, &redis);
    let address = replica.http();
    let reaches = |name: &'static str| {
        let address = address.clone();
        move || match figure(&address, name) {
            1.0 => Ok(()),
            value => Err(format!("{name} is {value}")),
        }
    };
    load.run_until_seen(500, LIMIT);
    reaches(CLOSED)().unwrap();
    for _ in 0..2 {
        redis.pause();
        load.run_until(LIMIT, reaches(OPEN));
        load.run_until_seen(400, LIMIT);
        redis.resume();
        load.run_until(LIMIT, reaches(CLOSED));
        redis.stop();
        load.run_until(LIMIT, reaches(OPEN));
        load.run_until_seen(400, LIMIT);
        redis.launch();
        load.run_until(LIMIT, reaches(CLOSED));
        load.run_until_seen(400, LIMIT);
    }
    let report = load.end();
    println!(
        "{} events, breaker opened {}, recalls: {} missed, {} failed, {} skipped",
        load.fed,
        figure(&address, "crisol_breaker_opened{breaker=\"cache\"}"),
        recalls(&address, "miss"),
        recalls(&address, "failed"),
        recalls(&address, "skipped"),
    );
    assert!(report.is_clean(), "{report}");
    assert!(recalls(&address, "failed") > 0.0 && recalls(&address, "skipped") > 0.0);
    assert!(figure(&address, "crisol_breaker_opened{breaker=\"cache\"}") >= 4.0);
    until_learned(&redis, 1);
    replica.stop();
}

#[test]
fn a_replica_that_never_meets_its_redis_works_without() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "alone");
    let mut redis = Redis::start();
    redis.stop();
    let mut load = Load::begin(&stream, "alone", 23);
    let replica = with_redis(&stream, &redis);
    load.run_until_seen(500, LIMIT);
    let report = load.end();
    assert!(report.is_clean(), "{report}");
    replica
        .says("cannot reach redis; going on without", 0)
        .unwrap();
    replica.stop();
}
