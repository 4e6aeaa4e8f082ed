//! The relay: requests go to a service inside the sandbox and come back as bytes, which are read here, outside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::exploit::{Drawn, Limits, Service, Step, Variant};

/// What runs inside.
pub(super) const SCRIPT: &str = include_str!("relay.py");
/// Where it finds itself and what to do.
pub(super) const SCRIPT_PATH: &str = "/crisol/relay.py";
pub(super) const PLAN_PATH: &str = "/crisol/plan.json";
/// How it is started: without the site's own modules, which a target could bring along.
pub(super) const LINE: &str = "exec /usr/bin/python3 -I /crisol/relay.py";
/// How long one answer may take, in seconds.
const PATIENCE_S: u64 = 5;
/// What the relay prints beside answers, in bytes.
const AROUND: u64 = 2_048;

/// What the relay is told.
#[derive(Debug, Serialize)]
struct Plan<'a> {
    start: &'a str,
    port: u16,
    within_s: u64,
    alive_after: bool,
    /// In base64.
    requests: Vec<String>,
    /// Bytes of an answer that are kept.
    room: u64,
    patience_s: u64,
}

/// One line of what it prints.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    ready: Option<bool>,
    #[serde(deserialize_with = "told")]
    answer: Option<Option<String>>,
    alive: Option<bool>,
}

/// Tells a null from nothing.
fn told<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(reader).map(Some)
}

/// An answer of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status; `None` if it is no HTTP.
    pub(super) status: Option<i32>,
    /// Status line and headers.
    pub(super) head: String,
    /// The rest, with chunks put together.
    pub(super) body: String,
}

/// What came of all requests.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The last answer of each step; `None` where there was none.
    pub(super) answers: Vec<Option<Answer>>,
    /// Whether everything was sent, answered, and the service is as it must be afterwards.
    pub(super) is_complete: bool,
}

/// Returns the plan for steps, as JSON.
pub(super) fn plan(
    service: &Service,
    steps: &[Step],
    variant: &Variant,
    drawn: &Drawn,
    limits: Limits,
) -> String {
    let requests: Vec<String> = steps
        .iter()
        .flat_map(|step| step.requests(&variant.values, drawn))
        .map(|request| STANDARD.encode(request))
        .collect();
    let output = (limits.output_kb << 10).saturating_sub(AROUND);
    let each = output / (requests.len() as u64).max(1);
    let plan = Plan {
        start: &service.start,
        port: service.ready.tcp.number(drawn).unwrap_or_default(),
        within_s: service.ready.within_s,
        alive_after: service.alive_after,
        requests,
        // In base64 three bytes take four, and a line has some more.
        room: each.saturating_sub(64) / 4 * 3,
        patience_s: PATIENCE_S,
    };
    // Text and numbers always serialise; an empty plan would be an attack that is not delivered.
    serde_json::to_string(&plan).unwrap_or_default()
}

/// Reads what the relay printed. Whatever is not as it prints it makes the exchange incomplete.
pub(super) fn exchange(stdout: &str, steps: &[Step]) -> Exchange {
    let mut lines = stdout.lines().map(serde_json::from_str::<Line>);
    let mut next = || lines.next()?.ok();
    if next().and_then(|line| line.ready) != Some(true) {
        return Exchange::default();
    }
    let mut exchange = Exchange {
        answers: Vec::with_capacity(steps.len()),
        is_complete: true,
    };
    for step in steps {
        let mut last = None;
        for _ in 0..step.raw.len().max(1) {
            let bytes = next()
                .and_then(|line| line.answer)
                .flatten()
                .and_then(|text| STANDARD.decode(text).ok());
            // A connection that is closed without a word is no answer: who says what became of the request?
            exchange.is_complete &= bytes.as_ref().is_some_and(|bytes| !bytes.is_empty());
            last = bytes;
        }
        exchange.answers.push(last.map(|bytes| answer(&bytes)));
    }
    exchange.is_complete &= next().and_then(|line| line.alive) == Some(true);
    exchange
}

