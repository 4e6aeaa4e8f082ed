//! From whole files to an assessment.

use std::collections::BTreeMap;

use super::Whole;
use super::pair::{Pair, pairs};
use super::place::{Document, Need, Place, Role, Source};
use super::sums;
use crate::event::facts::Ecosystem;
use crate::judge::advisory::foreign::{located, quoted};
use crate::judge::advisory::known::{Advisory, Finding, Known};
use crate::judge::advisory::level::Level;
use crate::judge::advisory::name;
use crate::judge::advisory::reason::{NotABumpReason, RefutedReason, UnverifiableReason};
use crate::judge::advisory::requirement::{Admitted, admitted};
use crate::judge::advisory::version::Version;
use crate::judge::advisory::{Assessment, Bump, NotABump, Refuted, Remedies, Unverifiable};

/// More places than this are not compared.
const MAX_PLACES: usize = 4_096;

/// Registries that anybody uses who sets none: one may take another's place.
const PUBLIC: [&str; 8] = [
    "https://registry.npmjs.org/",
    "https://registry.yarnpkg.com/",
    "https://pypi.org/simple",
    "https://pypi.org/simple/",
    "https://files.pythonhosted.org/",
    "registry+https://github.com/rust-lang/crates.io-index",
    "sparse+https://index.crates.io/",
    "registry+sparse+https://index.crates.io/",
];

/// The worst finding so far; the first of equal ones is kept.
#[derive(Default)]
struct Worst<'f> {
    finding: Option<Finding<'f>>,
    detail: String,
}

impl<'f> Worst<'f> {
    fn note(&mut self, finding: Finding<'f>, detail: impl FnOnce() -> String) {
        if self
            .finding
            .is_none_or(|known| finding.rank() < known.rank())
        {
            self.finding = Some(finding);
            self.detail = match finding {
                Finding::Reaches(_) => String::new(),
                _ => detail(),
            };
        }
    }
}

