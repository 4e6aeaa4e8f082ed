//! Headers of what goes out: CloudEvents 1.0 in binary mode, and the trace context passed through.

use uuid::Uuid;

use crate::event::record::{Header, Record};
use crate::event::topic::Topic;

/// W3C trace context headers, passed through untouched.
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];
/// The longest trace header that is passed through, in bytes (tracestate's own bound).
const MAX_TRACE_HEADER_BYTES: usize = 512;

/// Returns the CloudEvents headers of an event on `topic` about `subject`.
///
/// `time` is when Crisol handled the cause; RFC 3339; it is the only place where a clock enters an event.
pub fn cloud_event(
    topic: Topic,
    id: Uuid,
    subject: &str,
    time: &str,
    cause: &Record,
) -> Vec<Header> {
    let mut headers = Vec::with_capacity(8 + TRACE_HEADERS.len());
    let mut push = |name: &str, value: String| {
        headers.push((name.to_owned(), Some(value.into_bytes())));
    };
    push("ce_specversion", "1.0".to_owned());
    push("ce_id", id.to_string());
    push("ce_source", "/crisol".to_owned());
    push("ce_type", format!("crisol.{topic}.v1"));
    push("ce_subject", subject.to_owned());
    push("ce_time", time.to_owned());
    push("content-type", "application/json".to_owned());
    headers.extend(trace_context(cause));
    headers
}

/// Returns the trace headers of a record, as they came.
pub fn trace_context(cause: &Record) -> impl Iterator<Item = Header> + '_ {
    cause
        .headers
        .iter()
        .filter(|(name, value)| {
            TRACE_HEADERS.contains(&name.as_str())
                && value
                    .as_ref()
                    .is_some_and(|v| v.len() <= MAX_TRACE_HEADER_BYTES)
        })
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_context_is_passed_through_and_nothing_else() {
        let cause = Record {
            headers: vec![
                ("traceparent".into(), Some(b"00-aa-bb-01".to_vec())),
                ("x-secret".into(), Some(b"no".to_vec())),
                (
                    "tracestate".into(),
                    Some(vec![b'x'; MAX_TRACE_HEADER_BYTES + 1]),
                ),
            ],
            ..Record::default()
        };
        let headers = cloud_event(
            Topic::Hitl,
            Uuid::nil(),
            "p",
            "1970-01-01T00:00:00Z",
            &cause,
        );
        let value = |name: &str| {
            let (_, value) = headers.iter().find(|(known, _)| known == name)?;
            String::from_utf8(value.clone()?).ok()
        };
        assert_eq!(value("traceparent").as_deref(), Some("00-aa-bb-01"));
        assert_eq!(value("ce_type").as_deref(), Some("crisol.hitl.v1"));
        assert_eq!(value("ce_time").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(value("x-secret"), None);
        assert_eq!(value("tracestate"), None);
    }
}
