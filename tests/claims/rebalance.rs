//! Replicas come and go under load.

use std::time::Duration;

use crate::fixture::Cluster;
use crate::stream::{Load, Replica, Stream, figure, in_short};

/// How many partitions there are to share out.
const PARTITIONS: usize = crate::stream::PARTITIONS as usize;
/// A replica that is gone keeps its place for its session of 10 s; the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Changes in this run: 6, or as many as `CRISOL_REBALANCES` says in the long form.
fn changes() -> usize {
    std::env::var("CRISOL_REBALANCES").map_or(6, |text| text.parse().unwrap())
}

/// Goes on until the replicas own every partition between them, each at least one.
fn until_shared_out(load: &mut Load, replicas: &[Replica]) {
    load.run_until(LIMIT, || {
        let owned: Vec<usize> = replicas
            .iter()
            .map(|replica| replica.owned(0).map_or(0, |list| list.len()))
            .collect();
        if owned.iter().sum::<usize>() == PARTITIONS && owned.iter().all(|count| *count > 0) {
            return Ok(());
        }
        Err(format!(
            "they own {owned:?}\n{}",
            replicas[0].process.log_tail()
        ))
    });
}

fn storm(name: &str, strategy: &str, seed: u64) {
    let cluster = Cluster::shared();
    let settings = [("CRISOL_KAFKA_ASSIGNMENT_STRATEGY", strategy)];
    let stream = Stream::create_with(cluster.bootstrap(), name, &settings);
    let mut load = Load::begin(&stream, name, seed);
    let mut replicas = vec![stream.replica("r0")];
    let mut started = 1;
    until_shared_out(&mut load, &replicas);
    for change in 0..changes() {
        match change % 4 {
            0 | 2 => {
                replicas.push(stream.replica(&format!("r{started}")));
                started += 1;
            }
            1 => {
                // The oldest leaves in good order, under load.
                let leaving = replicas.remove(0);
                load.run_during(|| leaving.stop());
            }
            _ => {
                let mut dying = replicas.remove(0);
                dying.process.kill();
            }
        }
        until_shared_out(&mut load, &replicas);
        load.run_until_seen(100, LIMIT);
    }
    let report = load.end();
    println!("{strategy}: {} changes, {}", changes(), in_short(&report));
    assert!(report.is_clean(), "{report}");
    for replica in replicas {
        replica.stop();
    }
}

#[test]
fn replicas_that_come_and_go_lose_nothing_and_double_nothing_when_the_group_is_eager() {
    storm("eager", "range", 11);
}

#[test]
fn replicas_that_come_and_go_lose_nothing_and_double_nothing_when_the_group_is_cooperative() {
    storm("cooperative", "cooperative-sticky", 12);
}

/// The client keeps the pause of a partition while another replica has it.
#[test]
fn a_partition_that_was_paused_when_it_was_lost_flows_when_it_comes_back() {
    let cluster = Cluster::shared();
    // Few records fill a partition, so what waits for a quarantine elsewhere is paused soon.
    let settings = [("CRISOL_ENGINE_PARTITION_RECORDS", "256")];
    let stream = Stream::create_with(cluster.bootstrap(), "paused", &settings);
    let mut load = Load::begin(&stream, "paused", 13);
    load.run_for(Duration::from_millis(1_500));
    // Nothing is committed when it dies, so its heir steps through all that was in flight.
    let mut dying = Replica::start(&stream, "r0", &[("CRISOL_FAILPOINT", "after-produce:kill")]);
    load.run_until(LIMIT, || match dying.process.ended() {
        Some(_) => Ok(()),
        None => Err("it lives".to_owned()),
    });
    let mut first = stream.replica("r0");
    let address = first.http();
    let paused = || figure(&address, "crisol_paused_partitions{role=\"validate\"}") as usize;
    load.run_until(LIMIT, || match paused() {
        5.. => Ok(()),
        few => Err(format!("{few} are paused\n{}", first.process.log_tail())),
    });
    let second = stream.replica("r1");
    let mut at_the_last = 0;
    load.run_until(LIMIT, || {
        let now = paused();
        match first.owned(0).map_or(0, |list| list.len()) {
            3 => return Ok(()),
            PARTITIONS => at_the_last = now,
            _ => {}
        }
        Err(first.process.log_tail())
    });
    assert!(
        at_the_last > 3,
        "{at_the_last} were paused when three of six were lost"
    );
    load.run_during(|| second.stop());
    load.run_until(LIMIT, || {
        let owned = first.owned(0).map_or(0, |list| list.len());
        if owned == PARTITIONS {
            return Ok(());
        }
        Err(format!("it owns {owned}\n{}", first.process.log_tail()))
    });
    load.run_until_all_move(LIMIT);
    let report = load.end();
    println!("{at_the_last} paused, {}", in_short(&report));
    assert!(report.is_clean(), "{report}");
    first.stop();
}
