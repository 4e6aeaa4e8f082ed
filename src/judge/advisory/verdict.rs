//! From moves to an assessment.

mod around;

use super::foreign::{located, quoted};
use super::known::{Advisory, Finding, Known};
use super::level::Level;
use super::manifest::path_takes;
use super::pair::{File, Move, NamedMark, Reading};
use super::place::{Place, Role};
use super::reason::{NotABumpReason, RefutedReason, UnverifiableReason};
use super::requirement::{Admitted, Unread, admitted};
use super::version::Version;
use super::{Assessment, Bump, NotABump, Refuted, Remedies, Unverifiable};
use crate::diff::Side;
use crate::event::facts::Ecosystem;

/// A move whose two sides have been read as requirements.
struct ReadMove<'r, 'a> {
    moved: &'r Move<'a>,
    /// `None` where either side is not understood.
    sides: Option<Sides>,
}

struct Sides {
    before: Admitted,
    after: Admitted,
    level: Level,
}

/// The worst finding so far; the first of equal ones is kept.
struct Worst<'f> {
    finding: Option<Finding<'f>>,
    detail: String,
}

/// Returns the assessment of what was read, or why it is no bump after all.
pub(super) fn settle(reading: &Reading<'_>, advisory: &Advisory) -> Result<Assessment, NotABump> {
    let mut moves = Vec::with_capacity(reading.moves.len());
    for moved in &reading.moves {
        moves.push(read_move(moved)?);
    }
    if moves.is_empty() {
        return Err(NotABump {
            reason: NotABumpReason::NothingMoves,
            detail: String::new(),
        });
    }
    for mark in &reading.marks {
        check_mark(mark, &moves)?;
    }
    check_dropped(reading)?;

    let mut worst = Worst {
        finding: None,
        detail: String::new(),
    };
    let mut bumps: Vec<Bump> = Vec::new();
    let mut level = Level::Patch;
    for read in &moves {
        let finding = judge_move(read, advisory, &mut bumps, &mut level);
        worst.note(finding, || described(read.moved.file, &read.moved.after));
    }
    for stay in &reading.stays {
        let finding = judge_stay(stay.file, &stay.place, advisory)?;
        worst.note(finding, || described(stay.file, &stay.place));
    }
    for doubt in &reading.doubts {
        worst.note(doubt.finding, || located(doubt.file.path, doubt.what));
    }
    around::note(reading, &moves, advisory, &mut worst);
    if let Some(moved) = legacy_alone(reading) {
        let finding = Finding::Open(UnverifiableReason::LegacyEntryOnly);
        worst.note(finding, || described(moved.file, &moved.after));
    }
    if bumps.iter().all(|bump| bump.from_affected == Some(false)) {
        let finding = Finding::Open(UnverifiableReason::NothingAffectedMoves);
        worst.note(finding, String::new);
    }

    let detail = worst.detail;
    Ok(match worst.finding {
        Some(Finding::Refuted(reason)) => Assessment::Refuted(Refuted {
            reason,
            detail,
            level,
            bumps,
        }),
        Some(Finding::Open(reason)) => Assessment::Unverifiable(Unverifiable {
            reason,
            detail,
            bumps,
        }),
        Some(Finding::Reaches(_)) | None => Assessment::Remedies(Remedies { level, bumps }),
    })
}

/// Returns what stands against a bump whatever its versions are: the code of the worst, and what it
/// concerns.
pub(super) fn stands_against(
    reading: &Reading<'_>,
    advisory: &Advisory,
) -> Result<Option<(&'static str, String)>, NotABump> {
    let mut moves = Vec::with_capacity(reading.moves.len());
    for moved in &reading.moves {
        moves.push(read_move(moved)?);
    }
    for mark in &reading.marks {
        check_mark(mark, &moves)?;
    }
    check_dropped(reading)?;
    let mut worst = Worst {
        finding: None,
        detail: String::new(),
    };
    for doubt in &reading.doubts {
        worst.note(doubt.finding, || located(doubt.file.path, doubt.what));
    }
    around::note(reading, &moves, advisory, &mut worst);
    if let Some(moved) = legacy_alone(reading) {
        let finding = Finding::Open(UnverifiableReason::LegacyEntryOnly);
        worst.note(finding, || described(moved.file, &moved.after));
    }
    Ok(match worst.finding {
        Some(Finding::Refuted(reason)) => Some((reason.as_str(), worst.detail)),
        Some(Finding::Open(reason)) => Some((reason.as_str(), worst.detail)),
        Some(Finding::Reaches(_)) | None => None,
    })
}

