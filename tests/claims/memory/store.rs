//! One suite for every store.

use std::time::{Duration, Instant};

use crisol::config::Secret;
use crisol::event::record::Memo;
use crisol::memory::{LocalStore, RedisOptions, RedisStore, Store, StoreError};

use crate::fixture::Redis;

const WAIT: Duration = Duration::from_secs(2);
const DAY: Duration = Duration::from_secs(86_400);

fn memo(key: &str, value: &[u8]) -> Memo {
    Memo {
        key: key.to_owned(),
        value: value.to_vec(),
    }
}

/// Asks until the answer is as it should be: what is put is kept a moment later.
fn until(store: &dyn Store, keys: &[&str], wanted: &[Option<&[u8]>]) {
    let began = Instant::now();
    loop {
        let found = store.get(keys, WAIT);
        let as_wanted = found.as_ref().is_ok_and(|found| {
            found
                .iter()
                .map(Option::as_deref)
                .eq(wanted.iter().copied())
        });
        if as_wanted {
            return;
        }
        assert!(began.elapsed() < WAIT * 5, "{found:?}, not {wanted:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn conforms(store: &dyn Store) {
    // Any bytes under any key, in the order asked for, gaps included.
    let bytes: Vec<u8> = (0..=255).collect();
    let odd = "t:CVE-1:\u{1f512} *?[x]\\\r\n";
    let put = vec![
        memo("t:CVE-1:a", &bytes),
        memo(odd, b"odd"),
        memo("t:CVE-12:b", b"b"),
    ];
    assert_eq!(store.put(put), 3);
    until(
        store,
        &["t:CVE-12:b", "t:nothing", "t:CVE-1:a", odd],
        &[Some(b"b"), None, Some(&bytes), Some(b"odd")],
    );
    assert!(store.get(&[], WAIT).unwrap().is_empty());
    // What is put again takes the place.
    store.put(vec![memo("t:CVE-12:b", b"c")]);
    until(store, &["t:CVE-12:b"], &[Some(b"c")]);
    // A prefix is taken by the letter: no pattern of it, and no longer name.
    let patterns = vec![
        memo("t:*:a", b"1"),
        memo("t:[C]VE-1:a", b"2"),
        memo("t:?", b"3"),
    ];
    store.put(patterns);
    until(
        store,
        &["t:*:a", "t:[C]VE-1:a", "t:?"],
        &[Some(b"1"), Some(b"2"), Some(b"3")],
    );
    assert_eq!(store.forget("t:*:").unwrap(), 1);
    assert_eq!(store.forget("t:[C]VE-1:").unwrap(), 1);
    assert_eq!(store.forget("t:?").unwrap(), 1);
    assert_eq!(store.forget("t:CVE-1:").unwrap(), 2);
    until(
        store,
        &["t:CVE-1:a", odd, "t:CVE-12:b"],
        &[None, None, Some(b"c")],
    );
    // More than one round of whatever it does in rounds.
    let many: Vec<Memo> = (0..3_000)
        .map(|n| memo(&format!("t:many:{n}"), b"x"))
        .collect();
    for part in many.chunks(500) {
        store.put(part.to_vec());
    }
    until(
        store,
        &["t:many:0", "t:many:2999"],
        &[Some(b"x"), Some(b"x")],
    );
    assert_eq!(store.forget("t:many:").unwrap(), 3_000);
    assert_eq!(store.forget("t:").unwrap(), 1);
    store.ping(WAIT).unwrap();
}

fn expires(store: &dyn Store) {
    store.put(vec![memo("t:short", b"x")]);
    until(store, &["t:short"], &[Some(b"x")]);
    std::thread::sleep(Duration::from_millis(2_100));
    until(store, &["t:short"], &[None]);
}

/// The server that `CRISOL_TEST_REDIS` names, or one of the test's own.
fn redis(ttl: Duration) -> (Option<Redis>, RedisStore) {
    let given = std::env::var("CRISOL_TEST_REDIS").ok();
    let own = given.is_none().then(Redis::start);
    let url = given.or_else(|| own.as_ref().map(Redis::url)).unwrap();
    (own, connected(&url, ttl))
}

fn connected(url: &str, ttl: Duration) -> RedisStore {
    let store = RedisStore::start(RedisOptions {
        url: Secret::new(url),
        connect: Duration::from_secs(3),
        ttl,
        readers: 1,
    })
    .unwrap();
    let began = Instant::now();
    while let Err(error) = store.ping(WAIT).and_then(|_| store.get(&["t"], WAIT)) {
        assert!(began.elapsed() < Duration::from_secs(10), "{error}");
        std::thread::sleep(Duration::from_millis(10));
    }
    store
}

#[test]
fn memory_inside_the_process_and_in_redis_conform_to_one_suite() {
    conforms(&LocalStore::new(1 << 20, DAY));
    let (_redis, store) = redis(DAY);
    conforms(&store);
}

#[test]
fn what_is_kept_expires_in_both() {
    expires(&LocalStore::new(1 << 20, Duration::from_secs(2)));
    let (_redis, store) = redis(Duration::from_secs(2));
    expires(&store);
}

#[test]
fn memory_inside_the_process_is_bounded() {
    let store = LocalStore::new(10_000, DAY);
    let keys: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
    for key in &keys {
        store.put(vec![memo(key, &[0; 100])]);
    }
    // It evicts a moment later.
    let began = Instant::now();
    loop {
        let asked: Vec<&str> = keys.iter().map(String::as_str).collect();
        let kept = store.get(&asked, WAIT).unwrap().iter().flatten().count();
        if (1..=100).contains(&kept) {
            return;
        }
        assert!(
            began.elapsed() < WAIT * 5,
            "{kept} values of 100 bytes in 10,000"
        );
        store.put(vec![memo("another", &[0; 100])]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn another_type_is_nothing_and_a_huge_value_is_not_read_whole() {
    let redis = Redis::start();
    let store = connected(&redis.url(), DAY);
    redis.ask(&[b"LPUSH", b"t:list", b"x"]);
    redis.ask(&[b"HSET", b"t:hash", b"x", b"y"]);
    redis.ask(&[b"SETRANGE", b"t:huge", b"100000000", b"x"]);
    redis.ask(&[b"SET", b"t:ours", b"x"]);
    let found = store
        .get(&["t:list", "t:ours", "t:hash", "t:huge", "t:none"], WAIT)
        .unwrap();
    assert_eq!(found[0], None);
    assert_eq!(found[1].as_deref(), Some(&b"x"[..]));
    assert_eq!(found[2], None);
    assert_eq!(found[3].as_ref().map(Vec::len), Some(64 * 1_024));
    assert_eq!(found[4], None);
}

#[test]
fn a_redis_that_hangs_costs_the_wait_and_no_more_and_late_answers_harm_nobody() {
    let mut redis = Redis::start();
    let store = connected(&redis.url(), DAY);
    store.put(vec![memo("t:a", b"a"), memo("t:b", b"b")]);
    until(&store, &["t:a", "t:b"], &[Some(b"a"), Some(b"b")]);
    redis.pause();
    let wait = Duration::from_millis(20);
    for _ in 0..10 {
        assert_eq!(
            store.get(&["t:a"], wait).unwrap_err(),
            StoreError::TimedOut(wait)
        );
    }
    redis.resume();
    // Ten answers to t:a come now; none of them is taken for one to t:b.
    for _ in 0..100 {
        if let Ok(found) = store.get(&["t:b"], WAIT) {
            assert_eq!(found[0].as_deref(), Some(&b"b"[..]));
        }
    }
    until(&store, &["t:a"], &[Some(b"a")]);
    redis.stop();
    let away = store.get(&["t:a"], WAIT).unwrap_err();
    assert!(matches!(away, StoreError::Away(_)), "{away}");
    redis.launch();
    until(&store, &["t:a"], &[None]);
}

#[test]
fn a_password_that_is_wrong_is_told_without_the_password() {
    let redis = Redis::start();
    redis.ask(&[b"CONFIG", b"SET", b"requirepass", b"right-password"]);
    let url = redis.url().replace("redis://", "redis://:hunter2@");
    let store = RedisStore::start(RedisOptions {
        url: Secret::new(url),
        connect: Duration::from_secs(1),
        ttl: DAY,
        readers: 1,
    })
    .unwrap();
    let error = store.ping(WAIT).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}
