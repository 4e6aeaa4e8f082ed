//! Dead letters: the original record byte for byte, and why it could not be taken.

use std::borrow::Cow;

use crate::event::codec::printable;
use crate::event::id::sha256_hex;
use crate::event::reason::Reason;
use crate::event::record::{Output, OutputHeader, Record, outgoing};
use crate::event::topic::Topic;

/// What every header of a letter begins with.
pub const PREFIX: &str = "crisol_dlq_";
/// The header that counts how often a letter was sent in again.
pub const ATTEMPT: &str = "crisol_dlq_attempt";
/// The header that tells when the record failed first.
pub const FIRST_FAILURE: &str = "crisol_dlq_first_failure";

/// Where a record came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
}

/// Returns the letter of a record: original key, value and headers, and `crisol_dlq_*` headers.
///
/// A letter larger than `limit_bytes` carries no value; its digest and coordinates tell where the
/// original stands, and the message says so. Headers of an earlier failure are replaced, but the
/// attempt count goes on and the time of the first failure stays.
pub fn dead_letter(
    record: &Record,
    origin: Origin<'_>,
    reason: Reason,
    message: &str,
    now_ms: i64,
    limit_bytes: usize,
) -> Output {
    let attempt = record
        .header_text(ATTEMPT)
        .and_then(|text| text.parse::<u32>().ok())
        .map_or(1, |earlier| earlier.saturating_add(1));
    let first_failure = record
        .header_text(FIRST_FAILURE)
        .map_or_else(|| now_ms.to_string(), str::to_owned);
    let digest = match &record.left_out {
        Some(left_out) => left_out.digest.clone(),
        None => sha256_hex(record.value.as_deref().unwrap_or_default()),
    };
    let original: Vec<OutputHeader> = record
        .headers
        .iter()
        .filter(|(name, _)| !name.starts_with(PREFIX))
        .map(outgoing)
        .collect();
    let letter = |original: Vec<OutputHeader>,
                  key: Option<Vec<u8>>,
                  value: Option<Vec<u8>>,
                  message: &str| {
        let mut headers = original;
        for (name, text) in [
            ("reason", reason.as_str().to_owned()),
            ("message", printable(message)),
            ("topic", origin.topic.to_owned()),
            ("partition", origin.partition.to_string()),
            ("offset", record.offset.to_string()),
            ("timestamp", record.timestamp_ms.to_string()),
            ("attempt", attempt.to_string()),
            ("first_failure", first_failure.clone()),
            ("digest", digest.clone()),
        ] {
            headers.push((
                Cow::Owned(format!("{PREFIX}{name}")),
                Some(Cow::Owned(text.into_bytes())),
            ));
        }
        Output {
            topic: Topic::Dlq,
            partition_by: None,
            key,
            value,
            headers,
        }
    };
    let bytes = match &record.left_out {
        Some(left_out) => left_out.bytes,
        None => {
            let whole = letter(original, record.key.clone(), record.value.clone(), message);
            if whole.size_bytes() <= limit_bytes {
                return whole;
            }
            record.size_bytes()
        }
    };
    let left_out = format!(
        "{message}; the record of {bytes} bytes does not fit into a letter, its value, key and headers stand at the coordinates given here"
    );
    letter(Vec::new(), None, None, &left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::record::Header;

    const ORIGIN: Origin<'static> = Origin {
        topic: "t.patches",
        partition: 3,
    };

    fn record() -> Record {
        Record {
            offset: 7,
            timestamp_ms: 5,
            key: Some(vec![0xff, 0]),
            value: Some(b"\xfe not json".to_vec()),
            headers: vec![("x".into(), None), ("x".into(), Some(vec![1]))],
            left_out: None,
        }
    }

    /// Returns the headers of a letter as they come in again.
    fn came(letter: &Output) -> Vec<Header> {
        letter
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.clone().into_owned(),
                    value.clone().map(Cow::into_owned),
                )
            })
            .collect()
    }

    fn text(output: &Output, name: &str) -> String {
        let as_record = Record {
            headers: came(output),
            ..Record::default()
        };
        as_record
            .header_text(&format!("{PREFIX}{name}"))
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_letter_carries_the_original_byte_for_byte() {
        let original = record();
        let letter = dead_letter(
            &original,
            ORIGIN,
            Reason::InvalidUtf8,
            "bad\u{1b}",
            9,
            10_000,
        );
        assert_eq!(letter.key, original.key);
        assert_eq!(letter.value, original.value);
        assert_eq!(&came(&letter)[..2], &original.headers[..]);
        assert_eq!(text(&letter, "reason"), "invalid_utf8");
        assert_eq!(text(&letter, "message"), "bad\\u{1b}");
        assert_eq!(text(&letter, "offset"), "7");
        assert_eq!(text(&letter, "attempt"), "1");
        assert_eq!(text(&letter, "digest"), sha256_hex(b"\xfe not json"));
    }

    #[test]
    fn a_second_failure_counts_on_and_remembers_the_first() {
        let first = dead_letter(&record(), ORIGIN, Reason::InvalidUtf8, "m", 9, 10_000);
        let redriven = Record {
            headers: came(&first),
            ..record()
        };
        let second = dead_letter(&redriven, ORIGIN, Reason::InvalidJson, "m", 11, 10_000);
        assert_eq!(text(&second, "attempt"), "2");
        assert_eq!(text(&second, "first_failure"), "9");
        assert_eq!(
            second
                .headers
                .iter()
                .filter(|(n, _)| n.ends_with("reason"))
                .count(),
            1
        );
    }

    #[test]
    fn what_does_not_fit_is_named_by_digest_and_coordinates() {
        let mut large = record();
        large.value = Some(vec![b'x'; 5_000]);
        let letter = dead_letter(&large, ORIGIN, Reason::LimitExceeded, "m", 9, 2_000);
        assert!(letter.size_bytes() <= 2_000);
        assert_eq!(letter.value, None);
        assert_eq!(text(&letter, "digest"), sha256_hex(&[b'x'; 5_000]));
        assert!(
            text(&letter, "message").contains("5005 bytes does not fit")
                || text(&letter, "message").contains("does not fit")
        );
    }
}
