//! The service on the same records, measured from outside by what it says it has committed.

use std::time::{Duration, Instant};

use crate::fixture::Redis;
use crate::stream::{Replica, Stream, figure, get};

/// How long one round may take.
const LIMIT: Duration = Duration::from_secs(300);

/// What one round gave.
pub struct Round {
    /// Records a second from the first commit seen to the last.
    pub rate: f64,
    /// Memory and CPU of the process.
    pub note: String,
}

/// Runs the service over everything in `patches`, in a group of its own, with memory in a Redis that has
/// seen none of it or, without one, without memory.
pub fn measure(
    stream: &Stream,
    redis: Option<&Redis>,
    with_model: bool,
    events: usize,
    round: usize,
) -> Round {
    let memory_in = redis.map_or("none", |_| "redis");
    let group = format!("{}round-{round}-{memory_in}", stream.group());
    let url = redis.map(Redis::url).unwrap_or_default();
    let mut settings = vec![
        ("CRISOL_GROUP_ID", group.as_str()),
        ("LOG_LEVEL", "warn,crisol::http=info"),
        (
            "CRISOL_MODEL_ENABLED",
            if with_model { "true" } else { "false" },
        ),
    ];
    if let Some(redis) = redis {
        redis.ask(&[b"FLUSHALL"]);
        settings.push(("REDIS_URL", &url));
    } else {
        settings.push(("CRISOL_MEMORY_LOCAL_MIB", "0"));
    }
    let mut replica = Replica::start(stream, &format!("bench-{round}"), &settings);
    let address = replica.http();
    let deadline = Instant::now() + LIMIT;
    let mut first: Option<(Instant, u64, f64)> = None;
    let (rate, cpu_us) = loop {
        assert!(Instant::now() < deadline, "{}", replica.process.log_tail());
        let taken = taken(&address);
        if taken > 0 && first.is_none() {
            first = Some((Instant::now(), taken, cpu_seconds(replica.process.id())));
        }
        if taken >= events as u64 {
            let (began, before, cpu_before) = first.unwrap();
            let count = (taken - before) as f64;
            let cpu = cpu_seconds(replica.process.id()) - cpu_before;
            break (
                count / began.elapsed().as_secs_f64(),
                cpu * 1_000_000.0 / count,
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let note = format!(
        "{cpu_us:.1} us of CPU an event, {:.0} % judged by the forest, {} MiB peak, {}, {}",
        100.0 * looks(&address) / events as f64,
        memory_mib(replica.process.id(), "VmHWM:"),
        transactions(&address),
        memory(&address)
    );
    replica.stop();
    Round { rate, note }
}

/// Returns how many records the service has committed.
pub fn taken(address: &str) -> u64 {
    let (_, text) = get(address, "/metrics");
    text.lines()
        .filter(|line| line.starts_with("crisol_ledger_records_total{entry=\"taken\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Returns how many patches the forest has looked at.
fn looks(address: &str) -> f64 {
    ["approves", "refuses", "unsure"]
        .map(|finding| {
            figure(
                address,
                &format!("crisol_model_looks_total{{finding=\"{finding}\"}}"),
            )
        })
        .iter()
        .sum()
}

/// Returns how many transactions it took and how long one was, on average.
pub fn transactions(address: &str) -> String {
    let count = figure(
        address,
        "crisol_transaction_seconds_count{role=\"validate\"}",
    );
    let mean =
        figure(address, "crisol_transaction_seconds_sum{role=\"validate\"}") / count.max(1.0);
    format!("{count:.0} transactions of {:.0} ms", mean * 1_000.0)
}

/// Returns what became of the questions to exact memory, and how long a batch waited for the answers.
pub fn memory(address: &str) -> String {
    let asked = |result: &str| {
        let name = format!("crisol_memory_recalls_total{{result=\"{result}\"}}");
        format!("{} {result}", figure(address, &name))
    };
    let results: Vec<String> = ["hit", "miss", "failed", "skipped"].map(asked).into();
    let count = figure(address, "crisol_memory_recall_seconds_count");
    let mean = figure(address, "crisol_memory_recall_seconds_sum") / count.max(1.0);
    format!(
        "memory: {} in {:.1} ms a batch",
        results.join(", "),
        mean * 1_000.0
    )
}

/// Returns a figure of memory as `/proc` has it: `VmRSS:` now, `VmHWM:` at most.
pub fn memory_mib(pid: u32, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(figure));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}

/// CPU time of a process since its start.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // A tick is 10 ms on every Linux that matters here.
    ticks as f64 / 100.0
}
