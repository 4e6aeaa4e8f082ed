//! Exactly once, on a real broker, whatever dies when.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
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

/// A replica, and the death that is planned for it.
struct Life {
    replica: Replica,
    death: &'static str,
    /// Once this file exists, it heads for its death.
    doom: PathBuf,
}

impl Life {
    /// Starts the `n`th life of `kills`; those past the last go on living.
    fn start(stream: &Stream, n: usize, kills: usize) -> Self {
        let death = if n < kills {
            DEATHS[n % DEATHS.len()]
        } else {
            ""
        };
        let doom =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("doom-{}-{n}", std::process::id()));
        let instance = format!("r{}", n % 2);
        let replica = if death.is_empty() {
            stream.replica(&instance)
        } else {
            // The hit at which it dies differs from life to life.
            let nth = 1 + n * 5 % 7;
            let failpoint = format!("{death}:kill:{nth},once:{}", doom.display());
            Replica::start(stream, &instance, &[("CRISOL_FAILPOINT", &failpoint)])
        };
        Self {
            replica,
            death,
            doom,
        }
    }

    fn die(&mut self, n: usize, load: &mut Load) {
        if self.death.is_empty() {
            load.run_until_seen(300, DEATH_LIMIT);
            load.run_for(Duration::from_millis(37 * (n as u64 % 11)));
            self.replica.process.kill();
        }
        let deadline = Instant::now() + DEATH_LIMIT;
        while self.replica.process.ended().is_none() {
            assert!(
                Instant::now() < deadline,
                "no death at {}\n{}",
                self.death,
                self.replica.process.log_tail()
            );
            load.step();
        }
        let status = self.replica.process.wait(Duration::from_secs(10)).unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "{}\n{}",
            self.death,
            self.replica.process.log_tail()
        );
        let _ = std::fs::remove_file(&self.doom);
    }
}

#[test]
fn every_event_has_exactly_one_outcome_though_replicas_are_killed_at_every_step() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "kills");
    let mut load = Load::begin(&stream, "kills", 1);
    let kills = kills();
    let mut lives = [
        Life::start(&stream, 0, kills),
        Life::start(&stream, 1, kills),
    ];
    let mut open_at_death = 0;
    for n in 0..kills {
        if n % 2 == 0 {
            // A record whose process dies three times before it is committed is a dead letter, as it
            // should be: so each partition moves before the next two die.
            load.run_until_all_move(DEATH_LIMIT);
            for life in lives.iter().filter(|life| !life.death.is_empty()) {
                std::fs::write(&life.doom, "").unwrap();
            }
        }
        let life = &mut lives[n % 2];
        life.die(n, &mut load);
        assert!(load.reader.account.outstanding() > 0, "kill {n} met no lag");
        open_at_death += usize::from(OPEN.contains(&life.death));
        *life = Life::start(&stream, n + 2, kills);
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
    for life in lives {
        life.replica.stop();
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