/// Returns the assessment of files that were read whole, or why they show no pure bump.
pub(super) fn settle(wholes: &[Whole<'_>], advisory: &Advisory) -> Result<Assessment, NotABump> {
    let places: usize = wholes
        .iter()
        .map(|whole| whole.before.weight() + whole.now().weight())
        .sum();
    if places > MAX_PLACES {
        return Err(refused(NotABumpReason::TooManyPlaces, "", ""));
    }
    for whole in wholes {
        if let Some(problem) = whole.now().problems.first() {
            return Err(refused(problem.reason, whole.path, &problem.what));
        }
    }
    let mut moves = Vec::new();
    for whole in wholes {
        let Some(after) = &whole.after else {
            continue;
        };
        let paired = compared(whole, after)?;
        let known = digests(&paired);
        for pair in &paired {
            check_entry(whole, pair, &known)?;
        }
        let moved = paired.into_iter().filter(Pair::moves);
        moves.extend(moved.map(|pair| (whole, pair)));
    }
    sums::check(wholes, &moves)?;
    let decides = |pair: &Pair<'_>| pair.after.role != Role::Copy;
    if !moves.iter().any(|(_, pair)| decides(pair)) {
        return Err(refused(NotABumpReason::NothingMoves, "", ""));
    }

    let mut worst = Worst::default();
    let mut bumps = Vec::new();
    let mut level = Level::Patch;
    for (whole, pair) in moves.iter().filter(|(_, pair)| decides(pair)) {
        let moved = level_of(whole, pair)?;
        level = moved.max(level);
        if moved == Level::Downgrade {
            let finding = Finding::Refuted(RefutedReason::Downgrade);
            worst.note(finding, || described(whole, pair.after));
        }
        let bump = bump_of(whole, pair, moved, wholes, advisory);
        if !bumps.contains(&bump) {
            bumps.push(bump);
        }
        let needs = pair.after.entry.as_deref().map_or(&[][..], |e| &e.needs);
        let had = pair.before.entry.as_deref().map_or(&[][..], |e| &e.needs);
        if let Some(need) = needs
            .iter()
            .find(|need| !had.contains(need) && !is_met(whole, need))
        {
            worst.note(Finding::Open(UnverifiableReason::DependenciesMove), || {
                located(whole.path, &need.name)
            });
        }
    }
    for whole in wholes {
        for place in whole.now().places.iter() {
            let moved = moves
                .iter()
                .any(|(_, pair)| std::ptr::eq(pair.after, place));
            let finding = match judged(whole, place, wholes, advisory) {
                Finding::Refuted(_) if !moved => Finding::Refuted(RefutedReason::PlaceLeftBehind),
                finding => finding,
            };
            worst.note(finding, || described(whole, place));
        }
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

/// Returns the pairs of a file that says nothing else than before.
fn compared<'w>(whole: &'w Whole<'_>, after: &'w Document) -> Result<Vec<Pair<'w>>, NotABump> {
    let differs = |what: &str| refused(NotABumpReason::OtherChange, whole.path, what);
    if let Some(what) = whole.before.rest.first_difference(&after.rest) {
        return Err(differs(&what));
    }
    pairs(&whole.before, after).ok_or_else(|| differs(""))
}

/// Checks that the bookkeeping of an entry moves with its version, and only with it.
fn check_entry(
    whole: &Whole<'_>,
    pair: &Pair<'_>,
    known: &BTreeMap<&str, Vec<&Place>>,
) -> Result<(), NotABump> {
    let (Some(before), Some(after)) = (&pair.before.entry, &pair.after.entry) else {
        return Ok(());
    };
    let refuse = |reason| Err(refused(reason, whole.path, &pair.after.package));
    if !pair.moves() {
        return if before == after {
            Ok(())
        } else if before.digests == after.digests && before.source == after.source {
            refuse(NotABumpReason::OtherChange)
        } else {
            refuse(NotABumpReason::IntegrityWithoutVersion)
        };
    }
    if (after.digests.is_empty() && !before.digests.is_empty()) || (after.weak && !before.weak) {
        return refuse(NotABumpReason::IntegrityDropped);
    }
    // A digest of another version is of another artifact.
    let stale = after
        .digests
        .iter()
        .filter_map(|digest| known.get(digest.as_str()))
        .flatten()
        .any(|old| old.package != pair.after.package || old.text != pair.after.text);
    if stale {
        return refuse(NotABumpReason::EntryIncomplete);
    }
    match (&before.source, &after.source) {
        (_, Source::Elsewhere(_)) => refuse(NotABumpReason::NonRegistrySource),
        (_, Source::Missing) => refuse(NotABumpReason::EntryIncomplete),
        (_, Source::Registry { version, .. })
            if version
                .as_ref()
                .is_some_and(|version| *version != pair.after.text) =>
        {
            refuse(NotABumpReason::EntryIncomplete)
        }
        (Source::Registry { base: old, .. }, Source::Registry { base: new, .. })
            if old == new || (PUBLIC.contains(&old.as_str()) && PUBLIC.contains(&new.as_str())) =>
        {
            Ok(())
        }
        (_, Source::Registry { base, .. }) if !PUBLIC.contains(&base.as_str()) => {
            refuse(NotABumpReason::NonRegistrySource)
        }
        (Source::Unsaid, Source::Unsaid) | (_, Source::Registry { .. }) => Ok(()),
        (_, Source::Unsaid) => refuse(NotABumpReason::EntryIncomplete),
    }
}

/// Returns the places before by the digests of their entries.
fn digests<'d>(pairs: &[Pair<'d>]) -> BTreeMap<&'d str, Vec<&'d Place>> {
    let mut known: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
    for pair in pairs {
        let entry = pair.before.entry.as_deref();
        for digest in entry.map_or(&[][..], |entry| &entry.digests) {
            known.entry(digest).or_default().push(pair.before);
        }
    }
    known
}

/// Returns how far a place moves.
fn level_of(whole: &Whole<'_>, pair: &Pair<'_>) -> Result<Level, NotABump> {
    let sides = [pair.before, pair.after].map(|place| read(whole.ecosystem(), place));
    let [Some(before), Some(after)] = sides else {
        return Ok(Level::Unknown);
    };
    Ok(match (before.lowest(), after.lowest()) {
        (Some(old), Some(new)) if old == new => {
            return Err(refused(
                NotABumpReason::VersionUnmoved,
                whole.path,
                &pair.after.text,
            ));
        }
        (Some(old), Some(new)) => Level::between(old, new),
        // From a bound to none at all: what was excluded below is admitted again.
        (Some(_), None) => Level::Downgrade,
        (None, _) => Level::Unknown,
    })
}

fn read(ecosystem: Ecosystem, place: &Place) -> Option<Admitted> {
    admitted(ecosystem, place.syntax, &place.text).ok()
}

