//! A record that kills the process does not kill it for ever.

use std::time::{Duration, Instant};

use crate::fixture::Cluster;
use crate::stream::{Load, Replica, Stream};

/// The failpoint: any record that holds this text aborts the process that judges it.
const KILLER: &str = "this-record-aborts-the-process";
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn a_record_that_aborts_the_process_is_a_dead_letter_at_its_third_start_and_nothing_else_is() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "crash");
    let mut load = Load::begin(&stream, "crash", 3);
    let failpoint = format!("abort-on:{KILLER}");
    let start = || Replica::start(&stream, "r0", &[("CRISOL_FAILPOINT", &failpoint)]);
    let mut replica = start();
    load.reader.set_aside = Some(KILLER.to_owned());
    load.run_for(Duration::from_secs(4));
    let killer =
        format!(r#"{{"patch_id":"killer","cve_id":"CVE-2020-1","diff_content":"{KILLER}"}}"#);
    load.feeder.send(
        &stream.topic("patches"),
        Some(b"CVE-2020-1"),
        Some(killer.as_bytes()),
        &[],
    );
    let mut deaths = 0;
    let deadline = Instant::now() + LIMIT;
    loop {
        load.run_for(Duration::from_millis(100));
        if replica.process.ended().is_some() {
            deaths += 1;
            replica = start();
        }
        if let [letter] = load.reader.aside.as_slice() {
            assert!(letter.contains("crisol_dlq_reason=crashed"), "{letter}");
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{deaths} deaths\n{}",
            replica.process.log_tail()
        );
    }
    let report = load.end();
    println!("{deaths} deaths, {} events\n{report}", load.fed);
    assert_eq!(load.reader.aside.len(), 1, "one letter, once");
    assert!((2..=4).contains(&deaths), "{deaths} deaths");
    assert!(report.is_clean(), "{report}");
    replica.stop();
}
