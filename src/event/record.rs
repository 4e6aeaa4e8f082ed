//! Records: what comes off a log and what goes onto it, without the client's types.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::reason::{Disposition, Reason};
use crate::event::topic::Topic;

/// A header as it came; the value may be absent.
pub type Header = (String, Option<Vec<u8>>);

/// A header to be written. Most names and some values are the same on every record, so those are
/// borrowed for ever.
pub type OutputHeader = (Cow<'static, str>, Option<Cow<'static, [u8]>>);

/// One record as it came off the log, byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Position in its partition.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch; 0 where the log has none.
    pub timestamp_ms: i64,
    /// The key, if it has one.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// Set on a record that is too large to be held: key, value and headers are not here then.
    pub left_out: Option<Box<LeftOut>>,
}

/// What is known of a record that is too large to be held. It can be taken for no patch and fits into no
/// letter, and copying it would double what a gzip bomb costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The bytes of key, value and headers.
    pub bytes: usize,
    /// SHA-256 of the value, in hexadecimal.
    pub digest: String,
}

/// Returns a header of a record as it goes out again.
pub fn outgoing((name, value): &Header) -> OutputHeader {
    (Cow::Owned(name.clone()), value.clone().map(Cow::Owned))
}

impl Record {
    /// Returns the bytes that are held of the record: key, value and headers.
    pub fn size_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + headers
    }

    /// Returns the value of the last header with this name, if it is UTF-8.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(known, _)| known == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// A run of records of one partition, in offset order, handed to a worker as one.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The topic they came from.
    pub topic: Arc<str>,
    /// The partition they came from.
    pub partition: i32,
    /// The records, ascending by offset; never empty.
    pub records: Vec<Record>,
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where it goes.
    pub topic: Topic,
    /// What decides the partition where that is not the key: `hitl-open` lies beside its CVE.
    pub partition_by: Option<String>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<OutputHeader>,
}

impl Output {
    /// Returns the bytes the record will hold before compression: key, value and headers.
    pub fn size_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, |value| value.len()))
            .sum();
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + headers
    }
}

/// What became of one input record: exactly one disposition and the records that tell of it.
#[derive(Debug, Clone)]
#[must_use = "a handled record must reach the ledger"]
pub struct Handled {
    /// The offset of the input record.
    pub offset: i64,
    /// The timestamp of the input record, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The disposition.
    pub disposition: Disposition,
    /// Why.
    pub reason: Reason,
    /// What is to be written, atomically with the input's offset; never empty.
    pub outputs: Vec<Output>,
    /// Whether it is in the sample for A/B comparisons.
    pub ab_sampled: bool,
    /// What memory may keep of it once that is committed.
    pub memo: Option<Memo>,
    /// What a wargame says of a judge, if one was held.
    pub agreement: Option<Agreement>,
}

/// What a wargame says of a judge. Counted in the order of commits, not by whoever held the wargame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The judges and levels that it is evidence of.
    pub evidence: Vec<(&'static str, String)>,
    /// What was tried, by the name under which it counts once.
    pub trial: String,
    /// Whether it holds the patch for right.
    pub found_right: bool,
    /// Whether an approval was taken back for it.
    pub recalls: bool,
}

/// Bytes that memory keeps under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memo {
    /// The key.
    pub key: String,
    /// The bytes.
    pub value: Vec<u8>,
}
