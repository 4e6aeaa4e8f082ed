//! Any text as what the relay prints: an exchange is complete only as the relay prints one, and a canary that came back
//! is seen wherever it stands.

#![no_main]

use crisol::arena::relayed;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const CANARY: &str = "c4n4ryc4n4ry";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let requests = [get("/a"), get("/b")];
    let found = relayed(text, &requests, CANARY);
    assert!(found.answers <= requests.len());
    if found.is_complete {
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), requests.len() + 2, "{text:?}");
        assert_eq!(lines[0]["ready"], true);
        assert_eq!(lines[3]["alive"], true);
        assert_eq!(found.answers, requests.len());
    }
    assert!(!relayed(text, &requests.each_ref().map(|request| [request, CANARY].concat()), CANARY).gives_away);

    // The same text as the bytes of an answer: nothing that stands in it is lost, whatever it says of itself.
    let base64 = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let out = |body: &[u8], how: &str| {
        let answer = json!({ "answer": base64(body), "how": how });
        format!("{}\n{answer}\n{answer}\n{}\n", json!({ "ready": true }), json!({ "alive": true }))
    };
    for how in ["closed", "whole", "cut", "late", "reset"] {
        let mut with = data.to_vec();
        with.extend(CANARY.as_bytes());
        let found = relayed(&out(&with, how), &requests, CANARY);
        // What comes after all of a whole answer is left over: then it is not complete. In an answer it gives away.
        assert!(found.gives_away || !found.is_complete, "{how} {data:?}");
        let cut = relayed(&out(data, how), &requests, CANARY);
        assert!(!cut.is_complete || matches!(how, "closed" | "whole"), "{how} {data:?}");
    }
});
