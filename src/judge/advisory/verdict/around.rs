//! What stands around the moves: ranges of lock heads, copies of requirements, bookkeeping and exclusions
//! must fit what the moves say.

use super::{ReadMove, Worst, described, judge_stay, point_of};
use crate::diff::Side;
use crate::judge::advisory::foreign::located;
use crate::judge::advisory::known::{Advisory, Finding};
use crate::judge::advisory::manifest::ranges;
use crate::judge::advisory::pair::{File, Head, NamedMark, Reading};
use crate::judge::advisory::path::{Digests, FileKind};
use crate::judge::advisory::place::{Place, Role};
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
    let artifacts: Vec<Artifact<'_, '_>> = reading
        .marks
        .iter()
        .chain(&reading.kept)
        .map(|mark| Artifact {
            mark,
            version: Version::parse(mark.file.ecosystem(), mark.version),
        })
        .collect();
    note_bookkeeping(reading, moves, &artifacts, worst);
    if !reading.kept.is_empty() {
        note_artifacts_that_stay(reading, moves, &artifacts, advisory, worst);
    }
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

/// More ranges than any head has: they are compared with each other.
const MAX_RANGES: usize = 64;

/// Returns why a head does not fit the version that its entry locks.
fn misfit(head: &Head<'_>, moves: &[ReadMove<'_, '_>]) -> Option<UnverifiableReason> {
    let ecosystem = head.file.ecosystem();
    let version = Version::parse(ecosystem, head.version)?;
    let read = |range: &str| admitted(ecosystem, Syntax::Npm, range).ok();
    let admits = |range: &str| {
        read(range).is_some_and(|range| range.intervals().any(|part| part.contains(&version)))
    };
    let many = |head: &str| ranges(head).count() > MAX_RANGES;
    if many(head.after) || head.before.is_some_and(many) {
        return Some(UnverifiableReason::PlaceNotUnderstood);
    }
    if ranges(head.after).any(|range| read(range).is_none()) {
        return Some(UnverifiableReason::PlaceNotUnderstood);
    }
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

/// A version that a lock file holds, with where and of what.
struct Held<'r, 'a> {
    file: File<'a>,
    place: &'r Place<'a>,
    version: Option<Version>,
}

/// Returns the versions that the diff shows in lock files after it, each read once.
fn held<'r, 'a>(reading: &'r Reading<'a>) -> Vec<Held<'r, 'a>> {
    let moved = reading.moves.iter().map(|moved| (moved.file, &moved.after));
    let stays = reading.stays.iter().map(|stay| (stay.file, &stay.place));
    moved
        .chain(stays)
        .filter(|(file, place)| {
            file.kind.is_lock() && matches!(place.role, Role::Locked | Role::Mention)
        })
        .map(|(file, place)| Held {
            file,
            place,
            version: version_of(file, place),
        })
        .collect()
}

/// Returns the one version of a place.
fn version_of(file: File<'_>, place: &Place<'_>) -> Option<Version> {
    let text = place.text.trim_start_matches('=');
    Version::parse(file.ecosystem(), text)
}

/// A range that a lock file repeats must admit a version that the same file locks.
fn note_copies(reading: &Reading<'_>, worst: &mut Worst<'_>) {
    let moved = reading
        .moves
        .iter()
        .filter(|moved| moved.file.kind.is_lock() && moved.after.role == Role::Requirement)
        .map(|moved| (moved.file, &moved.after));
    let stays = reading.copies.iter().map(|copy| (copy.file, &copy.place));
    let mut copies = moved.chain(stays).peekable();
    if copies.peek().is_none() {
        return;
    }
    let held = held(reading);
    for (file, place) in copies {
        let ecosystem = file.ecosystem();
        let mut locked = held
            .iter()
            .filter(|held| {
                held.file.path == file.path && held.place.package.same(ecosystem, &place.package)
            })
            .peekable();
        if locked.peek().is_none() {
            continue;
        }
        let reason = match admitted(ecosystem, place.syntax, place.text) {
            Err(_) => UnverifiableReason::PlaceNotUnderstood,
            Ok(range) => {
                let fits = |version: &Version| range.intervals().any(|part| part.contains(version));
                if locked.any(|held| held.version.as_ref().is_some_and(fits)) {
                    continue;
                }
                UnverifiableReason::OutsideItsRange
            }
        };
        worst.note(Finding::Open(reason), || described(file, place));
    }
}

/// Bookkeeping that names its package and version, read once.
struct Artifact<'r, 'a> {
    mark: &'r NamedMark<'a>,
    version: Option<Version>,
}

impl Artifact<'_, '_> {
    /// Whether it is of the package and version of a place, whatever the spelling of the version.
    fn is_of(&self, place: &Place<'_>, version: Option<&Version>) -> bool {
        self.mark
            .package
            .same(self.mark.file.ecosystem(), &place.package)
            && (self.mark.version == place.text
                || (version.is_some() && self.version.as_ref() == version))
    }
}

/// Where digests do not stand in the entry that moves, they must be seen to move elsewhere in its file.
fn note_bookkeeping(
    reading: &Reading<'_>,
    moves: &[ReadMove<'_, '_>],
    artifacts: &[Artifact<'_, '_>],
    worst: &mut Worst<'_>,
) {
    for read in moves {
        let (file, after) = (read.moved.file, &read.moved.after);
        let ecosystem = file.ecosystem();
        let version = point_of(read, Side::Added);
        let named = |kind: FileKind| {
            artifacts.iter().filter(move |artifact| {
                artifact.mark.side != Side::Removed
                    && artifact.mark.file.kind == kind
                    && artifact.is_of(after, version)
            })
        };
        let seen = match file.kind.digests() {
            Digests::OfVersions if after.role == Role::Locked => {
                reading.digested.iter().any(|(path, package, version)| {
                    *path == file.path
                        && package.same(ecosystem, &after.package)
                        && *version == after.text
                })
            }
            Digests::OfArtifacts if after.role == Role::Locked => named(file.kind).next().is_some(),
            // Without any line of `go.sum` the tool writes them itself.
            _ if file.kind == FileKind::GoMod => {
                let mut sums = named(FileKind::GoSum).peekable();
                sums.peek().is_none() || sums.any(|sum| !sum.mark.partial)
            }
            _ => true,
        };
        if !seen {
            let finding = Finding::Open(UnverifiableReason::BookkeepingNotSeen);
            worst.note(finding, || described(file, after));
        }
    }
}

/// An artifact that stays may be of the version after, or of another entry that is no worse than a fix.
fn note_artifacts_that_stay<'f>(
    reading: &Reading<'_>,
    moves: &[ReadMove<'_, '_>],
    artifacts: &[Artifact<'_, '_>],
    advisory: &'f Advisory,
    worst: &mut Worst<'f>,
) {
    let held = held(reading);
    let staying = artifacts.iter().filter(|artifact| {
        // Sums of versions that nobody builds any more are usual, and so are those of the graph.
        artifact.mark.side == Side::Context && artifact.mark.file.kind != FileKind::GoSum
    });
    for artifact in staying {
        let mark = artifact.mark;
        let here = |path: &str| path == mark.file.path;
        let is_held = held
            .iter()
            .any(|held| here(held.file.path) && artifact.is_of(held.place, held.version.as_ref()));
        if is_held {
            continue;
        }
        let was_moved = moves.iter().any(|read| {
            here(read.moved.file.path)
                && artifact.is_of(&read.moved.before, point_of(read, Side::Removed))
        });
        let finding = if was_moved {
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
        let not_understood = Some(UnverifiableReason::PlaceNotUnderstood);
        assert_eq!(misfits(None, "a@latest:", "1.2.4"), not_understood);
        let many = vec!["a@^1.0.0"; 65].join(", ") + ":";
        assert_eq!(misfits(None, &many, "1.2.4"), not_understood);
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
