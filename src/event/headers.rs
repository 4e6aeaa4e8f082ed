//! Headers of what goes out: CloudEvents 1.0 in binary mode, and the trace context passed through.

use std::borrow::Cow;

use uuid::Uuid;

use crate::event::record::{OutputHeader, Record, outgoing};
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
) -> Vec<OutputHeader> {
    let mut headers = Vec::with_capacity(7 + TRACE_HEADERS.len());
    let mut push = |name: &'static str, value: Cow<'static, str>| {
        let value = match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        headers.push((Cow::Borrowed(name), Some(value)));
    };
    push("ce_specversion", "1.0".into());
    let id = id
        .hyphenated()
        .encode_lower(&mut Uuid::encode_buffer())
        .to_owned();
    push("ce_id", id.into());
    push("ce_source", "/crisol".into());
    push("ce_type", topic.event_type().into());
    push("ce_subject", subject.to_owned().into());
    push("ce_time", time.to_owned().into());
    push("content-type", "application/json".into());
    headers.extend(trace_context(cause));
    headers
}

/// Returns the trace headers of a record, as they came.
pub fn trace_context(cause: &Record) -> impl Iterator<Item = OutputHeader> + '_ {
    cause
        .headers
        .iter()
        .filter(|(name, value)| {
            TRACE_HEADERS.contains(&name.as_str())
                && value
                    .as_ref()
                    .is_some_and(|v| v.len() <= MAX_TRACE_HEADER_BYTES)
        })
        .map(outgoing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_type_of_its_name() {
        for topic in Topic::ALL {
            assert_eq!(topic.event_type(), format!("crisol.{topic}.v1"));
        }
    }

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
            String::from_utf8(value.as_deref()?.to_vec()).ok()
        };
        assert_eq!(value("traceparent").as_deref(), Some("00-aa-bb-01"));
        assert_eq!(value("ce_type").as_deref(), Some("crisol.hitl.v1"));
        assert_eq!(value("ce_time").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(value("x-secret"), None);
        assert_eq!(value("tracestate"), None);
    }
}
