//! The sample for A/B comparisons: as large as it was told to be, the same each time, and known to
//! nobody without the key.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::fixture::Cluster;
use crate::oracle::{Disposition, Event, Generator, World};
use crate::stream::{Replica, Stream, figure, snapshot};

const LIMIT: Duration = Duration::from_secs(60);
const KEY: &str = "a key for the sample of this claim";

fn hmac(key: &[u8], part: &[u8]) -> [u8; 32] {
    let mut hmac: Hmac<Sha256> = Hmac::new_from_slice(key).unwrap();
    hmac.update(&(part.len() as u64).to_le_bytes());
    hmac.update(part);
    hmac.finalize().into_bytes().into()
}

/// The sample, computed a second time from what the documents say of it.
fn sampled(decision_id: &str, rate: f64) -> bool {
    let derived = hmac(KEY.as_bytes(), b"crisol/ab-sampling/1");
    let id: Vec<u8> = decision_id
        .bytes()
        .filter(|byte| *byte != b'-')
        .collect::<Vec<u8>>()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let hash = hmac(&derived, &id);
    let head = u64::from_le_bytes(hash[..8].try_into().unwrap());
    ((head >> 11) as f64) < rate * 9_007_199_254_740_992.0
}

/// The marks by question, once so many events were told of.
fn marks(stream: &Stream, count: usize) -> BTreeMap<String, Vec<bool>> {
    let began = Instant::now();
    loop {
        let told = snapshot(stream, "read_committed");
        if told.len() >= count {
            let mut marks: BTreeMap<String, Vec<bool>> = BTreeMap::new();
            for one in told.values() {
                let event: Value = serde_json::from_slice(one.value.as_deref().unwrap()).unwrap();
                let id = event["decision_id"].as_str().unwrap().to_owned();
                let mark = event["facts"]["policy"]["ab_sampled"].as_bool().unwrap();
                marks.entry(id).or_default().push(mark);
            }
            return marks;
        }
        assert!(began.elapsed() < LIMIT, "{} of {count}", told.len());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn feed(stream: &Stream, events: &[Event]) {
    let feeder = stream.feeder();
    for event in events {
        feeder.feed(event);
    }
    feeder.flush();
}

#[test]
fn the_sample_is_what_the_keyed_hash_says_each_time_and_control_sets_its_size() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "ab");
    let world = World::generate(41, 60);
    stream.publish(&world);
    let events: Vec<Event> = Generator::new(&world, "ab", 41)
        .filter(|event| event.expected.disposition != Disposition::Dead)
        .take(600)
        .collect();
    let status: Value =
        serde_json::from_str(&stream.crisol(&["ab", "enable", "--rate", "0.3", "--json"])).unwrap();
    assert_eq!(
        (&status["enabled"], &status["rate"]),
        (&true.into(), &0.3.into())
    );
    let mut replica = Replica::start(&stream, "r0", &[("CRISOL_SECRET_KEY", KEY)]);
    let address = replica.http();
    replica.wait_assigned();
    feed(&stream, &events);
    let first = marks(&stream, 600);
    let share = first.values().filter(|marks| marks[0]).count() as f64 / first.len() as f64;
    // Five standard deviations of 600 draws at 0.3.
    assert!((share - 0.3).abs() < 0.095, "{share}");
    for (id, marks) in &first {
        assert!(marks.iter().all(|mark| *mark == sampled(id, 0.3)), "{id}");
    }
    assert_eq!(
        figure(&address, "crisol_ab_sampled_total{role=\"validate\"}"),
        share * first.len() as f64
    );

    // The same questions again: the same sample. A smaller rate: part of it.
    feed(&stream, &events);
    for (id, marks) in marks(&stream, 1_200) {
        assert!(marks.len() == 2 && marks[0] == marks[1], "{id}: {marks:?}");
    }
    // What is sampled is not remembered.
    let hits = figure(&address, "crisol_memory_recalls_total{result=\"hit\"}");
    assert!(
        hits > 100.0 && hits <= 600.0 * (1.0 - share),
        "{hits} hits, {share} sampled"
    );

    stream.crisol(&["ab", "disable"]);
    std::thread::sleep(Duration::from_secs(2));
    feed(&stream, &events);
    let off = marks(&stream, 1_800);
    for (id, marks) in &off {
        let on = marks.iter().filter(|mark| **mark).count();
        assert!(on == 2 * usize::from(first[id][0]), "{id}: {marks:?}");
    }
    replica.stop();
}

#[test]
fn a_rate_that_is_no_share_is_refused() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "rate");
    let mut command = crate::stream::crisol();
    command
        .args(["ab", "enable", "--rate", "1.5"])
        .envs(stream.environment("tool"));
    let output = crate::fixture::run(command, b"", LIMIT);
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("ab_rate: takes a share from 0 to 1"),
        "{told}"
    );
}
