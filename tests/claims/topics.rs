//! Topics on brokers as they come: they create what is asked for, their own way, and they go away.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use serde_json::Value;

use crate::fixture::{Cluster, run};
use crate::stream::{Replica, Stream, crisol, figure, get};

const LIMIT: Duration = Duration::from_secs(60);
/// How soon a replica must say that no broker answers.
const TOLD: Duration = Duration::from_secs(15);

/// Kafka's defaults, whatever the fixture's are.
const AS_IT_COMES: [&str; 2] = ["auto.create.topics.enable=true", "num.partitions=1"];

/// A `crisol` that is told where the brokers are and nothing else of topics.
fn told(cluster: &Cluster, prefix: &str, arguments: &[&str]) -> Output {
    let mut command: Command = crisol();
    command.args(arguments).envs([
        ("KAFKA_BROKERS", cluster.bootstrap()),
        ("CRISOL_TOPIC_PREFIX", prefix),
        ("CRISOL_HTTP_LISTEN", "127.0.0.1:0"),
        ("CRISOL_SECRET_KEY", "a key for the claims, not for service"),
    ]);
    run(command, b"", LIMIT)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A client as it comes: a producer, which makes brokers create what it asks for.
fn any_client(cluster: &Cluster) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .create()
        .unwrap()
}

/// Topics of a prefix by name, with their partitions.
fn topics_of(cluster: &Cluster, prefix: &str) -> Vec<(String, usize)> {
    let client = any_client(cluster);
    let metadata = client.client().fetch_metadata(None, LIMIT).unwrap();
    let named = metadata.topics().iter();
    let mut found: Vec<(String, usize)> = named
        .filter_map(|topic| {
            let name = topic.name().strip_prefix(prefix)?;
            Some((name.to_owned(), topic.partitions().len()))
        })
        .collect();
    found.sort();
    found
}

/// Looks at one topic by its name, and returns once the brokers have created it.
fn look_by_name(cluster: &Cluster, prefix: &str, name: &str) {
    let client = any_client(cluster);
    let topic = [prefix, name].concat();
    let began = Instant::now();
    while !topics_of(cluster, prefix).contains(&(name.to_owned(), 1)) {
        assert!(began.elapsed() < LIMIT, "{topic} was not created");
        let _ = client
            .client()
            .fetch_metadata(Some(&topic), Duration::from_secs(5));
    }
}

#[test]
fn looking_at_topics_creates_none_and_what_others_created_is_mended() {
    let cluster = Cluster::start_with(1, &AS_IT_COMES);
    let prefix = "mistyped.";
    let missing = told(&cluster, prefix, &["topics", "check", "--json"]);
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing.stderr));
    let drifts: Value = serde_json::from_slice(&missing.stdout).unwrap();
    assert_eq!(drifts.as_array().unwrap().len(), 10, "{drifts}");
    assert!(
        drifts
            .as_array()
            .unwrap()
            .iter()
            .all(|drift| drift["what"] == "exists")
    );
    for command in [
        &["control", "set", "kill_switch", "true"][..],
        &["control", "unset", "kill_switch"],
        &["control", "get"],
        &["ab", "disable"],
        &["dlq", "resume"],
        &["run"],
    ] {
        let refused = told(&cluster, prefix, command);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(69), "{command:?}: {said}");
        assert!(
            said.contains(
                "mistyped.control: exists is no, must be yes; mend it with: crisol topics apply"
            ) && said.contains("CRISOL_TOPIC_PREFIX"),
            "{command:?}: {said}"
        );
    }
    assert_eq!(topics_of(&cluster, prefix), []);
    // These brokers do create what is looked at by name: one partition, and settings that forget.
    look_by_name(&cluster, prefix, "patches");
    look_by_name(&cluster, prefix, "control");
    let refused = told(&cluster, prefix, &["control", "set", "kill_switch", "true"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(
        said.contains(
            "control: cleanup.policy is delete, must be compact; mend it with: crisol topics apply"
        ),
        "{said}"
    );
    // What is said is what is there afterwards.
    let applied = told(&cluster, prefix, &["topics", "apply", "--json"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied.stderr));
    let outcome: Value = serde_json::from_slice(&applied.stdout).unwrap();
    assert_eq!(outcome["left"], Value::Array(Vec::new()), "{outcome}");
    let said = |topic: &str| -> Vec<&str> {
        let steps = outcome["applied"].as_array().unwrap().iter();
        steps
            .filter(|step| step["topic"] == [prefix, topic].concat())
            .map(|step| step["done"].as_str().unwrap())
            .collect()
    };
    assert_eq!(said("apv"), ["created with 6 partitions"]);
    assert!(said("patches").contains(&"widened from 1 to 6 partitions"));
    assert!(said("control").contains(&"set cleanup.policy from delete to compact"));
    let expected = [
        ("apv", 6),
        ("comparisons", 6),
        ("control", 1),
        ("decisions", 6),
        ("dlq", 3),
        ("hitl", 6),
        ("hitl-open", 6),
        ("patches", 6),
        ("verdicts", 6),
        ("wargames", 6),
    ];
    let expected = expected.map(|(name, partitions)| (name.to_owned(), partitions));
    assert_eq!(topics_of(&cluster, prefix), expected);
    let set = told(&cluster, prefix, &["control", "set", "kill_switch", "true"]);
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stderr));
    let shown = told(&cluster, prefix, &["control", "get", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["settings"]["kill_switch"], true);
    let again = told(&cluster, prefix, &["topics", "apply"]);
    assert!(text(&again.stdout).contains("all 10 topics are as they must be"));
}

