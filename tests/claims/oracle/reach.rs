//! From which version to which a bump moves.

use super::facts::{Ecosystem, End, Package, Version};
use super::manifest::Bump;
use super::random::Random;

/// How far a bump reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To a fixed version of its own major; where none is known, past the last affected one.
    Good,
    /// Up, but below the fix.
    Low,
    /// To a version of the next major that is not affected.
    Major,
}

/// Returns a bump of the package from an affected version.
pub fn bump_of(package: &Package, reach: Reach, random: &mut Random) -> Bump {
    let line = match reach {
        // The oldest line, so that the next major is ahead of it.
        Reach::Major => package.lines[0],
        Reach::Good | Reach::Low => random.pick(&package.lines),
    };
    let (End::FixedIn(end) | End::LastAffected(end)) = line.end;
    let Version(major, minor, patch) = end;
    let same_minor = random.chance(50);
    let from = match same_minor {
        true => Version(major, minor, random.below(patch - 1)),
        false => Version(major, random.below(minor), random.below(10)),
    };
    let to = match reach {
        Reach::Low => Version(
            major,
            minor,
            random.between(if same_minor { from.2 + 1 } else { 0 }, patch - 1),
        ),
        Reach::Good if !same_minor && random.chance(40) => {
            Version(major, minor + 1, random.below(5))
        }
        // One past the end: also where the end is the last version affected.
        Reach::Good => Version(
            major,
            minor,
            patch + random.between(u32::from(line.end == End::LastAffected(end)), 3),
        ),
        Reach::Major => match package.lines.get(1).map(|next| next.end) {
            Some(
                End::FixedIn(Version(major, minor, patch))
                | End::LastAffected(Version(major, minor, patch)),
            ) => Version(major, minor, patch + random.below(3)),
            None => Version(major + 1, random.below(4), random.below(4)),
        },
    };
    Bump {
        ecosystem: package.ecosystem,
        name: respelled(package, random),
        from,
        to,
    }
}

/// Returns a name that means the package; PyPI's may be spelled otherwise than the APV does.
pub fn respelled(package: &Package, random: &mut Random) -> String {
    match package.ecosystem {
        Ecosystem::PyPi => match random.below(3) {
            0 => package.name.clone(),
            1 => package.name.replace(['_', '.'], "-"),
            _ => package.name.to_uppercase().replace('_', "-"),
        },
        _ => package.name.clone(),
    }
}
