//! The one reader of bumps, for who has no facts: which version of one package a diff moves from, and
//! which to.
//!
//! A wargame builds the versions that this says. So a bump counts only where it is understood as a whole:
//! every file is a manifest or lock file of the ecosystem, every line that names the package is read, and
//! all of them agree.

use super::NotABump;
use super::known::Advisory;
use super::pair::{self, Reading};
use super::path::{PathKind, classify};
use super::place::Place;
use super::requirement::Syntax;
use super::verdict;
use super::version::Version;
use crate::diff::Diff;
use crate::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};

/// Longer than any version that is built.
const MAX_VERSION_CHARS: usize = 64;

/// The versions that a bump moves a package between, each complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The one before.
    pub from: String,
    /// The one after.
    pub to: String,
}

/// Why a diff of manifests is no bump that is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct NotMoved {
    /// A code of the advisory judge, or one of `other_ecosystem`, `marker`, `no_exact_version`,
    /// `versions_disagree`.
    pub code: &'static str,
    /// What it concerns; escaped, at most [`super::MAX_TEXT_CHARS`] characters.
    pub detail: String,
}

impl From<NotABump> for NotMoved {
    fn from(refusal: NotABump) -> Self {
        Self {
            code: refusal.reason.as_str(),
            detail: refusal.detail,
        }
    }
}

/// Returns the versions that the diff moves the package between; `None` if it touches a file that is no
/// manifest or lock file of the project, so that it is a source patch.
///
/// Ranges that begin with one version (`^1.2.3`, `~1.2.3`, `=1.2.3`, `v1.2.3`) count as that version. Two
/// spellings of one version are two versions.
///
/// # Errors
/// [`NotMoved`] if it looks like a bump and is not understood as one of this package alone: a place that
/// stays at another version, two places that disagree, another package, a file that comes or goes, an
/// environment marker, anything that the advisory judge does not take for a bump.
pub fn moved(
    diff: &Diff<'_>,
    ecosystem: Ecosystem,
    package: &str,
) -> Result<Option<Moved>, NotMoved> {
    let (mut manifests, mut others) = (0, 0);
    for file in &diff.files {
        match classify(file.path()) {
            PathKind::Other => return Ok(None),
            // A patch of an installed tree.
            PathKind::NotTheProjects => others += 1,
            PathKind::Strange => manifests += 1,
            PathKind::Manifest(kind) if kind.ecosystem() != ecosystem => {
                return Err(refusal("other_ecosystem", file.path()));
            }
            PathKind::Manifest(_) => manifests += 1,
        }
    }
    if manifests == 0 && others > 0 {
        return Ok(None);
    }
    let advisory = Advisory::from(facts_of(ecosystem, package));
    let reading = pair::read(diff, &advisory)?;
    if let Some(open) = verdict::stands_against(&reading, &advisory)? {
        return Err(refusal(open.0, &open.1));
    }
    agreed(&reading, ecosystem).map(Some)
}

/// Facts that name one package and say nothing of it.
fn facts_of(ecosystem: Ecosystem, package: &str) -> ApvFacts {
    let fact = PackageFacts {
        ecosystem,
        name: package.into(),
        affected: Box::default(),
        fixed: Box::default(),
        last_affected: None,
        modified_ms: 0,
        severity: Severity::Unknown,
        withdrawn: false,
    };
    ApvFacts {
        packages: [fact].into(),
        kev: false,
        epss: None,
        cwes: Box::default(),
        withdrawn: false,
    }
}

fn refusal(code: &'static str, what: &str) -> NotMoved {
    NotMoved {
        code,
        detail: super::foreign::quoted(what),
    }
}

/// Returns the one version before and the one after that all places say.
fn agreed(reading: &Reading<'_>, ecosystem: Ecosystem) -> Result<Moved, NotMoved> {
    let mut found: Option<(&str, &str)> = None;
    for moved in &reading.moves {
        for place in [&moved.before, &moved.after] {
            if is_conditional(place) {
                return Err(refusal("marker", moved.after.text));
            }
        }
        let exactly = |text, syntax| {
            exact(ecosystem, syntax, text).ok_or_else(|| refusal("no_exact_version", text))
        };
        let from = exactly(moved.before.text, moved.before.syntax)?;
        let to = exactly(moved.after.text, moved.after.syntax)?;
        let known = *found.get_or_insert((from, to));
        if known != (from, to) {
            return Err(refusal("versions_disagree", moved.after.text));
        }
    }
    let Some((from, to)) = found else {
        return Err(refusal("nothing_moves", ""));
    };
    for stay in &reading.stays {
        if exact(ecosystem, stay.place.syntax, stay.place.text) != Some(to) {
            return Err(refusal("versions_disagree", stay.place.text));
        }
    }
    Ok(Moved {
        from: from.to_owned(),
        to: to.to_owned(),
    })
}

/// Whether the requirement holds only somewhere: behind an environment marker.
fn is_conditional(place: &Place<'_>) -> bool {
    let [before, after] = place.frame;
    match place.syntax {
        Syntax::Pip => after
            .split('#')
            .next()
            .is_some_and(|rest| rest.contains(';')),
        Syntax::Poetry => [before, after].iter().any(|part| {
            ["markers", "python =", "python="]
                .iter()
                .any(|key| part.contains(key))
        }),
        _ => false,
    }
}

/// Returns the one complete version that a requirement names.
fn exact(ecosystem: Ecosystem, syntax: Syntax, text: &str) -> Option<&str> {
    let text = text.trim();
    let version = match syntax {
        Syntax::Exact => text,
        Syntax::Npm => text.trim_start_matches(['^', '~', '=', 'v']),
        Syntax::Cargo => text.trim_start_matches(['^', '~', '=']),
        Syntax::Pip => text.strip_prefix("===").or(text.strip_prefix("=="))?,
        Syntax::Poetry => {
            let exactly = text.strip_prefix("===").or(text.strip_prefix("=="));
            exactly.unwrap_or(text.trim_start_matches(['^', '~']))
        }
        Syntax::Maven => text
            .strip_prefix('[')
            .and_then(|inside| inside.strip_suffix(']'))
            .unwrap_or(text),
    };
    let version = version.trim();
    let plain = |sign: char| sign.is_ascii_alphanumeric() || ".-+_!".contains(sign);
    let begins = match ecosystem {
        Ecosystem::Go => version.starts_with('v'),
        _ => version.starts_with(|first: char| first.is_ascii_digit()),
    };
    let sound = begins
        && version.len() <= MAX_VERSION_CHARS
        && version.chars().all(plain)
        && Version::parse(ecosystem, version).is_some();
    sound.then_some(version)
}
