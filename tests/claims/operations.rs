//! What operators may do while the service runs, and what nobody may without the token.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{Cluster, Redis};
use crate::oracle::World;
use crate::stream::{Replica, Stream, get, request};

const LIMIT: Duration = Duration::from_secs(30);
const TOKEN: &str = "a token for the claims, not for service";

fn operated(stream: &Stream, redis: &Redis, token: Option<&str>) -> Replica {
    let url = redis.url();
    let mut settings = vec![("REDIS_URL", url.as_str())];
    settings.extend(token.map(|token| ("CRISOL_OPS_TOKEN", token)));
    let mut replica = Replica::start(stream, "r0", &settings);
    replica.wait_assigned();
    replica
}

fn json_of((code, body): (u16, String)) -> (u16, Value) {
    let value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{code}: {body}"));
    (code, value)
}

fn post(address: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let headers = [
        "Content-Type: application/json\r\n",
        authorization.as_deref().unwrap_or_default(),
    ]
    .concat();
    json_of(request(
        address,
        "POST",
        path,
        &headers,
        body.to_string().as_bytes(),
    ))
}

#[test]
fn nothing_is_changed_without_the_token_and_looking_is_free() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "token");
    stream.publish(&World::generate(31, 20));
    let redis = Redis::start();
    let changes = [
        ("/kill-switch", json!({"on": true})),
        ("/wargaming/cache/invalidate", json!({"all": true})),
        ("/circuit-breakers/cache/reset", json!({})),
    ];
    // No token configured: every change is refused, whatever it carries.
    let mut replica = operated(&stream, &redis, None);
    let address = replica.http();
    for (path, body) in &changes {
        let (code, answer) = post(&address, path, Some("anything at all, long"), body);
        assert_eq!(code, 403, "{path} {answer}");
        assert!(
            answer["error"]
                .as_str()
                .unwrap()
                .contains("CRISOL_OPS_TOKEN")
        );
    }
    replica.stop();

    let mut replica = operated(&stream, &redis, Some(TOKEN));
    let address = replica.http();
    for (path, body) in &changes {
        for wrong in [
            None,
            Some(""),
            Some("another token, just as long as ours...."),
        ] {
            assert_eq!(post(&address, path, wrong, body).0, 401, "{path}");
        }
    }
    for path in [
        "/health/detailed",
        "/circuit-breakers",
        "/wargaming/cache/stats",
        "/kill-switch",
    ] {
        assert_eq!(get(&address, path).0, 200, "{path}");
    }
    assert_eq!(
        json_of(get(&address, "/kill-switch")).1["kill_switch"],
        false
    );
    // Neither the token nor a key stands in anything the process says of itself.
    let told = [
        replica.process.log(),
        get(&address, "/metrics").1,
        get(&address, "/health/detailed").1,
    ];
    for text in &told {
        assert!(
            !text.contains(TOKEN) && !text.contains("a key for the claims"),
            "{text}"
        );
    }
    replica.stop();
}

#[test]
fn an_operator_stops_approvals_forgets_and_resets_over_http() {
    let cluster = Cluster::shared();
    let stream = Stream::create(cluster.bootstrap(), "operator");
    stream.publish(&World::generate(32, 20));
    let mut redis = Redis::start();
    let mut replica = operated(&stream, &redis, Some(TOKEN));
    let address = replica.http();
    let change = |path: &str, body: &Value| post(&address, path, Some(TOKEN), body);
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < LIMIT, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };

    assert_eq!(
        change("/kill-switch", &json!({"on": true})),
        (200, json!({"kill_switch": true}))
    );
    let switch = || json_of(get(&address, "/kill-switch")).1["kill_switch"] == true;
    until("the switch is obeyed", &switch);
    assert_eq!(change("/kill-switch", &json!({"on": "yes"})).0, 422);
    assert_eq!(change("/kill-switch", &json!({"on": true, "x": 1})).0, 422);

    // One CVE is forgotten by its name, and a name with patterns in it is refused.
    for key in ["CVE-2020-1:a", "CVE-2020-1:b", "CVE-2020-11:a"] {
        redis.ask(&[b"SET", format!("wargaming:ml_pred:{key}").as_bytes(), b"x"]);
    }
    redis.ask(&[b"SET", b"somebody:elses", b"x"]);
    let forget = |body: Value| change("/wargaming/cache/invalidate", &body);
    assert_eq!(
        forget(json!({"apv_id": "CVE-2020-1"})),
        (200, json!({"forgotten": 2}))
    );
    for bad in [
        json!({"apv_id": "*"}),
        json!({}),
        json!({"apv_id": "CVE-1", "all": true}),
    ] {
        let (code, answer) = forget(bad.clone());
        assert_eq!(code, 400, "{bad} {answer}");
    }
    assert_eq!(forget(json!({"all": true})), (200, json!({"forgotten": 1})));
    assert_eq!(redis.keys(), ["somebody:elses"]);

    // A dependency that is away is told by name, and a breaker can be closed by hand.
    let detailed = || json_of(get(&address, "/health/detailed")).1;
    assert_eq!(detailed()["status"], "healthy");
    redis.stop();
    let degraded = || detailed()["status"] == "degraded";
    until("health is degraded", &degraded);
    let redis_is = &detailed()["dependencies"][2];
    assert_eq!(
        (&redis_is["name"], &redis_is["status"]),
        (&json!("redis"), &json!("down"))
    );
    assert_eq!(forget(json!({"all": true})).0, 503);
    redis.launch();
    let (code, breaker) = change("/circuit-breakers/cache/reset", &json!({}));
    assert_eq!((code, &breaker["state"]), (200, &json!("closed")));
    let (code, unknown) = change("/circuit-breakers/%1b%5b2J/reset", &json!({}));
    assert_eq!(code, 404);
    assert!(!unknown.to_string().contains('\u{1b}'), "{unknown}");
    until("health is whole again", &|| {
        detailed()["status"] == "healthy"
    });
    let stats = json_of(get(&address, "/wargaming/cache/stats")).1;
    assert_eq!(stats["store"], "redis");
    replica.stop();
}
