//! Foreign bytes to typed values: one gate for every input topic.
//!
//! [`read_json`] checks size, UTF-8 and depth before a parser sees the value, and names the field,
//! the limit and the place of what is wrong. Nothing of the value enters a message unescaped.

use serde::Deserialize;

use crate::event::limits::EventLimits;
use crate::event::reason::Reason;

/// The longest message that a codec error carries, in bytes.
const MAX_MESSAGE_BYTES: usize = 500;

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The record is a tombstone or has an empty value.
    #[error("the record has no value")]
    Empty,
    /// The value is too large.
    #[error("the value has {bytes} bytes, the limit max_record_bytes is {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most it may have.
        limit: usize,
    },
    /// Arrays and objects nest too deeply.
    #[error("json nests deeper than the limit max_json_depth of {limit} at byte {at}")]
    TooDeep {
        /// The deepest nesting allowed.
        limit: usize,
        /// Where the limit is passed.
        at: usize,
    },
    /// The value is not UTF-8.
    #[error("invalid utf-8 after byte {valid_up_to}")]
    Utf8 {
        /// How many bytes are sound.
        valid_up_to: usize,
    },
    /// The value is not JSON.
    #[error("invalid json: {0}")]
    Json(String),
    /// A field is missing, of the wrong type or out of bounds.
    #[error("{field}: {problem}")]
    Schema {
        /// The path of the field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl CodecError {
    /// Returns an error about one field; foreign text in it is escaped and cut.
    pub fn schema(field: impl AsRef<str>, problem: impl AsRef<str>) -> Self {
        Self::Schema {
            field: printable(field.as_ref()),
            problem: printable(problem.as_ref()),
        }
    }

    /// Returns the reason that a dead letter of this error carries.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Empty => Reason::EmptyValue,
            Self::TooLarge { .. } | Self::TooDeep { .. } => Reason::LimitExceeded,
            Self::Utf8 { .. } => Reason::InvalidUtf8,
            Self::Json(_) => Reason::InvalidJson,
            Self::Schema { .. } => Reason::SchemaViolation,
        }
    }
}

/// Returns `text` with control and non-ASCII characters escaped, cut to 500 bytes.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_MESSAGE_BYTES));
    for c in text.chars() {
        if out.len() >= MAX_MESSAGE_BYTES {
            out.push_str("...");
            break;
        }
        push_escaped(&mut out, c);
    }
    out
}

/// Returns `text` with control and non-ASCII characters escaped, at its full length: for a person who
/// asked to see all of it.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(&mut out, c));
    out
}

fn push_escaped(out: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_control() {
        out.push(c);
    } else {
        out.extend(c.escape_default());
    }
}

/// Reads one JSON value into `T`, which may borrow from it.
///
/// # Errors
/// Every variant of [`CodecError`]; for a type error the field's path is named.
pub fn read_json<'a, T: Deserialize<'a>>(
    value: Option<&'a [u8]>,
    limits: &EventLimits,
) -> Result<T, CodecError> {
    let bytes = match value {
        None | Some([]) => return Err(CodecError::Empty),
        Some(bytes) => bytes,
    };
    if bytes.len() > limits.max_record_bytes {
        return Err(CodecError::TooLarge {
            bytes: bytes.len(),
            limit: limits.max_record_bytes,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| CodecError::Utf8 {
        valid_up_to: error.valid_up_to(),
    })?;
    check_depth(bytes, limits.max_json_depth)?;
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// Reads the value a second time, slowly, to learn which field is wrong.
fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> CodecError {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io | Category::Syntax | Category::Eof => {
            CodecError::Json(printable(&error.to_string()))
        }
        Category::Data => {
            let mut reader = serde_json::Deserializer::from_str(text);
            match serde_path_to_error::deserialize::<_, T>(&mut reader) {
                Err(traced) => {
                    CodecError::schema(traced.path().to_string(), traced.inner().to_string())
                }
                Ok(_) => CodecError::schema(".", error.to_string()),
            }
        }
    }
}

/// Refuses nesting past `limit`, in one pass and without recursion.
fn check_depth(bytes: &[u8], limit: usize) -> Result<(), CodecError> {
    // Most records do not hold as many brackets as the limit, even counting those in strings.
    if openings(bytes) <= limit {
        return Ok(());
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Err(CodecError::TooDeep { limit, at });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Returns how many bytes open an array or an object, inside strings or not.
fn openings(bytes: &[u8]) -> usize {
    // Counted in bytes and by chunks that a byte can count: then the loop runs on whole vectors.
    bytes
        .chunks(usize::from(u8::MAX))
        .map(|chunk| {
            let counted: u8 = chunk
                .iter()
                .map(|byte| u8::from(matches!(byte, b'{' | b'[')))
                .sum();
            usize::from(counted)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Probe {
        #[serde(rename = "n")]
        _n: u8,
    }

    fn read(bytes: &[u8]) -> Result<Probe, CodecError> {
        read_json(Some(bytes), &EventLimits::default())
    }

    #[test]
    fn each_kind_of_bad_value_has_its_own_reason() {
        let limits = EventLimits::default();
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let large = vec![b' '; limits.max_record_bytes + 1];
        let cases: [(&[u8], Reason); 6] = [
            (b"", Reason::EmptyValue),
            (&large, Reason::LimitExceeded),
            (deep.as_bytes(), Reason::LimitExceeded),
            (b"{\"n\": \"\xff\"}", Reason::InvalidUtf8),
            (b"{\"n\": 1", Reason::InvalidJson),
            (b"{\"n\": 256}", Reason::SchemaViolation),
        ];
        for (bytes, reason) in cases {
            assert_eq!(read(bytes).unwrap_err().reason(), reason);
        }
        assert_eq!(
            read_json::<Probe>(None, &limits).unwrap_err().reason(),
            Reason::EmptyValue
        );
    }

    #[test]
    fn a_type_error_names_the_field() {
        let error = read(b"{\"n\": \"x\"}").unwrap_err();
        assert!(error.to_string().starts_with("n: invalid type"), "{error}");
    }

    #[test]
    fn brackets_inside_strings_are_not_nesting() {
        let value = format!("{{\"n\": 1, \"s\": \"{}\\\"{{\"}}", "[{".repeat(1_000));
        read(value.as_bytes()).unwrap();
    }

    #[test]
    fn foreign_text_in_a_message_is_escaped_and_cut() {
        let error = read("{\"n\": \"\u{1b}[2J\u{202e}\"}".as_bytes()).unwrap_err();
        assert!(error.to_string().is_ascii());
        assert!(!error.to_string().contains('\u{1b}'));
        assert!(printable(&"x".repeat(10_000)).len() < 600);
    }
}
