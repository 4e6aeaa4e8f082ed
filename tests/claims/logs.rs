//! What the service says of itself: whole lines, nothing raw that came from outside, and no secret.

use std::time::Duration;

use serde_json::Value;

use crate::fixture::{Cluster, Redis, run};
use crate::stream::{Replica, Stream, crisol, get, request, snapshot};

const LIMIT: Duration = Duration::from_secs(60);
/// Every secret holds this, so that one search finds any of them.
const CANARY: &str = "canary-that-nobody-may-see";

/// Patches with terminal escapes, line breaks and markup wherever text may stand; some can be taken and
/// some cannot.
fn feed_hostile(stream: &Stream) -> usize {
    let feeder = stream.feeder();
    let diff = r"--- a/\u001b[2J.c\n+++ b/\u001b[2J.c\n@@ -1 +1 @@\n-a\n+\u001b]0;owned\u0007\n";
    let values = [
        format!(r#"{{"patch_id":"p1","cve_id":"CVE-2020-1","diff_content":"{diff}"}}"#),
        format!(r#"{{"patch_id":"\u001b[31mred","cve_id":"CVE-2020-1","diff_content":"{diff}"}}"#),
        r#"{"patch_id":"p2","cve_id":"CVE\nlevel=ERROR forged=true","diff_content":"x"}"#
            .to_owned(),
        "\u{1b}[2Jnot json\nlevel=ERROR forged=true".to_owned(),
        r#"{"patch_id":"p3","cve_id":"CVE-2020-1","diff_content":"<script>\n"}"#.to_owned(),
    ];
    let hostile = [
        (
            "traceparent".to_owned(),
            Some(b"\x1b[2J\nforged=true".to_vec()),
        ),
        ("\u{1b}[2J".to_owned(), Some(b"\xff\n".to_vec())),
    ];
    for value in &values {
        feeder.send(
            &stream.topic("patches"),
            Some(b"\x1b[2J\n"),
            Some(value.as_bytes()),
            &hostile,
        );
        // A bad record of a table is logged with its place.
        feeder.send(
            &stream.topic("apv"),
            Some(b"\x1b[2J\n"),
            Some(value.as_bytes()),
            &[],
        );
        feeder.send(
            &stream.topic("control"),
            Some(value.as_bytes()),
            Some(b"\x1b\n"),
            &[],
        );
    }
    feeder.flush();
    values.len()
}

#[test]
fn no_log_line_holds_a_secret_or_a_raw_character_of_anybody_elses() {
    let stream = Stream::create(Cluster::shared().bootstrap(), "logs");
    let redis = Redis::start();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("crisol.toml");
    std::fs::write(
        &file,
        format!("[kafka.client]\n\"sasl.password\" = \"{CANARY}\"\n"),
    )
    .unwrap();
    let (key, token) = (format!("{CANARY} key"), format!("{CANARY} token"));
    // This Redis wants no password, and quotes its client when it is given one.
    let url = redis
        .url()
        .replace("redis://", &format!("redis://user:{CANARY}@"));
    let settings = |format| {
        [
            ("CRISOL_CONFIG", file.to_str().unwrap()),
            ("CRISOL_SECRET_KEY", key.as_str()),
            ("CRISOL_OPS_TOKEN", token.as_str()),
            ("REDIS_URL", url.as_str()),
            ("LOG_LEVEL", "debug"),
            ("CRISOL_LOG_FORMAT", format),
        ]
    };
    let fed = feed_hostile(&stream);
    let mut told = Vec::new();
    for format in ["json", "text"] {
        let mut replica = Replica::start(&stream, "r0", &settings(format));
        replica.wait_assigned();
        while snapshot(&stream, "read_committed").len() < fed {
            std::thread::sleep(Duration::from_millis(100));
        }
        let address = replica.http();
        let wrong = format!("Authorization: Bearer {CANARY} guess\r\nX-Evil: \t{CANARY}\r\n");
        for path in ["/kill-switch", "/circuit-breakers/%1b%5b2J%0aforged/reset"] {
            let (code, body) = request(&address, "POST", path, &wrong, b"{\"on\":true}");
            assert_eq!(code, 401, "{body}");
            told.push(body);
        }
        let right = format!("Authorization: Bearer {token}\r\n");
        let path = "/circuit-breakers/%1b%5b2J%0aforged/reset";
        let (code, body) = request(&address, "POST", path, &right, b"");
        assert_eq!(code, 404, "{body}");
        assert!(!body.contains('\u{1b}'), "{body}");
        for path in [
            "/metrics",
            "/health",
            "/health/detailed",
            "/wargaming/cache/stats",
        ] {
            told.push(get(&address, path).1);
        }
        let log = replica.process.log();
        replica.stop();
        assert!(log.lines().count() > 10, "{log}");
        for line in log.lines() {
            let raw = line.chars().find(|c| c.is_control());
            assert_eq!(raw, None, "{line:?}");
            assert!(!line.starts_with("level=ERROR"), "{line:?}");
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap();
                assert!(line["level"].is_string() && line["timestamp"].is_string());
            }
        }
        assert!(log.contains("bad record skipped"), "{log}");
        assert!(log.contains("operation refused"), "{log}");
        told.push(log);
    }
    for arguments in [&["config", "check"][..], &["config", "check", "--json"]] {
        let mut command = crisol();
        command
            .args(arguments)
            .envs(stream.environment("tool"))
            .envs(settings("text"));
        let output = run(command, b"", LIMIT);
        assert!(output.status.success());
        told.push(String::from_utf8_lossy(&output.stdout).into_owned());
        told.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    for text in &told {
        assert!(!text.contains(CANARY), "{text}");
    }
    // They were there to be seen: each of the four stands in the settings, struck out.
    let struck = told.iter().map(|text| text.matches("[redacted]").count());
    assert!(struck.max() >= Some(4));
}
