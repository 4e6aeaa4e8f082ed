//! One version of one ecosystem, in that ecosystem's total order.

mod maven;

use std::cmp::Ordering;

use crate::event::facts::Ecosystem;

pub(super) use maven::MavenVersion;

/// Longer texts are no versions; npm's own limit is 256.
const MAX_VERSION_BYTES: usize = 128;

/// A version that parsed.
///
/// Versions of different ecosystems are ordered by ecosystem, so that the order is total; the judge
/// never compares them. Build metadata does not count (semver 2.0.0, item 10).
#[derive(Debug, Clone)]
pub(super) enum Version {
    /// npm: semver 2.0.0, read strictly. (Libraries that follow npm also accept its loose forms, as
    /// `1.2.3.4`, which npm itself takes for a tag where a requirement stands.)
    Npm(semver::Version),
    /// PyPI: PEP 440.
    PyPi(pep440_rs::Version),
    /// crates.io: semver 2.0.0.
    CratesIo(semver::Version),
    /// Go: semver 2.0.0 with a leading `v`, pseudo-versions and `+incompatible` included.
    Go(semver::Version),
    /// Maven: the order of its `ComparableVersion`. Boxed: it is a tree.
    Maven(Box<MavenVersion>),
}

/// The leading numbers of a version; absent ones are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    /// PEP 440's epoch; 0 elsewhere.
    pub epoch: u64,
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
}

