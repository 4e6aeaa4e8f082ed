//! A replica that was taken for dead and wakes up, and two that go by one name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::fixture::Cluster;
use crate::stream::{Load, Place, Replica, Stream, in_short, snapshot};

/// How long a replica may take to get its partitions, and to get to its failpoint.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The group gives a place away after 10 s, the coordinator ends an open transaction after 15 s; the
/// rest is for a busy machine.
const HEIR_LIMIT: Duration = Duration::from_secs(60);
/// What the client tells a zombie whose transaction the coordinator ended.
const FENCED: &str =
    "Failed to end transaction: Local: This instance has been fenced by a newer instance";
/// Exit code of a replica whose name is taken.
const INSTANCE_TAKEN: i32 = 73;

/// Starts a replica that freezes itself, and the one that takes its place; the partitions are shared out evenly.
fn zombie_and_heir(stream: &Stream, failpoint: &str) -> (Replica, Replica) {
    let zombie = Replica::start(stream, "zombie", &[("CRISOL_FAILPOINT", failpoint)]);
    let heir = stream.replica("heir");
    let deadline = Instant::now() + START_LIMIT;
    let owns_three = |replica: &Replica| replica.owned(0).is_some_and(|owned| owned.len() == 3);
    while !(owns_three(&zombie) && owns_three(&heir)) {
        let tails = || format!("{}\n{}", zombie.process.log_tail(), heir.process.log_tail());
        assert!(Instant::now() < deadline, "{}", tails());
        std::thread::sleep(Duration::from_millis(20));
    }
    (zombie, heir)
}

fn frozen(replica: &Replica) -> Result<(), String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", replica.process.id()));
    if stat.is_ok_and(|line| line.rsplit(')').next().unwrap_or("").starts_with(" T")) {
        return Ok(());
    }
    Err(format!("it froze\n{}", replica.process.log_tail()))
}

/// Feeds on until the heir owns everything.
fn until_heir_owns_all(load: &mut Load, heir: &Replica) {
    load.run_until(HEIR_LIMIT, || match heir.owned(0) {
        Some(owned) if owned.len() == 6 => Ok(()),
        owned => Err(format!(
            "the heir owns {owned:?}\n{}",
            heir.process.log_tail()
        )),
    });
}

/// Feeds on until the zombie, awake since this point of its log, owns its share again.
fn until_it_rejoined(load: &mut Load, zombie: &Replica, asleep: usize) {
    load.run_until(HEIR_LIMIT, || match zombie.owned(asleep) {
        Some(owned) if owned.len() == 3 => Ok(()),
        _ => Err(format!("it rejoined\n{}", zombie.process.log_tail())),
    });
}

#[test]
fn what_a_replica_frozen_before_its_commit_has_produced_never_counts_and_it_rejoins() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "zombie");
    let (mut zombie, heir) = zombie_and_heir(&stream, "before-commit:freeze:5");
    let partitions = zombie.owned(0).unwrap();
    let mut load = Load::begin(&stream, "zombie", 3);
    load.run_until(START_LIMIT, || frozen(&zombie));
    let froze = Instant::now();
    let of_zombie = |source: &Place| partitions.contains(&source.1);
    // The negative control: its records are at the brokers, and a reader who does not ask for
    // committed ones sees them.
    let visible: BTreeSet<_> = snapshot(&stream, "read_uncommitted")
        .into_iter()
        .filter(|(_, told)| of_zombie(&told.source))
        .map(|(place, _)| place)
        .collect();
    let committed = snapshot(&stream, "read_committed");
    let held: BTreeSet<_> = visible
        .into_iter()
        .filter(|place| !committed.contains_key(place))
        .collect();
    assert!(!held.is_empty(), "nothing was in the frozen transaction");

    until_heir_owns_all(&mut load, &heir);
    let taken = froze.elapsed();
    load.run_until_seen(300, HEIR_LIMIT);
    let (asleep, awake) = (zombie.process.log().len(), Instant::now());
    zombie.process.resume();
    load.run_until(HEIR_LIMIT, || zombie.says("transaction failed", asleep));
    zombie
        .says("step=\"commit\" remedy=Fenced", asleep)
        .unwrap();
    zombie.says(FENCED, asleep).unwrap();
    load.run_until(HEIR_LIMIT, || zombie.says("producer replaced", asleep));
    until_it_rejoined(&mut load, &zombie, asleep);
    let rejoined = awake.elapsed();
    load.run_until_seen(500, HEIR_LIMIT);
    let report = load.end();

    let committed = snapshot(&stream, "read_committed");
    let counted = held.iter().filter(|place| committed.contains_key(place));
    assert_eq!(counted.count(), 0, "records of the zombie count");
    let mut outcomes: BTreeMap<&Place, u32> = BTreeMap::new();
    for told in committed.values() {
        *outcomes.entry(&told.source).or_default() += 1;
    }
    let everything = snapshot(&stream, "read_uncommitted");
    for place in &held {
        let source = &everything[place].source;
        assert_eq!(outcomes.get(source), Some(&1), "{source:?} was not redone");
    }
    println!(
        "{} records in the frozen transaction, place taken after {taken:.1?}, back {rejoined:.1?} after it woke up, {} events: {}",
        held.len(),
        load.fed,
        in_short(&report)
    );
    assert!(report.is_clean(), "{report}");
    zombie.stop();
    heir.stop();
}

