//! How far a version moves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::version::Version;

/// The level that a bump moves, by the position of the first number that differs.
///
/// Numbers are taken literally in every ecosystem: 0.26 to 0.27 is minor, as update tools say it,
/// although caret ranges treat it as breaking. Ordered from narrow to wide.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The third number or a later part: also pre-release, post-release and qualifier.
    Patch,
    /// The second number.
    Minor,
    /// The first number, or the epoch.
    Major,
    /// The lowest admitted version before is not known, as with `*`.
    Unknown,
    /// The version moves down.
    Downgrade,
}

impl Level {
    /// Returns the name used on events and as key of evidence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Unknown => "unknown",
            Self::Downgrade => "downgrade",
        }
    }

    /// Returns the level between two versions of one ecosystem.
    pub(super) fn between(before: &Version, after: &Version) -> Self {
        if after < before {
            return Self::Downgrade;
        }
        let (old, new) = (before.numbers(), after.numbers());
        if (old.epoch, old.major) != (new.epoch, new.major) {
            Self::Major
        } else if old.minor != new.minor {
            Self::Minor
        } else {
            Self::Patch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Version};
    use crate::event::evidence::COUNTED;
    use crate::event::facts::Ecosystem;

    fn level(ecosystem: Ecosystem, before: &str, after: &str) -> Level {
        Level::between(
            &Version::parse(ecosystem, before).unwrap(),
            &Version::parse(ecosystem, after).unwrap(),
        )
    }

    #[test]
    fn every_level_that_a_remedy_can_have_is_counted() {
        let levels = [Level::Patch, Level::Minor, Level::Major, Level::Unknown].map(Level::as_str);
        assert!(COUNTED.contains(&("advisory", &levels)));
    }

    #[test]
    fn the_first_number_that_differs_is_the_level() {
        assert_eq!(level(Ecosystem::Npm, "4.17.20", "4.17.21"), Level::Patch);
        assert_eq!(level(Ecosystem::PyPi, "0.26.1", "0.27"), Level::Minor);
        assert_eq!(level(Ecosystem::PyPi, "1.0", "1!0.1"), Level::Major);
        assert_eq!(level(Ecosystem::PyPi, "3.2rc1", "3.2.0"), Level::Patch);
        assert_eq!(level(Ecosystem::Go, "v1.9.0", "v2.0.0"), Level::Major);
        assert_eq!(level(Ecosystem::Maven, "2.14.0", "2.17.1"), Level::Minor);
        assert_eq!(
            level(Ecosystem::CratesIo, "1.2.4", "1.2.3"),
            Level::Downgrade
        );
    }

    #[test]
    fn levels_are_ordered_from_narrow_to_wide() {
        assert!(Level::Patch < Level::Minor && Level::Minor < Level::Major);
        assert!(Level::Major < Level::Unknown && Level::Unknown < Level::Downgrade);
    }
}