impl Version {
    /// Returns the version, if `text` is a complete one as a lock file writes it.
    ///
    /// A leading `v` is required for Go and tolerated for npm, as their tools do.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        if text.len() > MAX_VERSION_BYTES || !text.bytes().all(is_version_byte) {
            return None;
        }
        match ecosystem {
            Ecosystem::Npm => {
                let bare = text.strip_prefix('v').unwrap_or(text);
                semver::Version::parse(bare).ok().map(Self::Npm)
            }
            Ecosystem::PyPi => text.parse().ok().map(Self::PyPi),
            Ecosystem::CratesIo => semver::Version::parse(text).ok().map(Self::CratesIo),
            Ecosystem::Go => {
                let bare = text.strip_prefix('v')?;
                semver::Version::parse(bare).ok().map(Self::Go)
            }
            Ecosystem::Maven => {
                MavenVersion::parse(text).map(|version| Self::Maven(Box::new(version)))
            }
            Ecosystem::Other => None,
        }
    }

    /// Returns the version, if `text` is one as advisories write it: short forms (`10.3`, `0`) are
    /// filled with zeros, and Go's `v` may be missing.
    pub fn parse_fact(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        match ecosystem {
            Ecosystem::Npm | Ecosystem::CratesIo | Ecosystem::Go => {
                let bare = text.strip_prefix('v').unwrap_or(text);
                if let Some([major, minor, patch]) = short_numbers(bare) {
                    return Some(Self::from_numbers(ecosystem, major, minor, patch));
                }
                match ecosystem {
                    Ecosystem::Go => Self::parse(ecosystem, &format!("v{bare}")),
                    _ => Self::parse(ecosystem, bare),
                }
            }
            _ => Self::parse(ecosystem, text),
        }
    }

    /// Returns `major.minor.patch` of npm, crates.io or Go; for any other ecosystem the crates.io one.
    pub fn from_numbers(ecosystem: Ecosystem, major: u64, minor: u64, patch: u64) -> Self {
        let version = semver::Version::new(major, minor, patch);
        match ecosystem {
            Ecosystem::Npm => Self::Npm(version),
            Ecosystem::Go => Self::Go(version),
            _ => Self::CratesIo(version),
        }
    }

    /// Returns the version just before every pre-release of `major.minor.patch`: `-0`, the exclusive
    /// upper bound that npm and cargo give to caret and tilde.
    pub fn before_numbers(ecosystem: Ecosystem, major: u64, minor: u64, patch: u64) -> Self {
        let mut version = semver::Version::new(major, minor, patch);
        version.pre = semver::Prerelease::new("0").unwrap_or_default();
        match ecosystem {
            Ecosystem::Npm => Self::Npm(version),
            _ => Self::CratesIo(version),
        }
    }

    /// Returns a version before every pre-release of this one, if it is a release: where what began with
    /// this release began. A pre-release is its own beginning.
    pub fn first_pre_release(self) -> Self {
        match self {
            Self::Npm(version) if version.pre.is_empty() => {
                Self::before_numbers(Ecosystem::Npm, version.major, version.minor, version.patch)
            }
            Self::CratesIo(version) if version.pre.is_empty() => Self::before_numbers(
                Ecosystem::CratesIo,
                version.major,
                version.minor,
                version.patch,
            ),
            Self::Go(mut version) if version.pre.is_empty() => {
                version.pre = semver::Prerelease::new("0").unwrap_or_default();
                Self::Go(version)
            }
            Self::PyPi(version) if !version.any_prerelease() && !version.is_post() => {
                Self::PyPi(version.with_dev(Some(0)))
            }
            Self::Maven(version) => Self::Maven(Box::new(version.first_pre_release())),
            other => other,
        }
    }

    /// Whether this is a pre-release of `release`, and of no other version.
    pub fn is_pre_release_of(&self, release: &Self) -> bool {
        self < release && *self >= release.clone().first_pre_release()
    }

    /// Returns the leading numbers.
    pub fn numbers(&self) -> Numbers {
        let (epoch, major, minor) = match self {
            Self::Npm(version) | Self::CratesIo(version) | Self::Go(version) => {
                (0, version.major, version.minor)
            }
            Self::PyPi(version) => {
                let mut release = version.release().iter().copied();
                let major = release.next().unwrap_or(0);
                (version.epoch(), major, release.next().unwrap_or(0))
            }
            Self::Maven(version) => {
                let (major, minor) = version.leading_numbers();
                (0, major, minor)
            }
        };
        Numbers {
            epoch,
            major,
            minor,
        }
    }

    /// Returns `major.minor.patch` of npm, crates.io or Go; `None` for any other ecosystem.
    pub fn three_numbers(&self) -> Option<[u64; 3]> {
        match self {
            Self::Npm(version) | Self::CratesIo(version) | Self::Go(version) => {
                Some([version.major, version.minor, version.patch])
            }
            Self::PyPi(_) | Self::Maven(_) => None,
        }
    }

    /// Whether PEP 440 calls this a local version (`1.0+local`), which no index publishes.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::PyPi(version) if version.is_local())
    }

    /// Whether this is a Go pseudo-version, `v0.0.0-20191109021931-daa7c04131f5`: a commit without a tag.
    pub fn is_commit(&self) -> bool {
        let Self::Go(version) = self else {
            return false;
        };
        version
            .pre
            .rsplit_once('-')
            .is_some_and(|(before, revision)| {
                let time = before.rsplit_once('.').map_or(before, |(_, time)| time);
                revision.len() == 12
                    && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && time.len() == 14
                    && time.bytes().all(|byte| byte.is_ascii_digit())
            })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Npm(_) => 0,
            Self::PyPi(_) => 1,
            Self::CratesIo(_) => 2,
            Self::Go(_) => 3,
            Self::Maven(_) => 4,
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::PyPi(left), Self::PyPi(right)) => left.cmp(right),
            (Self::Npm(left), Self::Npm(right))
            | (Self::CratesIo(left), Self::CratesIo(right))
            | (Self::Go(left), Self::Go(right)) => left.cmp_precedence(right),
            (Self::Maven(left), Self::Maven(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Whether a version of any ecosystem may hold the byte.
fn is_version_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'!')
}

/// Returns up to three dotted numbers, filled with zeros.
fn short_numbers(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0_u64; 3];
    let (mut index, mut digits) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                let number = numbers.get_mut(index)?;
                *number = number
                    .checked_mul(10)?
                    .checked_add(u64::from(byte - b'0'))?;
                digits += 1;
            }
            b'.' if digits > 0 => (index, digits) = (index + 1, 0),
            _ => return None,
        }
    }
    (digits > 0).then_some(numbers)
}

#[cfg(test)]
mod tests;
