//! The kinds of events and how often each occurs.

use super::event::Disposition;
use super::random::Random;

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A good patch or minor bump where nothing else is ever open.
    GoodBump,
    /// A good bump of a CVE of which another package may have an open item.
    SplitBump,
    /// A major bump of one of two packages, which opens an item of that package alone.
    SplitMajor,
    /// A good bump of a CVE whose every kind of item opens sooner or later.
    ContestedBump,
    /// A bump that stays below the fix.
    LowBump,
    /// A bump to the next major version, for which evidence is thin.
    MajorBump,
    /// A good bump of a critical CVE.
    CriticalBump,
    /// A good bump of a CVE whose severity nobody states.
    UnstatedSeverityBump,
    /// A good bump of a CVE that is known to be exploited.
    ExploitedBump,
    /// A bump of a package of which no fixed version is known.
    UnfixedBump,
    /// A bump of a package that the APV does not name.
    WrongPackage,
    /// A change of code.
    Code,
    /// A validation request with code before and after.
    CodeRequest,
    /// A CVE that the table never held, or no longer holds.
    UnknownCve,
    /// A CVE that only the APV on the patch tells of.
    EmbeddedApv,
    /// A CVE whose newest APV record cannot be read.
    InvalidApv,
    /// No value, or an empty one.
    Empty,
    /// Bytes that are not UTF-8.
    BadUtf8,
    /// Text that is not JSON.
    BrokenJson,
    /// JSON that nests 200 deep.
    DeepJson,
    /// A patch event that lacks a field.
    MissingField,
    /// An id that holds a control character.
    ControlCharacter,
    /// A value over 1 MiB.
    TooLarge,
    /// A diff whose hunk promises other lines than it holds.
    LyingHunk,
    /// A diff that names no file.
    NoFile,
    /// A diff of a path with `..`.
    EscapingPath,
}

/// Shares of 10,000. By them about 30 % are decided, 54 % queued and 16 % dead.
const SHARES: [(Kind, u32); 26] = [
    (Kind::GoodBump, 2_600),
    (Kind::SplitBump, 600),
    (Kind::SplitMajor, 150),
    (Kind::ContestedBump, 700),
    (Kind::LowBump, 700),
    (Kind::MajorBump, 500),
    (Kind::CriticalBump, 350),
    (Kind::UnstatedSeverityBump, 300),
    (Kind::ExploitedBump, 300),
    (Kind::UnfixedBump, 350),
    (Kind::WrongPackage, 350),
    (Kind::Code, 450),
    (Kind::CodeRequest, 250),
    (Kind::UnknownCve, 300),
    (Kind::EmbeddedApv, 250),
    (Kind::InvalidApv, 250),
    (Kind::Empty, 200),
    (Kind::BadUtf8, 200),
    (Kind::BrokenJson, 200),
    (Kind::DeepJson, 150),
    (Kind::MissingField, 200),
    (Kind::ControlCharacter, 150),
    (Kind::TooLarge, 5),
    (Kind::LyingHunk, 195),
    (Kind::NoFile, 150),
    (Kind::EscapingPath, 150),
];

// === impl Kind ===

impl Kind {
    /// Returns every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        SHARES.iter().map(|(kind, _)| *kind)
    }

    /// Draws a kind by the fixed shares.
    pub fn draw(random: &mut Random) -> Self {
        let whole: u32 = SHARES.iter().map(|(_, share)| share).sum();
        let mut left = random.below(whole);
        for (kind, share) in SHARES {
            if left < share {
                return kind;
            }
            left -= share;
        }
        unreachable!("the draw lies below the sum of the shares")
    }

    /// Returns the reason of a dead kind; `None` for one that is a patch.
    pub fn fatal(self) -> Option<&'static str> {
        let reason = self.reasons()[0];
        (Disposition::of(reason) == Disposition::Dead).then_some(reason)
    }

    /// Returns the reasons that a kind may come to; what is open decides where there are two.
    pub fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::GoodBump => &["judge_confident"],
            Self::SplitBump | Self::ContestedBump => &["judge_confident", "open_item"],
            Self::SplitMajor | Self::MajorBump => &["no_exploit"],
            Self::LowBump => &["judge_refuses"],
            Self::CriticalBump => &["severity_critical"],
            Self::UnstatedSeverityBump => &["severity_unknown"],
            Self::ExploitedBump => &["kev_listed"],
            Self::UnfixedBump => &["advisory_inconclusive"],
            Self::WrongPackage | Self::Code | Self::CodeRequest => &["judge_unavailable"],
            Self::UnknownCve => &["apv_unknown"],
            Self::EmbeddedApv => &["apv_embedded_only"],
            Self::InvalidApv => &["apv_invalid"],
            Self::Empty => &["empty_value"],
            Self::BadUtf8 => &["invalid_utf8"],
            Self::BrokenJson => &["invalid_json"],
            Self::DeepJson | Self::TooLarge => &["limit_exceeded"],
            Self::MissingField | Self::ControlCharacter => &["schema_violation"],
            Self::LyingHunk | Self::NoFile | Self::EscapingPath => &["diff_invalid"],
        }
    }
}
