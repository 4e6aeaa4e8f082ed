//! Hostile input: every record has one outcome, whatever is in it, and what is good between is unharmed.

mod mutate;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::fixture::{Cluster, Process, guarded};
use crate::oracle::{Account, Generator, Outlet, Random, Sighting, World, sha256};
use crate::stream::{Feeder, PARTITIONS, Place, Replica, Stream, Told, figure, snapshot};
use mutate::mutated;

const LIMIT: Duration = Duration::from_secs(240);
/// Mutated events, and as many good ones between them.
const EVENTS: usize = 10_000;
/// What good and mutated events of the same CVE would otherwise do to each other: the mutated ones are of
/// a world of their own, with the same facts.
const GOOD: &str = "CVE-2031-";
const MUTATED: &str = "CVE-2099-";

/// Returns the value with each CVE moved to the world of the mutated.
fn moved(value: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else {
        return value.to_vec();
    };
    text.replace(GOOD, MUTATED).into_bytes()
}

/// An input record: its nonce and its value.
type Input = (String, Option<Vec<u8>>);

/// Every record of `patches`, by its place.
fn inputs(stream: &Stream) -> BTreeMap<Place, Input> {
    let topic = stream.topic("patches");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", stream.bootstrap())
        .set("group.id", format!("{}inputs", stream.group()))
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    let mut left = 0;
    for partition in 0..PARTITIONS {
        assignment
            .add_partition_offset(&topic, partition, Offset::Beginning)
            .unwrap();
        let (low, high) = consumer
            .fetch_watermarks(&topic, partition, Duration::from_secs(20))
            .unwrap();
        left += high - low;
    }
    consumer.assign(&assignment).unwrap();
    let mut found = BTreeMap::new();
    let deadline = Instant::now() + LIMIT;
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} inputs are missing");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        left -= 1;
        let nonce = message
            .headers()
            .and_then(|headers| headers.iter().find(|header| header.key == "x-nonce"))
            .and_then(|header| {
                header
                    .value
                    .map(|v| String::from_utf8_lossy(v).into_owned())
            });
        found.insert(
            (topic.clone(), message.partition(), message.offset()),
            (
                nonce.unwrap_or_default(),
                message.payload().map(<[u8]>::to_vec),
            ),
        );
    }
    found
}

/// Waits until each of `count` inputs has an outcome, and returns them by the place of the input.
fn outcomes(stream: &Stream, count: usize) -> BTreeMap<Place, (Place, Told)> {
    let deadline = Instant::now() + LIMIT;
    let told = loop {
        let told = snapshot(stream, "read_committed");
        if told.len() >= count {
            break told;
        }
        assert!(Instant::now() < deadline, "{} of {count}", told.len());
        std::thread::sleep(Duration::from_millis(500));
    };
    let mut by_source = BTreeMap::new();
    for (place, one) in told {
        let source = one.source.clone();
        let other = by_source.insert(source.clone(), (place, one));
        assert!(other.is_none(), "{source:?} has two outcomes");
    }
    by_source
}

fn header<'t>(told: &'t Told, name: &str) -> &'t str {
    told.headers
        .iter()
        .find(|(known, _)| known == name)
        .and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
        .unwrap_or_default()
}

