//! The stable codes of an assessment.
//!
//! Each is one word on events and metrics; a code is never reused for another meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a patch is not a pure bump of packages that the APV names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotABumpReason {
    /// A file is neither a manifest nor a lock file of a known ecosystem.
    NotAManifest,
    /// The file has a manifest's name but lies among dependencies, tests, fixtures or build output.
    NotTheProjectsManifest,
    /// The path itself cannot be trusted: a letter outside ASCII, a backslash, a segment that wanders.
    StrangePath,
    /// A file is new, deleted, moved, copied, binary, changes its mode, or stands in the diff twice.
    FileChange,
    /// Hunks overlap or stand out of order, so that what they do depends on who applies them.
    HunkOrder,
    /// A changed line holds a character outside printable ASCII and tab.
    ForeignCharacter,
    /// A changed line is neither a version nor the bookkeeping of one.
    NotUnderstood,
    /// The line stands in a section that names no dependencies, or its section is not to be seen.
    Section,
    /// The lock entry that a changed line belongs to is not to be seen in the hunk.
    EntryNotVisible,
    /// A package moves that the APV does not name.
    OtherPackage,
    /// A dependency appears.
    NewDependency,
    /// A dependency disappears.
    RemovedDependency,
    /// A changed pair of lines differs in more than the version: marker, extras, name, indentation.
    MoreThanTheVersion,
    /// The version comes from elsewhere than the registry: git, URL, path, tag, another index.
    NonRegistrySource,
    /// A line installs under a name that is not the package's.
    Alias,
    /// A `replace` directive, a `[patch]` or a source decides what is built.
    Replaced,
    /// The entry is unpacked from the archive of another package, whatever its version says.
    Bundled,
    /// An option of the installer changes: index, links, editable, included file.
    InstallerOption,
    /// A digest or an artifact changes that belongs to no version that moves.
    IntegrityWithoutVersion,
    /// A digest disappears, or becomes one that can be forged.
    IntegrityDropped,
    /// The whole lock file shows that an entry moves without the digest or the place that belong to it.
    EntryIncomplete,
    /// A line changes but its lowest admitted version does not.
    VersionUnmoved,
    /// No version moves at all.
    NothingMoves,
    /// More places than the judge compares.
    TooManyPlaces,
    /// Whole files differ in something other than the versions of named packages.
    OtherChange,
}

/// Why the facts cannot settle a bump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnverifiableReason {
    /// The facts know no fixed version.
    NoFixKnown,
    /// A version or range of the facts cannot be read, or there are more than the judge compares.
    FactsNotUnderstood,
    /// What the line requires cannot be read as versions.
    RequirementNotUnderstood,
    /// The lowest admitted version is fixed, but what is admitted above it touches an affected range.
    AdmitsAffected,
    /// Several release lines are fixed and no affected range tells to which one the version belongs.
    RangesUnknown,
    /// Only a part of the lock file moves that newer installers do not read.
    LegacyEntryOnly,
    /// The version is a commit, not a release, and no fix that the facts name.
    CommitVersion,
    /// Nothing that was admitted before is affected, so the patch remedies nothing that it shows.
    NothingAffectedMoves,
    /// A line that stays names an affected package, and what it asks for is not understood.
    PlaceNotUnderstood,
    /// A lock entry moves, but the place it is fetched from is not to be seen, or says another version.
    EntryIncomplete,
    /// A lock entry moves, but its digest is not to be seen to move.
    BookkeepingNotSeen,
    /// A locked version does not fit a range that the lock file says it is for.
    OutsideItsRange,
    /// A range disappears from the head of a lock entry, and no manifest of the patch stops asking for it.
    RangeVanished,
    /// The version lies below every fix, but in no affected range.
    NotAffectedBelowFix,
    /// The version moves down, to one that is not affected.
    MovesDown,
    /// The version is a pre-release of a fix: nothing tells whether it holds the fix already.
    PreReleaseOfFix,
    /// The module's path does not take a version of this major number: nothing is built.
    VersionNotOfPath,
    /// The lines end as on Windows, or some do: the patch fits only a file that ends its lines alike.
    LineEnds,
    /// The diff does not fit the text of a file that came as its text before.
    FilesDisagree,
    /// A file is not one of its format, before or after.
    FileNotUnderstood,
    /// The new version needs something that the lock file does not install.
    DependenciesMove,
}

