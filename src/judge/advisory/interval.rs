//! Sets of versions between two bounds.

use std::ops::Bound;

use super::version::Version;

/// The versions between two bounds of one ecosystem.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    /// Where the interval begins.
    pub lower: Bound<Version>,
    /// Where the interval ends.
    pub upper: Bound<Version>,
}

impl Interval {
    /// Returns every version.
    pub fn all() -> Self {
        Self {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
        }
    }

    /// Returns exactly one version.
    pub fn point(version: Version) -> Self {
        Self {
            lower: Bound::Included(version.clone()),
            upper: Bound::Included(version),
        }
    }

    /// Returns the versions in `[lower, upper)`.
    pub fn half_open(lower: Version, upper: Version) -> Self {
        Self {
            lower: Bound::Included(lower),
            upper: Bound::Excluded(upper),
        }
    }

    /// Returns what both admit; perhaps nothing, see [`Interval::is_empty`].
    pub fn and(self, other: Self) -> Self {
        Self {
            lower: later_lower(self.lower, other.lower),
            upper: earlier_upper(self.upper, other.upper),
        }
    }

    /// Returns the interval with the pre-releases of the release that it begins with. One version alone
    /// stays as it is.
    pub fn begun_by_pre_releases(self) -> Self {
        match (self.lower, self.upper) {
            (Bound::Included(from), Bound::Included(to)) if from == to => Self::point(from),
            (Bound::Included(from), upper) => Self {
                lower: Bound::Included(from.first_pre_release()),
                upper,
            },
            (lower, upper) => Self { lower, upper },
        }
    }

    /// Whether the bounds leave no version.
    pub fn is_empty(&self) -> bool {
        !reaches(&self.lower, &self.upper)
    }

    /// Whether the version lies between the bounds.
    pub fn contains(&self, version: &Version) -> bool {
        let above = match &self.lower {
            Bound::Unbounded => true,
            Bound::Included(bound) => bound <= version,
            Bound::Excluded(bound) => bound < version,
        };
        above
            && match &self.upper {
                Bound::Unbounded => true,
                Bound::Included(bound) => version <= bound,
                Bound::Excluded(bound) => version < bound,
            }
    }

    /// Whether some version may lie in both, taking the order as dense: never falsely `false`.
    pub fn touches(&self, other: &Self) -> bool {
        reaches(&self.lower, &other.upper) && reaches(&other.lower, &self.upper)
    }
}

/// Whether an interval from `lower` to `upper` holds anything.
fn reaches(lower: &Bound<Version>, upper: &Bound<Version>) -> bool {
    match (lower, upper) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(from), Bound::Included(to)) => from <= to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from < to,
    }
}

fn later_lower(left: Bound<Version>, right: Bound<Version>) -> Bound<Version> {
    match (&left, &right) {
        (_, Bound::Unbounded) => left,
        (Bound::Unbounded, _) => right,
        (
            Bound::Included(one) | Bound::Excluded(one),
            Bound::Included(two) | Bound::Excluded(two),
        ) => {
            if two > one || (two == one && matches!(right, Bound::Excluded(_))) {
                right
            } else {
                left
            }
        }
    }
}

fn earlier_upper(left: Bound<Version>, right: Bound<Version>) -> Bound<Version> {
    match (&left, &right) {
        (_, Bound::Unbounded) => left,
        (Bound::Unbounded, _) => right,
        (
            Bound::Included(one) | Bound::Excluded(one),
            Bound::Included(two) | Bound::Excluded(two),
        ) => {
            if two < one || (two == one && matches!(right, Bound::Excluded(_))) {
                right
            } else {
                left
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::{Interval, Version};
    use crate::event::facts::Ecosystem;

    fn version(text: &str) -> Version {
        Version::parse(Ecosystem::Npm, text).unwrap()
    }

    #[test]
    fn half_open_intervals_that_only_meet_do_not_touch() {
        let below = Interval::half_open(version("1.0.0"), version("2.0.0"));
        let above = Interval::half_open(version("2.0.0"), version("3.0.0"));
        assert!(!below.touches(&above) && !above.touches(&below));
        assert!(below.touches(&Interval::point(version("1.0.0"))));
        assert!(!below.touches(&Interval::point(version("2.0.0"))));
        assert!(Interval::all().touches(&below));
    }

    #[test]
    fn contradicting_bounds_admit_nothing() {
        let one = Interval::half_open(version("1.0.0"), version("2.0.0"));
        let two = Interval {
            lower: Bound::Excluded(version("2.0.0")),
            upper: Bound::Unbounded,
        };
        assert!(one.and(two).is_empty());
    }
}
