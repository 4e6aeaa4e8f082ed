//! A replay asks the same questions and gets the same answers, while the facts are the same.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fixture::Cluster;
use crate::oracle::Outlet;
use crate::stream::{Load, Place, Stream, Told, snapshot};

/// How long the second pass may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Sets the group back to the beginning.
fn rewind(stream: &Stream) {
    let arguments = [
        "--group",
        &stream.group(),
        "--topic",
        &stream.topic("patches"),
        "--reset-offsets",
        "--to-earliest",
        "--execute",
    ];
    // A static member keeps its place until its session ends, and a group in use cannot be reset.
    for _ in 0..40 {
        let told = stream.console().tool("consumer-groups", &arguments, b"");
        let at_zero = told.lines().filter(|line| line.trim_end().ends_with(" 0"));
        if at_zero.count() == 6 {
            return;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    panic!("the group was never reset");
}

/// Runs a replica until everything has been told `times` times over, and returns what was told of
/// each input, in order.
fn pass(stream: &Stream, inputs: usize, times: usize) -> BTreeMap<Place, Vec<Told>> {
    let replica = stream.replica("r0");
    let deadline = std::time::Instant::now() + LIMIT;
    let told = loop {
        let told = snapshot(stream, "read_committed");
        if told.len() >= inputs * times {
            break told;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{} of {}",
            told.len(),
            inputs * times
        );
        std::thread::sleep(Duration::from_millis(300));
    };
    replica.stop();
    let mut by_source: BTreeMap<Place, Vec<Told>> = BTreeMap::new();
    for one in told.into_values() {
        by_source.entry(one.source.clone()).or_default().push(one);
    }
    by_source
}

#[test]
fn a_replay_gives_the_same_answer_to_each_question_and_other_facts_give_others() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "replay");
    let mut load = Load::begin(&stream, "replay", 9);
    load.run_for(Duration::from_secs(3));
    load.feeder.flush();
    let inputs = load.fed;
    let first = pass(&stream, inputs, 1);
    assert_eq!(first.len(), inputs);
    rewind(&stream);
    let second = pass(&stream, inputs, 2);
    assert_eq!(second.len(), inputs, "a replay told of something else");
    for list in second.values() {
        assert_eq!(list.len(), 2);
    }
    let changed: Vec<_> = second
        .values()
        .filter(|list| list[0].value != list[1].value || list[0].outlet != list[1].outlet)
        .map(|list| {
            let text = |told: &Told| {
                String::from_utf8_lossy(told.value.as_deref().unwrap_or_default()).into_owned()
            };
            format!("{}\n{}", text(&list[0]), text(&list[1]))
        })
        .collect();
    assert!(
        changed.is_empty(),
        "{} of {inputs} changed, first:\n{}",
        changed.len(),
        changed[0]
    );
    // The negative control: with the kill switch on, the facts are not the same.
    stream.crisol(&["control", "set", "kill_switch", "true"]);
    rewind(&stream);
    let third = pass(&stream, inputs, 3);
    let approved = first
        .values()
        .filter(|list| list[0].outlet == Outlet::Decisions)
        .count();
    let taken_back = third
        .values()
        .filter(|list| {
            list.iter().filter(|t| t.outlet == Outlet::Hitl).count() == 1 && list.len() == 3
        })
        .count();
    println!("{inputs} events, {approved} approved twice and queued the third time");
    assert!(approved > 100);
    assert_eq!(
        taken_back, approved,
        "every approval falls to the switch and nothing else moves"
    );
}
