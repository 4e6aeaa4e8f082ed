//! The relay: requests go to a service from a sandbox beside it, and its answers come back as bytes, which are read here,
//! outside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, read};
use crate::exploit::{Drawn, Exploit, Limits, Means, Service, Step, Variant};

/// What runs in the client's sandbox.
pub(super) const SCRIPT: &str = include_str!("relay.py");
/// Where it finds itself and what to do.
pub(super) const SCRIPT_PATH: &str = "/crisol/relay.py";
pub(super) const PLAN_PATH: &str = "/crisol/plan.json";
/// How it is started: without modules of anybody else.
pub(super) const LINE: &str = "exec /usr/bin/python3 -I /crisol/relay.py";
/// How long one answer may take, in seconds.
const PATIENCE_S: u64 = 5;
/// What the relay prints beside answers, in bytes.
const AROUND: u64 = 2_048;

/// What the relay is told.
#[derive(Debug, Serialize)]
struct Plan<'a> {
    /// Address and port of the service.
    service: String,
    /// A shell line of sites beside it, or nothing, and their addresses.
    beside: String,
    beside_ready: Vec<String>,
    within_s: u64,
    alive_after: bool,
    /// In base64.
    requests: &'a [String],
    /// Bytes of an answer that are kept.
    room: u64,
    patience_s: u64,
}

/// One line of what it prints.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Ready {
        ready: bool,
    },
    Answer {
        /// In base64; none if the request could not be sent.
        answer: Option<String>,
        how: How,
    },
    Alive {
        alive: bool,
    },
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// The service closed its connection.
    Closed,
    /// It told its length and had it.
    Whole,
    /// It was too long.
    Cut,
    /// It was not there in time.
    Late,
    /// The service reset the connection.
    Reset,
    /// The service took no connection.
    Refused,
}

/// What came of all requests.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The last answer of each step; `None` where there was none.
    pub(super) answers: Vec<Option<Answer>>,
    /// Whether everything was sent and answered whole, and the service is as it must be afterwards.
    pub(super) is_complete: bool,
    /// Whether the service let a request wait for as long as it may.
    pub(super) is_late: bool,
    /// Whether any answer, whole or not, has the canary in it although no request had.
    pub(super) gives_away: bool,
}

/// Returns the requests of steps, in order.
pub(super) fn requests(steps: &[Step], variant: &Variant, drawn: &Drawn) -> Vec<Vec<String>> {
    let of_step = |step: &Step| step.requests(&variant.values, drawn);
    steps.iter().map(of_step).collect()
}

/// Returns the plan for requests, as JSON.
pub(super) fn plan(
    service: &Service,
    port: u16,
    requests: &[Vec<String>],
    drawn: &Drawn,
    limits: Limits,
) -> String {
    let requests = requests.iter().flatten();
    let requests: Vec<String> = requests.map(|request| STANDARD.encode(request)).collect();
    let output = (limits.output_kb << 10).saturating_sub(AROUND);
    let each = output / (requests.len() as u64).max(1);
    let beside = service.beside.as_ref();
    let plan = Plan {
        service: format!("127.0.0.1:{port}"),
        beside: beside.map_or_else(String::new, |beside| drawn.fill(&beside.start)),
        beside_ready: beside
            .map(|beside| beside.ready.iter().map(|place| drawn.fill(place)).collect())
            .unwrap_or_default(),
        within_s: service.ready.within_s,
        alive_after: service.alive_after,
        requests: &requests,
        // In base64 three bytes take four, and a line has some more.
        room: each.saturating_sub(64) / 4 * 3,
        patience_s: PATIENCE_S,
    };
    // Text and numbers always serialise; an empty plan would be an attack that is not delivered.
    serde_json::to_string(&plan).unwrap_or_default()
}

/// Reads what the relay printed. Whatever is not as it prints it, and whatever stands after its last word, makes the
/// exchange incomplete.
pub(super) fn exchange(stdout: &str, requests: &[Vec<String>], canary: &str) -> Exchange {
    let mut lines = stdout.lines().map(serde_json::from_str::<Line>);
    let mut next = || lines.next()?.ok();
    if !matches!(next(), Some(Line::Ready { ready: true })) {
        return Exchange::default();
    }
    let mut all = requests.iter().flatten();
    let is_sent = all.any(|request| request.contains(canary));
    let mut exchange = Exchange {
        answers: Vec::with_capacity(requests.len()),
        is_complete: true,
        is_late: false,
        gives_away: false,
    };
    for step in requests {
        let mut last = None;
        for request in step {
            let line = next();
            exchange.is_late |= matches!(line, Some(Line::Answer { how: How::Late, .. }));
            let came = line.and_then(came);
            // Labels and framing may hide from clients what whoever reads the bytes reads all the same.
            let gives_away = |came: &Came, answer: &Answer| {
                let texts = [&answer.body, &answer.unlabelled];
                memchr::memmem::find(&came.bytes, canary.as_bytes()).is_some()
                    || texts.into_iter().any(|text| text.contains(canary))
            };
            last = came.map(|came| {
                let answer = answer_of(&came, request);
                exchange.gives_away |= !is_sent && gives_away(&came, &answer);
                answer
            });
            // A connection that is closed without a word is no answer: who says what became of the request?
            exchange.is_complete &= last.as_ref().is_some_and(|answer| answer.broken.is_none());
        }
        exchange.answers.push(last);
    }
    exchange.is_complete &= matches!(next(), Some(Line::Alive { alive: true }));
    exchange.is_complete &= lines.next().is_none();
    exchange
}

/// An answer as it came over the wire.
struct Came {
    bytes: Vec<u8>,
    how: How,
}