/// Why a bump does not remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefutedReason {
    /// The lowest admitted version lies in an affected range.
    InsideAffected,
    /// The lowest admitted version is below every fixed version, and no range says that it is not affected.
    BelowEveryFix,
    /// The version moves down, from one that was not affected.
    Downgrade,
    /// Another place of the package, to be seen in the diff, stays where the fix is not.
    PlaceLeftBehind,
    /// The version of a lock entry moves, its digest or URL stays that of the old archive.
    BookkeepingUnmoved,
}

impl NotABumpReason {
    /// Returns the code, as serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAManifest => "not_a_manifest",
            Self::NotTheProjectsManifest => "not_the_projects_manifest",
            Self::StrangePath => "strange_path",
            Self::FileChange => "file_change",
            Self::HunkOrder => "hunk_order",
            Self::ForeignCharacter => "foreign_character",
            Self::NotUnderstood => "not_understood",
            Self::Section => "section",
            Self::EntryNotVisible => "entry_not_visible",
            Self::OtherPackage => "other_package",
            Self::NewDependency => "new_dependency",
            Self::RemovedDependency => "removed_dependency",
            Self::MoreThanTheVersion => "more_than_the_version",
            Self::NonRegistrySource => "non_registry_source",
            Self::Alias => "alias",
            Self::Replaced => "replaced",
            Self::Bundled => "bundled",
            Self::InstallerOption => "installer_option",
            Self::IntegrityWithoutVersion => "integrity_without_version",
            Self::IntegrityDropped => "integrity_dropped",
            Self::EntryIncomplete => "entry_incomplete",
            Self::VersionUnmoved => "version_unmoved",
            Self::NothingMoves => "nothing_moves",
            Self::TooManyPlaces => "too_many_places",
            Self::OtherChange => "other_change",
        }
    }
}

impl UnverifiableReason {
    /// Returns the code, as serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFixKnown => "no_fix_known",
            Self::FactsNotUnderstood => "facts_not_understood",
            Self::RequirementNotUnderstood => "requirement_not_understood",
            Self::AdmitsAffected => "admits_affected",
            Self::RangesUnknown => "ranges_unknown",
            Self::LegacyEntryOnly => "legacy_entry_only",
            Self::CommitVersion => "commit_version",
            Self::NothingAffectedMoves => "nothing_affected_moves",
            Self::PlaceNotUnderstood => "place_not_understood",
            Self::EntryIncomplete => "entry_incomplete",
            Self::BookkeepingNotSeen => "bookkeeping_not_seen",
            Self::OutsideItsRange => "outside_its_range",
            Self::RangeVanished => "range_vanished",
            Self::NotAffectedBelowFix => "not_affected_below_fix",
            Self::MovesDown => "moves_down",
            Self::PreReleaseOfFix => "pre_release_of_fix",
            Self::VersionNotOfPath => "version_not_of_path",
            Self::LineEnds => "line_ends",
            Self::FilesDisagree => "files_disagree",
            Self::FileNotUnderstood => "file_not_understood",
            Self::DependenciesMove => "dependencies_move",
        }
    }
}

impl RefutedReason {
    /// Returns the code, as serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsideAffected => "inside_affected",
            Self::BelowEveryFix => "below_every_fix",
            Self::Downgrade => "downgrade",
            Self::PlaceLeftBehind => "place_left_behind",
            Self::BookkeepingUnmoved => "bookkeeping_unmoved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NotABumpReason, RefutedReason, UnverifiableReason};

    #[test]
    fn a_code_is_what_is_serialised() {
        let not = NotABumpReason::NotTheProjectsManifest;
        let open = UnverifiableReason::NothingAffectedMoves;
        let refuted = RefutedReason::PlaceLeftBehind;
        assert_eq!(serde_json::to_value(not).unwrap(), not.as_str());
        assert_eq!(serde_json::to_value(open).unwrap(), open.as_str());
        assert_eq!(serde_json::to_value(refuted).unwrap(), refuted.as_str());
    }
}
