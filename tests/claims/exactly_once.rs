//! Exactly once, on a real broker, whatever dies when.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::fixture::Cluster;
use crate::oracle::Disposition;
use crate::stream::{Load, Replica, Stream};

/// The steps at which a replica kills itself, in turn; an empty one is killed from outside at some
/// moment. At more than half of them a transaction is open.
const DEATHS: [&str; 12] = [
    "after-produce",
    "after-poll",
    "before-commit",
    "",
    "after-send-offsets",
    "after-judge",
    "after-produce",
    "after-commit",
    "before-commit",
    "",
    "after-send-offsets",
    "before-commit",
];
/// Steps between begin and commit.
const OPEN: [&str; 3] = ["after-produce", "after-send-offsets", "before-commit"];
/// How long a replica may take to die at its step.
const DEATH_LIMIT: Duration = Duration::from_secs(60);

/// Kills in this run: 12, or as many as `CRISOL_KILLS` says in the long form.
fn kills() -> usize {
    std::env::var("CRISOL_KILLS").map_or(12, |text| text.parse().unwrap())
}

fn start(stream: &Stream, instance: &str, death: &str, nth: usize) -> Replica {
    if death.is_empty() {
        return stream.replica(instance);
    }
    let failpoint = format!("{death}:kill:{nth}");
    Replica::start(stream, instance, &[("CRISOL_FAILPOINT", &failpoint)])
}

#[test]
fn every_event_has_exactly_one_outcome_though_replicas_are_killed_at_every_step() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "kills");
    let mut load = Load::begin(&stream, "kills", 1);
    let kills = kills();
    let death_of = |n: usize| DEATHS[n % DEATHS.len()];
    // The hit at which it dies differs from life to life; never the first, so that it got somewhere.
    let nth_of = |n: usize| 4 + n * 5 % 7;
    let mut lives = [
        (start(&stream, "r0", death_of(0), nth_of(0)), 0),
        (start(&stream, "r1", death_of(1), nth_of(1)), 1),
    ];
    let mut open_at_death = 0;
    for n in 0..kills {
        let (replica, death) = &mut lives[n % 2];
        if death_of(*death).is_empty() {
            load.run_until_seen(300, DEATH_LIMIT);
            load.run_for(Duration::from_millis(37 * (n as u64 % 11)));
            replica.process.kill();
        } else {
            let deadline = Instant::now() + DEATH_LIMIT;
            while replica.process.ended().is_none() {
                assert!(
                    Instant::now() < deadline,
                    "no death at {}\n{}",
                    death_of(*death),
                    replica.process.log_tail()
                );
                load.step();
            }
        }
        let status = replica.process.wait(Duration::from_secs(10)).unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "{}\n{}",
            death_of(*death),
            replica.process.log_tail()
        );
        assert!(load.reader.account.outstanding() > 0, "kill {n} met no lag");
        open_at_death += usize::from(OPEN.contains(&death_of(*death)));
        // The other replica's next death was fixed when it was started.
        let next = n + 2;
        let failpoint = if next < kills { death_of(next) } else { "" };
        lives[n % 2] = (
            start(&stream, &format!("r{}", n % 2), failpoint, nth_of(next)),
            next,
        );
    }
    assert!(
        open_at_death * 2 >= kills,
        "{open_at_death} of {kills} kills met an open transaction"
    );
    let report = load.end();
    println!(
        "{kills} kills, {open_at_death} in an open transaction, {} events\n{report}",
        load.fed
    );
    assert!(report.is_clean(), "{report}");
    for disposition in [Disposition::Decided, Disposition::Queued, Disposition::Dead] {
        let of_it = report.split.iter().filter(|((d, _), _)| *d == disposition);
        let count: usize = of_it.map(|(_, count)| count).sum();
        assert!(
            count * 10 >= report.expected,
            "less than a tenth is {disposition:?}\n{report}"
        );
    }
    for (replica, _) in lives {
        replica.stop();
    }
}

/// The negative control: offsets that are committed outside the transaction lose what the kill
/// aborts, and the account says so.
#[test]
fn offsets_outside_the_transaction_are_found_out() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "outside");
    let mut load = Load::begin(&stream, "outside", 2);
    let failpoint = "offsets-outside-transaction,before-commit:kill:4";
    let mut replica = Replica::start(&stream, "r0", &[("CRISOL_FAILPOINT", failpoint)]);
    let deadline = Instant::now() + DEATH_LIMIT;
    while replica.process.ended().is_none() {
        assert!(Instant::now() < deadline, "{}", replica.process.log_tail());
        load.step();
    }
    let heir = stream.replica("r0");
    load.run_for(Duration::from_secs(2));
    load.feeder.flush();
    let patience = Instant::now() + Duration::from_secs(20);
    while load.reader.account.outstanding() > 0 && Instant::now() < patience {
        load.reader.read_for(Duration::from_millis(200));
    }
    let report = load.reader.account.verdict();
    heir.stop();
    println!("{report}");
    assert!(!report.is_clean(), "the proof cannot fail: {report}");
    assert!(!report.lost.is_empty(), "{report}");
}