/// Returns the answer that a line tells of, if it tells of one.
fn came(line: Line) -> Option<Came> {
    let Line::Answer {
        answer: Some(answer),
        how,
    } = line
    else {
        return None;
    };
    let bytes = STANDARD.decode(answer).ok()?;
    Some(Came { bytes, how })
}

fn answer_of(came: &Came, request: &str) -> Answer {
    let method = request.split(' ').next().unwrap_or_default();
    let method = if method.is_empty() { "GET" } else { method };
    let mut read = read(&came.bytes, method, came.how == How::Closed);
    if matches!(came.how, How::Cut | How::Late | How::Reset | How::Refused) && read.broken.is_none()
    {
        read.broken = Some("it was cut off".to_owned());
    }
    read
}

/// What the relay's output says of an attack, for whoever wants to try its reader with any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// Answers that could be read, whole or not.
    pub answers: usize,
    /// Whether everything was sent and answered whole.
    pub is_complete: bool,
    /// Whether the canary came back although no request had it.
    pub gives_away: bool,
}

/// Reads what the relay printed, where each of these requests was a step of its own.
pub fn relayed(stdout: &str, requests: &[String], canary: &str) -> Relayed {
    let steps: Vec<Vec<String>> = requests.iter().cloned().map(|one| vec![one]).collect();
    let exchange = exchange(stdout, &steps, canary);
    Relayed {
        answers: exchange.answers.iter().flatten().count(),
        is_complete: exchange.is_complete,
        gives_away: exchange.gives_away,
    }
}

/// Returns what the relay is told to do for a variant of an exploit, as JSON; `None` where a line attacks and no relay.
pub fn plan_of(exploit: &Exploit, variant: &Variant, drawn: &Drawn) -> Option<String> {
    let Means::Http(steps) = &exploit.attack.means else {
        return None;
    };
    let service = exploit.service.as_ref()?;
    let requests = requests(steps, variant, drawn);
    Some(plan(service, 0, &requests, drawn, exploit.limits))
}

/// Returns the answers that the relay printed, one after another, for people.
pub(super) fn shown(stdout: &str) -> String {
    let mut text = String::new();
    for line in stdout.lines() {
        let line = serde_json::from_str::<Line>(line);
        let Ok(line @ Line::Answer { .. }) = line else {
            continue;
        };
        match came(line).map(|came| answer_of(&came, "GET")) {
            Some(answer) => {
                let broken = answer.broken.map(|why| format!("({why})\n"));
                let broken = broken.unwrap_or_default();
                text.push_str(&[&answer.head, "\n\n", &answer.body, "\n", &broken].concat());
            }
            None => text.push_str("(no answer)\n"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answers: &[(&str, &str)], alive: bool) -> String {
        let mut out = "{\"ready\": true}\n".to_owned();
        for (answer, how) in answers {
            let answer = (*how != "refused").then(|| STANDARD.encode(answer));
            out.push_str(&serde_json::json!({"answer": answer, "how": how}).to_string());
            out.push('\n');
        }
        out + &format!("{{\"alive\": {alive}}}\n")
    }

    fn get(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\n\r\n")
    }

    #[test]
    fn the_last_answer_of_each_step_is_what_counts() {
        let requests = [vec![get("/a"), get("/b")], vec![get("/c")]];
        let out = said(
            &[
                ("HTTP/1.1 500 No\r\n\r\nfirst", "closed"),
                ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", "whole"),
                ("no http", "closed"),
            ],
            true,
        );
        let exchange = exchange(&out, &requests, "c4nary");
        assert!(!exchange.is_complete, "what is no HTTP was never read");
        let [Some(first), Some(second)] = &exchange.answers[..] else {
            panic!("{exchange:?}");
        };
        assert_eq!((first.status, first.body.as_str()), (Some(200), "abcde"));
        assert_eq!((second.status, second.head.as_str()), (None, "no http"));
    }

    #[test]
    fn what_was_not_answered_whole_or_ended_the_service_is_incomplete() {
        let one = [vec![get("/")]];
        let good = ("HTTP/1.1 200 OK\r\n\r\n", "closed");
        let is_complete = |out: &str| exchange(out, &one, "c4nary").is_complete;
        assert!(is_complete(&said(&[good], true)));
        for out in [
            String::new(),
            "noise\n".to_owned() + &said(&[good], true),
            said(&[("", "closed")], true),
            said(&[("", "refused")], true),
            said(&[(good.0, "cut")], true),
            said(&[(good.0, "reset")], true),
            said(&[], true),
            said(&[good, good], true),
            said(&[good], false),
            said(&[good], true).replace("alive", "lives"),
            said(&[good], true) + "more\n",
            said(&[good], true) + &said(&[good], true),
        ] {
            assert!(!is_complete(&out), "{out}");
        }
    }

    #[test]
    fn a_canary_that_nobody_sent_gives_the_secret_away_wherever_it_stands() {
        let answer = ("HTTP/1.1 200 OK\r\nX: c4nary\r\n\r\n", "cut");
        let out = said(&[answer], true);
        let gives = |request: String| exchange(&out, &[vec![request]], "c4nary").gives_away;
        assert!(gives(get("/")));
        assert!(!gives(get("/c4nary")), "it may be said back");
        // What a label or a framing hides from clients is read by whoever reads bytes.
        let requests = [vec![get("/")]];
        for hides in [
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-16\r\nContent-Length: 6\r\n\r\nc4nary",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=c4nary\r\nx\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Last: c4nary\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-16\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nc4n\r\n3\r\nary\r\n0\r\n\r\n",
        ] {
            let told = |text: &str| exchange(&said(&[(text, "whole")], true), &requests, "c4nary");
            assert!(told(hides).gives_away, "{hides}");
            let harmless = told(&hides.replace("c4n", "c5n"));
            assert!(!harmless.gives_away && harmless.is_complete, "{hides}");
        }
    }
}