fn bump_of(
    whole: &Whole<'_>,
    pair: &Pair<'_>,
    level: Level,
    wholes: &[Whole<'_>],
    advisory: &Advisory,
) -> Bump {
    let touched = known_of(whole, pair.before, advisory)
        .zip(read(whole.ecosystem(), pair.before))
        .and_then(|(known, before)| known.touches(&before));
    Bump {
        ecosystem: whole.ecosystem(),
        package: quoted(&pair.after.package),
        file: quoted(whole.path),
        from: quoted(&pair.before.text),
        to: quoted(&pair.after.text),
        from_affected: touched,
        reaches_fix: match judged(whole, pair.after, wholes, advisory) {
            Finding::Reaches(fixed) => Some(quoted(fixed)),
            _ => None,
        },
        level,
    }
}

/// Returns what the facts say of a place, as it is afterwards.
fn judged<'f>(
    whole: &Whole<'_>,
    place: &Place,
    wholes: &[Whole<'_>],
    advisory: &'f Advisory,
) -> Finding<'f> {
    if place.role == Role::Copy {
        return Finding::Reaches("");
    }
    let Some(known) = known_of(whole, place, advisory) else {
        return Finding::Open(UnverifiableReason::FactsNotUnderstood);
    };
    let Some(admitted) = read(whole.ecosystem(), place) else {
        return Finding::Open(UnverifiableReason::RequirementNotUnderstood);
    };
    match known.judge(&admitted) {
        Finding::Reaches(fixed) => Finding::Reaches(fixed),
        bad if place.role == Role::Requirement => {
            pinned(whole, place, &admitted, known, wholes).unwrap_or(bad)
        }
        bad => bad,
    }
}

/// Returns the fix that a lock of the same project pins, where everything that it installs of the package
/// is fixed and one of these versions is what the requirement asks for.
fn pinned<'f>(
    whole: &Whole<'_>,
    place: &Place,
    asked: &Admitted,
    known: &'f Known,
    wholes: &[Whole<'_>],
) -> Option<Finding<'f>> {
    let directory = |path: &str| {
        path.rsplit_once('/')
            .map_or(String::new(), |(d, _)| format!("{d}/"))
    };
    let ecosystem = whole.ecosystem();
    let locks = wholes.iter().filter(|lock| {
        lock.kind.is_lock()
            && lock.ecosystem() == ecosystem
            && directory(whole.path).starts_with(&directory(lock.path))
    });
    for lock in locks {
        let installed: Vec<Admitted> = lock
            .now()
            .places
            .iter()
            .filter(|other| other.role == Role::Locked && other.package == place.package)
            .map(|other| read(ecosystem, other))
            .collect::<Option<_>>()?;
        let all_fixed = installed
            .iter()
            .all(|version| matches!(known.judge(version), Finding::Reaches(_)));
        let met = installed.iter().find(|version| {
            version
                .lowest()
                .is_some_and(|version| asked.intervals().any(|interval| interval.contains(version)))
        });
        if let (true, Some(version)) = (all_fixed, met) {
            return Some(known.judge(version));
        }
    }
    None
}

/// Whether what a package needs now is installed already: nothing else of the file changes.
fn is_met(whole: &Whole<'_>, need: &Need) -> bool {
    let ecosystem = whole.ecosystem();
    let wanted = match &need.versions {
        None => None,
        Some((syntax, text)) => match admitted(ecosystem, *syntax, text) {
            Ok(wanted) => Some(wanted),
            Err(_) => return false,
        },
    };
    whole.now().shelf.iter().any(|(other, version)| {
        name::same(ecosystem, other, &need.name)
            && wanted.as_ref().is_none_or(|wanted| {
                Version::parse(ecosystem, version).is_some_and(|version| {
                    wanted
                        .intervals()
                        .any(|interval| interval.contains(&version))
                })
            })
    })
}

fn known_of<'f>(whole: &Whole<'_>, place: &Place, advisory: &'f Advisory) -> Option<&'f Known> {
    let ecosystem = whole.ecosystem();
    let known = advisory.known(|fact| fact.ecosystem == ecosystem && *fact.name == place.package);
    known.map(|(_, known)| known)
}

fn described(whole: &Whole<'_>, place: &Place) -> String {
    located(whole.path, &[&place.package, " ", &place.text].concat())
}

pub(super) fn refused(reason: NotABumpReason, path: &str, what: &str) -> NotABump {
    NotABump {
        reason,
        detail: located(path, what),
    }
}

impl Whole<'_> {
    pub(super) fn ecosystem(&self) -> Ecosystem {
        self.kind.ecosystem()
    }

    /// The file as it is afterwards.
    pub(super) fn now(&self) -> &Document {
        self.after.as_ref().unwrap_or(&self.before)
    }
}