/// Returns the answers that the relay printed, one after another, for people.
pub(super) fn shown(stdout: &str) -> String {
    let mut text = String::new();
    for line in stdout.lines() {
        let read = serde_json::from_str::<Line>(line).ok();
        match read.and_then(|line| line.answer) {
            Some(Some(answer)) => {
                let bytes = STANDARD.decode(answer).unwrap_or_default();
                let Answer { head, body, .. } = self::answer(&bytes);
                text.push_str(&[head.as_str(), "\n\n", &body, "\n"].concat());
            }
            Some(None) => text.push_str("(not sent)\n"),
            None => {}
        }
    }
    text
}

fn answer(bytes: &[u8]) -> Answer {
    let split = memchr::memmem::find(bytes, b"\r\n\r\n");
    let (head, body) = match split.and_then(|at| bytes.split_at_checked(at)) {
        Some((head, rest)) => (head, rest.get(4..).unwrap_or_default()),
        None => (bytes, &[][..]),
    };
    let head = String::from_utf8_lossy(head).into_owned();
    let status = head
        .strip_prefix("HTTP/")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|code| code.get(..3)?.parse().ok());
    let chunked = head
        .to_ascii_lowercase()
        .lines()
        .any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
    let body = if chunked {
        String::from_utf8_lossy(&joined(body)).into_owned()
    } else {
        String::from_utf8_lossy(body).into_owned()
    };
    Answer { status, head, body }
}

/// Puts chunks together, as far as they are chunks.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(at) = memchr::memmem::find(rest, b"\r\n") {
        let size = rest
            .get(..at)
            .and_then(|line| std::str::from_utf8(line).ok())
            .and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else {
            break;
        };
        let chunk = rest.get(at + 2..).unwrap_or_default();
        whole.extend_from_slice(chunk.get(..size.min(chunk.len())).unwrap_or_default());
        rest = chunk.get(size.saturating_add(2)..).unwrap_or_default();
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(yaml: &str) -> Vec<Step> {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn said(answers: &[Option<&str>], alive: bool) -> String {
        let mut out = "{\"ready\": true}\n".to_owned();
        for answer in answers {
            let answer = answer.map(|text| STANDARD.encode(text));
            out.push_str(&serde_json::json!({"answer": answer}).to_string());
            out.push('\n');
        }
        out + &format!("{{\"alive\": {alive}}}\n")
    }

    #[test]
    fn the_last_answer_of_each_step_is_what_counts() {
        let two = steps("[{raw: [a, b]}, {method: GET, path: /}]");
        let out = said(
            &[
                Some("HTTP/1.1 500 No\r\n\r\nfirst"),
                Some(
                    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
                ),
                Some("no http"),
            ],
            true,
        );
        let exchange = exchange(&out, &two);
        assert!(exchange.is_complete);
        let [Some(first), Some(second)] = &exchange.answers[..] else {
            panic!("{exchange:?}");
        };
        assert_eq!((first.status, first.body.as_str()), (Some(200), "abcde"));
        assert_eq!((second.status, second.head.as_str()), (None, "no http"));
    }

    #[test]
    fn what_was_not_answered_or_ended_the_service_is_incomplete() {
        let one = steps("[{method: GET, path: /}]");
        assert!(exchange(&said(&[Some("HTTP/1.1 200 OK\r\n\r\n")], true), &one).is_complete);
        for out in [
            String::new(),
            "noise\n".to_owned() + &said(&[Some("x")], true),
            said(&[Some("")], true),
            said(&[None], true),
            said(&[], true),
            said(&[Some("x")], false),
            said(&[Some("x")], true).replace("alive", "lives"),
        ] {
            assert!(!exchange(&out, &one).is_complete, "{out}");
        }
    }
}
