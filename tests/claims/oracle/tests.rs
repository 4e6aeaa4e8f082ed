//! Claims about the stream.

use std::collections::{BTreeMap, BTreeSet};

use super::{Disposition, Event, Generator, Kind, World};

/// Enough for the rarest kind to occur.
pub const EVENTS: usize = 20_000;

/// Returns the first events of a stream.
pub fn stream(seed: u64, events: usize) -> Vec<Event> {
    let world = World::generate(7, 400);
    Generator::new(&world, "t", seed).take(events).collect()
}

#[test]
fn each_disposition_has_its_share_and_each_kind_occurs() {
    let mut dispositions: BTreeMap<Disposition, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for event in stream(1, EVENTS) {
        *dispositions.entry(event.expected.disposition).or_default() += 1;
        *kinds.entry(event.expected.kind).or_default() += 1;
    }
    for (disposition, count) in dispositions {
        assert!(
            count * 100 >= EVENTS * 12,
            "{disposition:?}: {count} of {EVENTS}"
        );
    }
    for kind in Kind::all() {
        assert!(kinds.contains_key(&kind), "{kind:?}");
    }
}

#[test]
fn a_kind_comes_to_its_reasons_and_to_all_of_them() {
    let mut found: BTreeMap<Kind, BTreeSet<&str>> = BTreeMap::new();
    for event in stream(2, EVENTS) {
        found
            .entry(event.expected.kind)
            .or_default()
            .insert(event.expected.reason);
    }
    for (kind, reasons) in found {
        let stated: BTreeSet<&str> = kind.reasons().iter().copied().collect();
        assert_eq!(reasons, stated, "{kind:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    assert_eq!(stream(3, 500), stream(3, 500));
    assert_ne!(stream(3, 500), stream(4, 500));
    let (one, other) = (World::generate(3, 60), World::generate(3, 60));
    assert_eq!((&one.apv, &one.control), (&other.apv, &other.control));
    assert_ne!(one.apv, World::generate(4, 60).apv);
}

#[test]
fn most_events_are_of_the_usual_size() {
    let sizes: Vec<usize> = stream(5, 5_000)
        .iter()
        .filter_map(|event| Some(event.value.as_ref()?.len()))
        .collect();
    let usual = sizes
        .iter()
        .filter(|size| (900..=2_000).contains(*size))
        .count();
    assert!(
        usual * 100 >= sizes.len() * 80,
        "{usual} of {}",
        sizes.len()
    );
    let large = sizes.iter().filter(|size| **size > 1_048_576).count();
    assert!(large <= 20, "{large}");
}