fn read_move<'r, 'a>(moved: &'r Move<'a>) -> Result<ReadMove<'r, 'a>, NotABump> {
    let before = read_side(moved.file, &moved.before)?;
    let after = read_side(moved.file, &moved.after)?;
    let sides = match (before, after) {
        (Some(before), Some(after)) => {
            let level = match (before.lowest(), after.lowest()) {
                (Some(old), Some(new)) if old == new => {
                    return Err(moved
                        .file
                        .refuse(NotABumpReason::VersionUnmoved, moved.after.text));
                }
                (Some(old), Some(new)) => Level::between(old, new),
                // From a bound to none at all: what was excluded below is admitted again.
                (Some(_), None) => Level::Downgrade,
                (None, _) => Level::Unknown,
            };
            Some(Sides {
                before,
                after,
                level,
            })
        }
        _ => None,
    };
    Ok(ReadMove { moved, sides })
}

/// Returns a move of an entry that newer installers skip, if no entry that they read moves with it.
fn legacy_alone<'r, 'a>(reading: &'r Reading<'a>) -> Option<&'r Move<'a>> {
    reading
        .moves
        .iter()
        .filter(|moved| moved.after.legacy)
        .find(|legacy| {
            !reading.moves.iter().any(|other| {
                other.file.path == legacy.file.path
                    && other.after.role == Role::Locked
                    && !other.after.legacy
                    && other.after.package == legacy.after.package
            })
        })
}

/// Returns what the place admits, `None` if that is not understood.
fn read_side(file: File<'_>, place: &Place<'_>) -> Result<Option<Admitted>, NotABump> {
    match admitted(file.ecosystem(), place.syntax, place.text) {
        Ok(admitted) => Ok(Some(admitted)),
        Err(Unread::NotUnderstood) => Ok(None),
        Err(Unread::Foreign) => Err(file.refuse(NotABumpReason::NonRegistrySource, place.text)),
    }
}

/// Bookkeeping must name a package that moves: what is removed its version before, what is added its
/// version after.
fn check_mark(mark: &NamedMark<'_>, moves: &[ReadMove<'_, '_>]) -> Result<(), NotABump> {
    let ecosystem = mark.file.ecosystem();
    let version = Version::parse(ecosystem, mark.version);
    let fits = |read: &ReadMove<'_, '_>| {
        let place = match mark.side {
            Side::Removed => &read.moved.before,
            _ => &read.moved.after,
        };
        read.moved.file.ecosystem() == ecosystem
            && place.package.same(ecosystem, &mark.package)
            && (place.text == mark.version
                || (version.is_some() && version.as_ref() == point_of(read, mark.side)))
    };
    if moves.iter().any(fits) {
        return Ok(());
    }
    let names = |read: &ReadMove<'_, '_>| read.moved.after.package.same(ecosystem, &mark.package);
    let reason = if moves.iter().any(names) {
        NotABumpReason::IntegrityWithoutVersion
    } else {
        NotABumpReason::OtherPackage
    };
    Err(mark.file.refuse(reason, mark.package.name))
}

/// Bookkeeping that is removed for a package must be added again for its new version.
fn check_dropped(reading: &Reading<'_>) -> Result<(), NotABump> {
    for moved in &reading.moves {
        let ecosystem = moved.file.ecosystem();
        let (mut removed, mut added) = (None, false);
        for mark in &reading.marks {
            if mark.file.ecosystem() != ecosystem
                || !mark.package.same(ecosystem, &moved.after.package)
            {
                continue;
            }
            match mark.side {
                Side::Removed => removed = Some(mark),
                _ => added = true,
            }
        }
        if let (Some(mark), false) = (removed, added) {
            return Err(mark
                .file
                .refuse(NotABumpReason::IntegrityDropped, mark.package.name));
        }
    }
    Ok(())
}

/// Returns the lowest version of one side of a move.
fn point_of<'m>(read: &'m ReadMove<'_, '_>, side: Side) -> Option<&'m Version> {
    let sides = read.sides.as_ref()?;
    match side {
        Side::Removed => sides.before.lowest(),
        _ => sides.after.lowest(),
    }
}