#[test]
fn ten_thousand_mutated_events_each_have_one_outcome_and_good_ones_between_them_are_unharmed() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "hostile");
    let world = World::generate(51, 200);
    stream.publish(&world);
    let feeder = stream.feeder();
    for record in &world.apv {
        let value = record.value.as_deref().map(moved);
        let key = record.key.replace(GOOD, MUTATED);
        feeder.send(
            &stream.topic("apv"),
            Some(key.as_bytes()),
            value.as_deref(),
            &[],
        );
    }
    let mut good = Generator::new(&world, "good", 52);
    let mut victims = Generator::new(&world, "mutated", 53);
    let mut random = Random::new(54);
    let mut expected = Vec::with_capacity(EVENTS);
    let mut last = Vec::new();
    for number in 0..EVENTS {
        let victim = victims.next_event();
        let value = moved(victim.value.as_deref().unwrap_or_default());
        let damaged = mutated(&value, &last, &mut random);
        last = value;
        let nonce = format!("mutated-{number}").into_bytes();
        feeder.send(
            &stream.topic("patches"),
            victim.key.as_deref(),
            Some(&damaged),
            &[("x-nonce".to_owned(), Some(nonce))],
        );
        let event = good.next_event();
        feeder.feed(&event);
        expected.push(event.expected);
    }
    feeder.flush();

    let mut replica = stream.replica("r0");
    let inputs = inputs(&stream);
    assert_eq!(inputs.len(), 2 * EVENTS);
    let outcomes = outcomes(&stream, inputs.len());
    let mut account = Account::new(&expected);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for (source, (nonce, value)) in &inputs {
        let (place, told) = outcomes
            .get(source)
            .unwrap_or_else(|| panic!("{nonce} at {source:?} has no outcome"));
        if !nonce.starts_with("mutated-") {
            account.see(&Sighting {
                outlet: told.outlet,
                partition: place.1,
                key: told.key.as_deref(),
                value: told.value.as_deref(),
                headers: &told.headers,
            });
            continue;
        }
        let reason = match told.outlet {
            Outlet::Dlq => header(told, "crisol_dlq_reason").to_owned(),
            Outlet::Decisions | Outlet::Hitl => {
                let event: serde_json::Value =
                    serde_json::from_slice(told.value.as_deref().unwrap()).unwrap();
                event["reason"].as_str().unwrap().to_owned()
            }
        };
        if told.outlet == Outlet::Dlq {
            assert_eq!(&told.value, value, "{nonce} is not as it came");
            let digest = sha256(value.as_deref().unwrap_or_default());
            assert_eq!(header(told, "crisol_dlq_digest"), digest, "{nonce}");
            let message = header(told, "crisol_dlq_message");
            assert!(
                !message.is_empty() && message.bytes().all(|b| (b' '..=b'~').contains(&b)),
                "{nonce}: {message:?}"
            );
        }
        *reasons.entry(reason).or_default() += 1;
    }
    let verdict = account.verdict();
    assert!(verdict.is_clean(), "{verdict}");
    for never in ["panicked", "crashed"] {
        assert!(!reasons.contains_key(never), "{reasons:?}");
    }
    // The mutations reach every gate, and some events survive theirs.
    for gate in [
        "invalid_utf8",
        "invalid_json",
        "schema_violation",
        "diff_invalid",
        "limit_exceeded",
    ] {
        assert!(
            reasons.get(gate).is_some_and(|count| *count > 20),
            "{reasons:?}"
        );
    }
    let log = replica.process.log();
    assert!(!log.contains("panicked"), "{}", replica.process.log_tail());
    assert!(
        log.bytes()
            .all(|b| b == b'\n' || (b' '..=b'~').contains(&b) || b >= 0x80),
        "control characters in the log"
    );
    let address = replica.http();
    for partition in 0..PARTITIONS {
        let halted =
            format!(r#"crisol_partition_halted{{partition="{partition}",role="validate"}}"#);
        assert_eq!(figure(&address, &halted), 0.0);
    }
    println!("{EVENTS} mutated: {reasons:?}");
    replica.stop();
}

/// Starts a replica that may hold no more than so much data, in MiB.
fn confined(stream: &Stream, instance: &str, mib: usize) -> Process {
    let mut command = guarded("sh");
    let script = format!(
        "ulimit -d {} && exec \"$0\" run --role validate",
        mib * 1_024
    );
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_crisol")])
        .envs(stream.environment(instance));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replicas");
    std::fs::create_dir_all(&directory).unwrap();
    let log = directory.join(format!("{}-confined-{instance}.log", std::process::id()));
    Process::spawn(command, &log)
}

/// The most memory that a process has held, in MiB.
fn peak_mib(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: usize = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1_024
}

