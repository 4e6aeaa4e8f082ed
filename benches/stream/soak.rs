//! Memory over time at a steady rate. The same patches come again and again, so that whatever grows
//! is a leak, and not the table of open items.

use std::time::{Duration, Instant};

use crate::fixture::Cluster;
use crate::oracle::{Generator, World};
use crate::service::{memory_mib, taken};
use crate::stream::{Feeder, Stream};

/// Records a second.
const RATE: f64 = 5_000.0;
/// Distinct patches.
const PATCHES: usize = 50_000;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(15);

/// Feeds for so many minutes and returns a sentence: resident memory in the second quarter of the
/// time and in the last.
pub fn measure(cluster: &Cluster, minutes: f64) -> String {
    let stream = Stream::create(cluster.bootstrap(), "soak");
    let world = World::generate(9, super::CVES);
    stream.publish(&world);
    let mut replica = stream.replica("soak");
    replica.wait_assigned();
    let address = replica.http();
    let events: Vec<_> = Generator::new(&world, "soak", 9)
        .filter(super::known)
        .take(PATCHES)
        .collect();
    let feeder = Feeder::new(&stream);
    let span = Duration::from_secs_f64(minutes * 60.0);
    let began = Instant::now();
    let mut looks = Vec::new();
    for (n, event) in events.iter().cycle().enumerate() {
        super::wait_for_turn(began, n, RATE);
        feeder.feed(event);
        if began.elapsed() >= LOOK * (looks.len() as u32 + 1) {
            let resident = memory_mib(replica.process.id(), "VmRSS:");
            looks.push(resident);
            let (fed, taken) = (n + 1, taken(&address));
            println!(
                "{:>5.0} s: {fed} fed, {taken} taken, {resident} MiB",
                began.elapsed().as_secs_f64()
            );
        }
        if began.elapsed() >= span {
            break;
        }
    }
    feeder.flush();
    let taken = taken(&address);
    replica.stop();
    let quarter = |nth: usize| {
        let (from, to) = (looks.len() * nth / 4, looks.len() * (nth + 1) / 4);
        super::median(looks[from..to].iter().map(|mib| *mib as f64).collect())
    };
    format!(
        "{minutes} minutes at {RATE}/s, {taken} taken: median of resident memory {} MiB in the second quarter, {} MiB in the last, most {} MiB",
        quarter(1),
        quarter(3),
        looks.iter().max().unwrap()
    )
}