#[test]
fn a_transaction_that_never_comes_back_is_left_behind_and_never_counts() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "stuck");
    let mut replica = Replica::start(
        &stream,
        "r0",
        &[("CRISOL_FAILPOINT", "after-send-offsets:hang:5")],
    );
    replica.wait_assigned();
    let mut load = Load::begin(&stream, "stuck", 5);
    load.run_until(HEIR_LIMIT, || {
        replica.says("the client does not come back", 0)
    });
    // Its outputs and offsets are at the brokers: nothing but the new producer's registration ends it.
    load.run_until(HEIR_LIMIT, || {
        replica.says("rewound to committed offsets", 0)
    });
    load.run_until_seen(500, HEIR_LIMIT);
    let report = load.end();
    println!("{} events: {}", load.fed, in_short(&report));
    assert!(report.is_clean(), "{report}");
    replica.stop();
}

#[test]
fn what_a_replica_frozen_before_its_transaction_holds_in_memory_never_counts_and_it_rejoins() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "sleeper");
    // No transaction is open, so nobody fences its producer: only the group can refuse it.
    let (mut zombie, heir) = zombie_and_heir(&stream, "after-judge:freeze:20");
    let mut load = Load::begin(&stream, "sleeper", 4);
    load.run_until(START_LIMIT, || frozen(&zombie));
    until_heir_owns_all(&mut load, &heir);
    load.run_until_seen(300, HEIR_LIMIT);
    let (asleep, awake) = (zombie.process.log().len(), Instant::now());
    zombie.process.resume();
    until_it_rejoined(&mut load, &zombie, asleep);
    let rejoined = awake.elapsed();
    zombie.says("partitions lost", asleep).unwrap();
    load.run_until_seen(500, HEIR_LIMIT);
    let report = load.end();
    // What it hears first is a matter of milliseconds: that the group refuses its offsets, that what a
    // transaction held when it froze was not delivered in time, or that its session is over.
    let refused = zombie
        .says("step=\"send offsets\" remedy=Abort", asleep)
        .is_ok();
    if refused && zombie.says("message(s) timed out", asleep).is_err() {
        zombie.says("Broker: Unknown member", asleep).unwrap();
    }
    println!(
        "offsets refused: {refused}, back {rejoined:.1?} after it woke up, {} events: {}",
        load.fed,
        in_short(&report)
    );
    assert!(report.is_clean(), "{report}");
    zombie.stop();
    heir.stop();
}

#[test]
fn of_two_processes_with_one_instance_id_one_exits_and_says_why_and_the_stream_goes_on() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "twins");
    let mut load = Load::begin(&stream, "twins", 5);
    let mut first = stream.replica("twin");
    let other = stream.replica("other");
    load.run_until_seen(500, START_LIMIT);
    let mut second = stream.replica("twin");
    let since = Instant::now();
    let mut ended = None;
    load.run_until(START_LIMIT, || {
        ended = first.process.ended().or_else(|| second.process.ended());
        ended.map(drop).ok_or_else(|| {
            format!(
                "an exit\n{}\n{}",
                first.process.log_tail(),
                second.process.log_tail()
            )
        })
    });
    let took = since.elapsed();
    let first_ended = first.process.ended().is_some();
    let (gone, stays) = if first_ended {
        (first, second)
    } else {
        (second, first)
    };
    assert_eq!(
        ended.unwrap().code(),
        Some(INSTANCE_TAKEN),
        "{}",
        gone.process.log_tail()
    );
    gone.says("another process runs as instance twin", 0)
        .unwrap();
    gone.says("CRISOL_INSTANCE_ID", 0).unwrap();
    load.run_until_seen(1_000, START_LIMIT);
    let report = load.end();
    let which = if first_ended { "older" } else { "newer" };
    println!(
        "the {which} twin left after {took:.1?}, {} events: {}",
        load.fed,
        in_short(&report)
    );
    assert!(report.is_clean(), "{report}");
    stays.stop();
    other.stop();
}