#[test]
fn what_cannot_be_mended_is_told_by_apply_too() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "wide");
    let topic = stream.topic("patches");
    let wider = ["--alter", "--topic", &topic, "--partitions", "9"];
    stream.console().tool("topics", &wider, b"");
    let mut command = crisol();
    command
        .args(["topics", "apply"])
        .envs(stream.environment("tool"));
    let output = run(command, b"", LIMIT);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("topics.partitions.patches"), "{said}");
}

/// Waits until `holds`, at most as long as may be; returns how long it took.
fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < limit,
            "{what} did not come true in {limit:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    began.elapsed()
}

#[test]
fn a_replica_says_that_no_broker_answers_and_takes_it_back_by_itself() {
    let mut cluster = Cluster::start(1);
    let stream = Stream::create(cluster.bootstrap(), "away");
    let mut replica: Replica = stream.replica("r0");
    let address = replica.http();
    let ready = |address: &str| get(address, "/readyz");
    let kafka = |address: &str| -> Value {
        let (_, body) = get(address, "/health/detailed");
        let mut health: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(health["dependencies"][0]["name"], "kafka", "{health}");
        health["dependencies"][0].take()
    };
    within(LIMIT, "readiness", || ready(&address).0 == 200);
    // While they answer, it stays so for longer than it may take to notice.
    let well = Instant::now();
    while well.elapsed() < TOLD {
        let (code, said) = ready(&address);
        assert_eq!(code, 200, "{said}");
        assert_eq!(figure(&address, "crisol_kafka_up"), 1.0);
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(kafka(&address)["status"], "up");
    assert!(kafka(&address)["latency_ms"].as_f64().is_some());

    let outage = |address: &str| {
        let told = within(TOLD, "503", || ready(address).0 == 503);
        let (_, said) = ready(address);
        assert!(said.contains("kafka: no broker answers"), "{said}");
        assert_eq!(figure(address, "crisol_kafka_up"), 0.0);
        assert!(figure(address, "crisol_kafka_answer_age_seconds") > 5.0);
        let kafka = kafka(address);
        assert_eq!(kafka["status"], "down", "{kafka}");
        assert_eq!(kafka["latency_ms"], Value::Null, "{kafka}");
        let (code, health) = get(address, "/health");
        assert!(code == 200 && health.contains("degraded"), "{health}");
        // It is not the process that is to be started anew.
        assert_eq!(get(address, "/livez").0, 200);
        told
    };
    cluster.kill(1);
    let dead = outage(&address);
    cluster.restart(1);
    let back = within(LIMIT, "readiness again", || ready(&address).0 == 200);
    // One that holds its connections and says nothing is no better.
    cluster.pause(1);
    let silent = outage(&address);
    cluster.resume(1);
    within(LIMIT, "readiness again", || ready(&address).0 == 200);
    println!(
        "told of a dead broker after {dead:.1?}, of a silent one after {silent:.1?}, ready again {back:.1?} after its start"
    );
    replica.stop();
}