fn judge_move<'f>(
    read: &ReadMove<'_, '_>,
    advisory: &'f Advisory,
    bumps: &mut Vec<Bump>,
    widest: &mut Level,
) -> Finding<'f> {
    let Move {
        file,
        before,
        after,
    } = read.moved;
    let Some((package, known)) = known_of(advisory, *file, after) else {
        return Finding::Open(UnverifiableReason::FactsNotUnderstood);
    };
    let (finding, from_affected, level) = match &read.sides {
        None => (
            Finding::Open(UnverifiableReason::RequirementNotUnderstood),
            None,
            Level::Unknown,
        ),
        Some(sides) => {
            let from_affected = known.touches(&sides.before);
            let finding = match known.judge(&sides.after) {
                refuted @ Finding::Refuted(_) => refuted,
                _ if sides.level == Level::Downgrade && from_affected == Some(false) => {
                    Finding::Refuted(RefutedReason::Downgrade)
                }
                Finding::Reaches(_) if sides.level == Level::Downgrade => {
                    Finding::Open(UnverifiableReason::MovesDown)
                }
                Finding::Reaches(_) if !takes(*file, after) => {
                    Finding::Open(UnverifiableReason::VersionNotOfPath)
                }
                finding => finding,
            };
            (finding, from_affected, sides.level)
        }
    };
    *widest = level.max(*widest);
    if matches!(after.role, Role::Requirement | Role::Locked) {
        let bump = Bump {
            ecosystem: file.ecosystem(),
            package: quoted(package),
            file: quoted(file.path),
            from: quoted(before.text),
            to: quoted(after.text),
            from_affected,
            reaches_fix: match finding {
                Finding::Reaches(fixed) => Some(quoted(fixed)),
                _ => None,
            },
            level,
        };
        if !bumps.contains(&bump) {
            bumps.push(bump);
        }
    }
    finding
}

/// A place that stays may not be worse than a fix; whether it is understood does not matter otherwise.
fn judge_stay<'f>(
    file: File<'_>,
    place: &Place<'_>,
    advisory: &'f Advisory,
) -> Result<Finding<'f>, NotABump> {
    let Some(admitted) = read_side(file, place)? else {
        return Ok(Finding::Open(UnverifiableReason::RequirementNotUnderstood));
    };
    let Some((_, known)) = known_of(advisory, file, place) else {
        return Ok(Finding::Open(UnverifiableReason::FactsNotUnderstood));
    };
    Ok(match known.judge(&admitted) {
        Finding::Refuted(_) => Finding::Refuted(RefutedReason::PlaceLeftBehind),
        // Not affected, and not what the patch is to mend.
        Finding::Open(UnverifiableReason::NotAffectedBelowFix) => Finding::Reaches(""),
        _ if !takes(file, place) => Finding::Open(UnverifiableReason::VersionNotOfPath),
        finding => finding,
    })
}

/// Whether the package may have this version at all: Go's module paths name their major version.
fn takes(file: File<'_>, place: &Place<'_>) -> bool {
    file.ecosystem() != Ecosystem::Go || path_takes(place.package.name, place.text)
}

fn described(file: File<'_>, place: &Place<'_>) -> String {
    let mut what = String::with_capacity(place.package.name.len() + place.text.len() + 1);
    what.push_str(place.package.name);
    what.push(' ');
    what.push_str(place.text);
    located(file.path, &what)
}

impl<'f> Worst<'f> {
    fn note(&mut self, finding: Finding<'f>, detail: impl FnOnce() -> String) {
        let worse = self
            .finding
            .is_none_or(|known| finding.rank() < known.rank());
        if worse {
            self.finding = Some(finding);
            self.detail = match finding {
                Finding::Reaches(_) => String::new(),
                _ => detail(),
            };
        }
    }
}

/// Returns the APV's spelling of the place's package and its parsed facts.
fn known_of<'f>(
    advisory: &'f Advisory,
    file: File<'_>,
    place: &Place<'_>,
) -> Option<(&'f str, &'f Known)> {
    let ecosystem = file.ecosystem();
    advisory.known(|fact| fact.ecosystem == ecosystem && place.package.is(ecosystem, &fact.name))
}
