//! What stands around the moves: ranges of lock heads, copies of requirements, bookkeeping and exclusions
//! must fit what the moves say.

use super::{ReadMove, Worst, described, judge_stay};
use crate::diff::Side;
use crate::judge::advisory::foreign::located;
use crate::judge::advisory::known::{Advisory, Finding};
use crate::judge::advisory::manifest::ranges;
use crate::judge::advisory::pair::{Head, Reading};
use crate::judge::advisory::path::{Digests, FileKind};
use crate::judge::advisory::place::{Package, Place, Role};
use crate::judge::advisory::reason::{RefutedReason, UnverifiableReason};
use crate::judge::advisory::requirement::{Syntax, admitted};
use crate::judge::advisory::version::Version;

/// Notes every finding of what stands around the moves.
pub(super) fn note<'f>(
    reading: &Reading<'_>,
    moves: &[ReadMove<'_, '_>],
    advisory: &'f Advisory,
    worst: &mut Worst<'f>,
) {
    for head in &reading.heads {
        if let Some(reason) = misfit(head, moves) {
            worst.note(Finding::Open(reason), || {
                located(head.file.path, head.after)
            });
        }
    }
    note_copies(reading, worst);
    note_bookkeeping(reading, worst);
    note_artifacts_that_stay(reading, advisory, worst);
    let open = |reason| Finding::Open(reason);
    for (file, package, line) in &reading.inherits {
        let shared =
            |place: &Place<'_>| place.shared && place.package.same(file.ecosystem(), package);
        let known = reading.moves.iter().any(|moved| shared(&moved.after))
            || reading.stays.iter().any(|stay| shared(&stay.place));
        if !known {
            let finding = open(UnverifiableReason::PlaceNotUnderstood);
            worst.note(finding, || located(file.path, line.trim()));
        }
    }
    for (file, package, version) in &reading.excludes {
        let taken = reading.moves.iter().any(|moved| {
            moved.after.package.same(file.ecosystem(), package) && moved.after.text == *version
        });
        if taken {
            let finding = open(UnverifiableReason::PlaceNotUnderstood);
            worst.note(finding, || located(file.path, version));
        }
    }
    for property in &reading.properties {
        let name = advisory
            .packages
            .get(property.package)
            .map(|fact| &fact.name);
        let known = advisory
            .known(|fact| fact.ecosystem == property.file.ecosystem() && Some(&fact.name) == name);
        let finding = known.and_then(|(_, known)| {
            let value = admitted(
                property.file.ecosystem(),
                Syntax::Maven,
                property.place.text,
            );
            value.ok().map(|value| known.judge(&value))
        });
        // It may be the version of another package that is called alike: not understood, not refuted.
        if !matches!(finding, Some(Finding::Reaches(_))) {
            let finding = open(UnverifiableReason::PlaceNotUnderstood);
            worst.note(finding, || described(property.file, &property.place));
        }
    }
}

/// Returns why a head does not fit the version that its entry locks.
fn misfit(head: &Head<'_>, moves: &[ReadMove<'_, '_>]) -> Option<UnverifiableReason> {
    let ecosystem = head.file.ecosystem();
    let version = Version::parse(ecosystem, head.version)?;
    let admits = |range: &str| {
        admitted(ecosystem, Syntax::Npm, range)
            .is_ok_and(|range| range.intervals().any(|part| part.contains(&version)))
    };
    if !ranges(head.after).all(admits) {
        return Some(UnverifiableReason::OutsideItsRange);
    }
    let before = head.before?;
    let is_new = |range: &&str| !ranges(before).any(|known| known == *range);
    let mut replacements = ranges(head.after).filter(is_new).count();
    for gone in ranges(before).filter(|range| !ranges(head.after).any(|kept| kept == *range)) {
        let manifest_moves = moves.iter().any(|read| {
            let moved = read.moved;
            moved.file.kind == FileKind::PackageJson && moved.before.text == gone
        });
        if manifest_moves {
            continue;
        }
        // Somebody still asks for it: then the resolver takes what is newest in it.
        if replacements == 0 || !admits(gone) {
            return Some(UnverifiableReason::RangeVanished);
        }
        replacements -= 1;
    }
    None
}

/// A range that a lock file repeats must admit a version that the same file locks.
fn note_copies(reading: &Reading<'_>, worst: &mut Worst<'_>) {
    let moved = reading
        .moves
        .iter()
        .filter(|moved| moved.file.kind.is_lock() && moved.after.role == Role::Requirement)
        .map(|moved| (moved.file, &moved.after));
    let stays = reading.copies.iter().map(|copy| (copy.file, &copy.place));
    for (file, place) in moved.chain(stays) {
        let ecosystem = file.ecosystem();
        let range = admitted(ecosystem, place.syntax, place.text);
        let locked = reading
            .moves
            .iter()
            .map(|moved| (moved.file, &moved.after))
            .chain(reading.stays.iter().map(|stay| (stay.file, &stay.place)))
            .filter(|(other, locked)| {
                other.path == file.path
                    && matches!(locked.role, Role::Locked | Role::Mention)
                    && locked.package.same(ecosystem, &place.package)
            });
        let (mut any, mut fits) = (false, false);
        for (_, locked) in locked {
            any = true;
            let version = admitted(ecosystem, locked.syntax, locked.text);
            fits |= match (&range, version) {
                (Ok(range), Ok(version)) => version
                    .lowest()
                    .is_some_and(|version| range.intervals().any(|part| part.contains(version))),
                _ => false,
            };
        }
        if any && !fits {
            let reason = match range {
                Ok(_) => UnverifiableReason::OutsideItsRange,
                Err(_) => UnverifiableReason::PlaceNotUnderstood,
            };
            worst.note(Finding::Open(reason), || described(file, place));
        }
    }
}