#[test]
fn records_past_every_limit_and_gzip_bombs_are_letters_within_a_memory_limit_and_the_partition_moves_on()
 {
    /// What `docs/operations.md` asks for.
    const ENOUGH_MIB: usize = 2_048;
    /// Inflated; half of a MiB on the wire.
    const BOMB_BYTES: usize = 512 * 1_024 * 1_024;
    let stream = Stream::create(Cluster::shared().bootstrap(), "bomb");
    let feeder = Feeder::with(
        &stream,
        &[
            ("compression.type", "gzip"),
            ("message.max.bytes", "1000000000"),
        ],
    );
    let patches = stream.topic("patches");
    let good = |n: usize, key: &str| {
        format!(
            r#"{{"patch_id":"after-{n}","cve_id":"{key}","diff_content":"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b{n}\n"}}"#
        )
    };
    let bomb = vec![b'0'; BOMB_BYTES];
    let ten_mb = vec![b' '; 10_000_000];
    let mut expected: HashMap<String, usize> = HashMap::new();
    for (n, key) in ["CVE-2020-1", "CVE-2020-2", "CVE-2020-3"]
        .into_iter()
        .enumerate()
    {
        for (value, bytes) in [(&bomb, BOMB_BYTES), (&ten_mb, ten_mb.len())] {
            feeder.send(&patches, Some(key.as_bytes()), Some(value), &[]);
            feeder.flush();
            *expected.entry(sha256(value)).or_default() += 1;
            assert_eq!(value.len(), bytes);
        }
        feeder.send(
            &patches,
            Some(key.as_bytes()),
            Some(good(n, key).as_bytes()),
            &[],
        );
        feeder.flush();
    }
    // A key and a header of 5 MB each.
    let long = vec![b'k'; 5_000_000];
    feeder.send(
        &patches,
        Some(&long),
        Some(good(8, "CVE-2020-1").as_bytes()),
        &[],
    );
    let huge = [("x-huge".to_owned(), Some(long.clone()))];
    feeder.send(
        &patches,
        Some(b"CVE-2020-1"),
        Some(good(9, "CVE-2020-1").as_bytes()),
        &huge,
    );
    feeder.flush();

    let mut replica = confined(&stream, "r0", ENOUGH_MIB);
    let outcomes = outcomes(&stream, 11);
    let mut letters = 0;
    for (_, told) in outcomes.values() {
        if told.outlet != Outlet::Dlq {
            continue;
        }
        letters += 1;
        assert_eq!(header(told, "crisol_dlq_reason"), "limit_exceeded");
        assert_eq!(told.value, None);
        if let Some(count) = expected.get_mut(header(told, "crisol_dlq_digest")) {
            *count -= 1;
        }
    }
    assert_eq!(letters, 8);
    assert!(expected.values().all(|count| *count == 0), "{expected:?}");
    println!("peak {} MiB", peak_mib(&replica));
    assert!(replica.terminate(Duration::from_secs(30)).success());

    // The other way round: what does not fit ends the process, so the limit above did limit something.
    let starved = Stream::create(Cluster::shared().bootstrap(), "bomb-starved");
    let feeder = Feeder::with(
        &starved,
        &[
            ("compression.type", "gzip"),
            ("message.max.bytes", "1000000000"),
        ],
    );
    feeder.send(&starved.topic("patches"), Some(b"k"), Some(&bomb), &[]);
    feeder.flush();
    let mut replica = confined(&starved, "r1", 384);
    let ended = replica.wait(Duration::from_secs(60));
    assert!(
        ended.is_none_or(|status| !status.success()),
        "{ended:?}\n{}",
        replica.log_tail()
    );
    assert!(snapshot(&starved, "read_committed").is_empty());
}

#[test]
fn an_id_of_glob_characters_forgets_nothing_else() {
    // A name that Redis or a shell could take for a pattern is refused before it is one.
    let stream = Stream::create(Cluster::shared().bootstrap(), "globs");
    let feeder = stream.feeder();
    for id in [
        "CVE-*",
        "CVE-2020-[0-9]",
        "*",
        "?",
        "CVE-2020-1\\u0000",
        "CVE-2020-1\\u001b[2J",
    ] {
        let value = format!(
            r#"{{"patch_id":"p","cve_id":"{id}","diff_content":"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"}}"#
        );
        feeder.send(&stream.topic("patches"), None, Some(value.as_bytes()), &[]);
    }
    feeder.flush();
    let replica: Replica = stream.replica("r0");
    for (_, told) in outcomes(&stream, 6).values() {
        assert_eq!(told.outlet, Outlet::Dlq);
        assert_eq!(header(told, "crisol_dlq_reason"), "schema_violation");
        assert!(
            header(told, "crisol_dlq_message").starts_with("cve_id"),
            "{told:?}"
        );
    }
    replica.stop();
}
