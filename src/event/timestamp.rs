//! RFC 3339 times on events.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// Returns milliseconds since the epoch of an RFC 3339 time; `None` if it is not one.
///
/// A time without offset is taken as UTC, as the upstream producer writes some.
pub fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let local = text.parse::<DateTime>().ok()?;
    let utc = local.to_zoned(TimeZone::UTC).ok()?;
    Some(utc.timestamp().as_millisecond())
}

/// Returns an RFC 3339 time in UTC of milliseconds since the epoch, clamped to jiff's range.
pub fn format_rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or(if ms < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2021-09-26T23:32:08.989778Z", 1_632_699_128_989),
            ("2000-02-29T12:00:00+02:00", 951_818_400_000),
            ("2024-01-01T00:00:00", 1_704_067_200_000),
        ] {
            assert_eq!(parse_rfc3339_ms(text), Some(ms), "{text}");
        }
        assert_eq!(format_rfc3339(1_704_067_200_000), "2024-01-01T00:00:00Z");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "yesterday", "2024-13-01T00:00:00Z", "12:00:00Z"] {
            assert_eq!(parse_rfc3339_ms(text), None, "{text}");
        }
    }
}