/// Where digests do not stand in the entry that moves, they must be seen to move elsewhere in its file.
fn note_bookkeeping(reading: &Reading<'_>, worst: &mut Worst<'_>) {
    for moved in &reading.moves {
        let (file, after) = (moved.file, &moved.after);
        let ecosystem = file.ecosystem();
        let same = |package: &Package<'_>, version: &str| {
            package.same(ecosystem, &after.package) && version == after.text
        };
        let named = |kind: FileKind| {
            reading
                .marks
                .iter()
                .filter(move |mark| mark.side == Side::Added && mark.file.kind == kind)
                .chain(
                    reading
                        .kept
                        .iter()
                        .filter(move |mark| mark.file.kind == kind),
                )
                .filter(|mark| spelled(&mark.package, mark.version, after, ecosystem))
        };
        let seen = match file.kind.digests() {
            Digests::OfVersions if after.role == Role::Locked => reading
                .digested
                .iter()
                .any(|(path, package, version)| *path == file.path && same(package, version)),
            Digests::OfArtifacts if after.role == Role::Locked => named(file.kind).next().is_some(),
            // Without any line of `go.sum` the tool writes them itself.
            _ if file.kind == FileKind::GoMod => {
                let mut sums = named(FileKind::GoSum).peekable();
                sums.peek().is_none() || sums.any(|sum| !sum.partial)
            }
            _ => true,
        };
        if !seen {
            let finding = Finding::Open(UnverifiableReason::BookkeepingNotSeen);
            worst.note(finding, || described(file, after));
        }
    }
}

/// Whether an artifact is of the package and version of a place, whatever the spelling of the version.
fn spelled(
    package: &Package<'_>,
    version: &str,
    place: &Place<'_>,
    ecosystem: crate::event::facts::Ecosystem,
) -> bool {
    package.same(ecosystem, &place.package)
        && (version == place.text
            || Version::parse(ecosystem, version)
                .is_some_and(|one| Version::parse(ecosystem, place.text) == Some(one)))
}

/// An artifact that stays may be of the version after, or of another entry that is no worse than a fix.
fn note_artifacts_that_stay<'f>(
    reading: &Reading<'_>,
    advisory: &'f Advisory,
    worst: &mut Worst<'f>,
) {
    for mark in &reading.kept {
        // Sums of versions that nobody builds any more are usual, and so are those of the graph.
        if mark.file.kind == FileKind::GoSum {
            continue;
        }
        let ecosystem = mark.file.ecosystem();
        let of = |place: &Place<'_>| spelled(&mark.package, mark.version, place, ecosystem);
        let here = |path: &str| path == mark.file.path;
        let moves = || reading.moves.iter().filter(|moved| here(moved.file.path));
        if moves().any(|moved| of(&moved.after))
            || reading
                .stays
                .iter()
                .any(|stay| here(stay.file.path) && of(&stay.place))
        {
            continue;
        }
        let finding = if moves().any(|moved| of(&moved.before)) {
            Finding::Refuted(RefutedReason::BookkeepingUnmoved)
        } else {
            let mut place = Place::new(mark.package, Role::Mention, Syntax::Exact, "", "");
            place.text = mark.version;
            judge_stay(mark.file, &place, advisory)
                .unwrap_or(Finding::Open(UnverifiableReason::PlaceNotUnderstood))
        };
        worst.note(finding, || located(mark.file.path, mark.version));
    }
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;
    use crate::judge::advisory::path::{PathKind, classify};

    fn misfits(before: Option<&str>, after: &str, version: &str) -> Option<UnverifiableReason> {
        let PathKind::Manifest(kind) = classify("yarn.lock") else {
            panic!("a lock file");
        };
        let file = File {
            path: "yarn.lock",
            kind,
        };
        let head = Head {
            file,
            before,
            after,
            version,
        };
        misfit(&head, &[])
    }

    #[test]
    fn a_head_fits_where_all_its_ranges_admit_the_version() {
        assert_eq!(misfits(None, "a@^1.0.0, a@^1.2.0:", "1.2.4"), None);
        let outside = Some(UnverifiableReason::OutsideItsRange);
        assert_eq!(misfits(None, "a@1.2.3, a@^1.2.0:", "1.2.4"), outside);
        assert_eq!(misfits(None, "a@latest:", "1.2.4"), outside);
    }

    #[test]
    fn a_range_may_be_replaced_but_not_vanish() {
        let vanished = Some(UnverifiableReason::RangeVanished);
        let after = |before, after| misfits(Some(before), after, "1.2.4");
        assert_eq!(after("a@^1.2.3:", "a@^1.2.4:"), None);
        assert_eq!(after("a@1.2.3:", "a@^1.2.4:"), vanished);
        assert_eq!(after("a@^1.2.3, a@^1.0.0:", "a@^1.2.3:"), vanished);
        assert_eq!(after("a@^1.2.3:", "a@^1.2.3, a@^1.0.0:"), None);
    }
}
