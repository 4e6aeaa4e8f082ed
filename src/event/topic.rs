//! The topics, by their logical names.

use std::fmt;

/// A topic of DESIGN's stream, without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Vulnerabilities, written by Oráculo.
    Apv,
    /// Patches, written by Eureka.
    Patches,
    /// Requests to replay an exploit.
    Wargames,
    /// What may ship, and what is taken back.
    Decisions,
    /// What a person must see.
    Hitl,
    /// The items a person still has before them.
    HitlOpen,
    /// What wargames found.
    Verdicts,
    /// Judge against wargame.
    Comparisons,
    /// Settings that every replica obeys.
    Control,
    /// Dead letters.
    Dlq,
}

impl Topic {
    /// Every topic, in the order of the stream.
    pub const ALL: [Self; 10] = [
        Self::Apv,
        Self::Patches,
        Self::Wargames,
        Self::Decisions,
        Self::Hitl,
        Self::HitlOpen,
        Self::Verdicts,
        Self::Comparisons,
        Self::Control,
        Self::Dlq,
    ];

    /// Returns the name without prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apv => "apv",
            Self::Patches => "patches",
            Self::Wargames => "wargames",
            Self::Decisions => "decisions",
            Self::Hitl => "hitl",
            Self::HitlOpen => "hitl-open",
            Self::Verdicts => "verdicts",
            Self::Comparisons => "comparisons",
            Self::Control => "control",
            Self::Dlq => "dlq",
        }
    }

    /// Returns the CloudEvents type of its events.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Apv => "crisol.apv.v1",
            Self::Patches => "crisol.patches.v1",
            Self::Wargames => "crisol.wargames.v1",
            Self::Decisions => "crisol.decisions.v1",
            Self::Hitl => "crisol.hitl.v1",
            Self::HitlOpen => "crisol.hitl-open.v1",
            Self::Verdicts => "crisol.verdicts.v1",
            Self::Comparisons => "crisol.comparisons.v1",
            Self::Control => "crisol.control.v1",
            Self::Dlq => "crisol.dlq.v1",
        }
    }

    /// Returns the full name under `prefix`, which ends with its own separator.
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.as_str())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
