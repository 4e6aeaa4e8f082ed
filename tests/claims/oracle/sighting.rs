//! One record that a reader saw on an output topic, and what it says.

use std::fmt;

use serde_json::Value;

use super::event::{Disposition, Header};
use super::identity::{decision_id, sha256};

/// What the names of a letter's own headers begin with.
const LETTER_PREFIX: &str = "crisol_dlq_";
/// The headers that every letter adds to the original's, without their prefix.
const LETTER_HEADERS: [&str; 9] = [
    "reason",
    "message",
    "topic",
    "partition",
    "offset",
    "timestamp",
    "attempt",
    "first_failure",
    "digest",
];

/// The output topics on which an event's disposition shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outlet {
    /// `decisions`.
    Decisions,
    /// `hitl`.
    Hitl,
    /// `dlq`.
    Dlq,
}

/// One record that a `read_committed` reader saw.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// The topic.
    pub outlet: Outlet,
    /// The partition of that topic; a reader sees each partition in the order of its offsets.
    pub partition: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header],
}

/// Where an output says that its input stood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The input topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// An output, read.
#[derive(Debug, Clone)]
pub enum Output {
    /// An event about a patch.
    Patch {
        /// The patch.
        patch_id: String,
        /// Everything that is compared.
        says: Vec<(&'static str, String)>,
    },
    /// A dead letter.
    Letter {
        /// The nonce of the original, where its headers are there.
        nonce: Option<String>,
        /// The sha-256 of the original value, as the letter names it.
        digest: String,
        /// The reason.
        reason: String,
        /// The headers that are not the letter's own.
        original: Vec<Header>,
    },
}

// === impl Outlet ===

impl Outlet {
    /// Returns the disposition of what is seen there.
    pub fn disposition(self) -> Disposition {
        match self {
            Self::Decisions => Disposition::Decided,
            Self::Hitl => Disposition::Queued,
            Self::Dlq => Disposition::Dead,
        }
    }
}

// === impl Sighting ===

impl Sighting<'_> {
    /// Reads the record: what it says, and where its input stood.
    ///
    /// # Errors
    /// Says what keeps the record from being an output of this kind.
    pub fn read(&self) -> Result<(Output, Source), String> {
        match self.outlet {
            Outlet::Dlq => self.letter(),
            Outlet::Decisions | Outlet::Hitl => self.patch(),
        }
    }

    fn patch(&self) -> Result<(Output, Source), String> {
        let value = self.value.ok_or("no value")?;
        let event: Value = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let text = |field: &str| {
            event[field]
                .as_str()
                .map(str::to_owned)
                .ok_or(format!("no text in {field}"))
        };
        let patch_id = text("patch_id")?;
        let digest = text("patch_digest")?;
        let mut says = vec![
            ("cve_id", text("cve_id")?),
            ("package", text("package")?),
            ("reason", text("reason")?),
            ("decision_id", text("decision_id")?),
            (
                "decision_id by its own fields",
                decision_id(&patch_id, &digest),
            ),
            ("patch_digest", digest),
        ];
        match self.outlet {
            Outlet::Decisions => says.push(("decision", text("decision")?)),
            _ => {
                let diff = event["patch"]["diff"]
                    .as_str()
                    .ok_or("no text in patch.diff")?;
                says.push(("digest of patch.diff", sha256(diff.as_bytes())));
            }
        }
        if self.key != Some(patch_id.as_bytes()) {
            return Err(format!("the key is not the patch_id {patch_id}"));
        }
        let source = &event["source"];
        let number = |field: &str| {
            source[field]
                .as_i64()
                .ok_or(format!("no number in source.{field}"))
        };
        let source = Source {
            topic: source["topic"]
                .as_str()
                .ok_or("no text in source.topic")?
                .to_owned(),
            partition: i32::try_from(number("partition")?).map_err(|error| error.to_string())?,
            offset: number("offset")?,
        };
        Ok((Output::Patch { patch_id, says }, source))
    }

    fn letter(&self) -> Result<(Output, Source), String> {
        let (own, original): (Vec<_>, Vec<_>) = self
            .headers
            .iter()
            .cloned()
            .partition(|(name, _)| name.starts_with(LETTER_PREFIX));
        let text = |name: &str| {
            let full = format!("{LETTER_PREFIX}{name}");
            let mut found = own.iter().filter(|(known, _)| *known == full);
            match (found.next(), found.next()) {
                (Some((_, Some(value))), None) => {
                    String::from_utf8(value.clone()).map_err(|error| error.to_string())
                }
                (Some(_), Some(_)) => Err(format!("header {full} twice")),
                _ => Err(format!("no header {full}")),
            }
        };
        for name in LETTER_HEADERS {
            text(name)?;
        }
        let nonce = original.iter().find(|(name, _)| name == "x-nonce");
        let nonce = nonce.and_then(|(_, value)| String::from_utf8(value.clone()?).ok());
        let source = Source {
            topic: text("topic")?,
            partition: text("partition")?
                .parse()
                .map_err(|error| format!("crisol_dlq_partition: {error}"))?,
            offset: text("offset")?
                .parse()
                .map_err(|error| format!("crisol_dlq_offset: {error}"))?,
        };
        let letter = Output::Letter {
            nonce,
            digest: text("digest")?,
            reason: text("reason")?,
            original,
        };
        Ok((letter, source))
    }
}

// === impl Source ===

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}
