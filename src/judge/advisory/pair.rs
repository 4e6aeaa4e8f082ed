//! What a diff moves: its files, one after the other.
//!
//! Paths, modes and the order of hunks are checked here; the lines are read in `hunk`.

use std::collections::HashSet;

use super::NotABump;
use super::foreign::located;
use super::hunk::{Hosts, HunkReading};
use super::known::Finding;
use super::path::{FileKind, PathKind, classify};
use super::place::{Package, Place};
use super::reason::{NotABumpReason, UnverifiableReason};
use crate::diff::{Change, Diff, FileDiff, Hunk, Side};
use crate::event::facts::{ApvFacts, Ecosystem};

/// Everything of a diff that is to be judged.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    /// Places whose line changes.
    pub moves: Vec<Move<'a>>,
    /// Places of named packages that the diff shows and leaves as they are.
    pub stays: Vec<Stay<'a>>,
    /// Changed bookkeeping that names its package and version.
    pub marks: Vec<NamedMark<'a>>,
    /// Bookkeeping of named packages that stays and names its package and version.
    pub kept: Vec<NamedMark<'a>>,
    /// Copies of requirements in lock files, which stay.
    pub copies: Vec<Copied<'a>>,
    /// Heads of lock entries that say which ranges they are for.
    pub heads: Vec<Head<'a>>,
    /// Places that take their version from a shared one, with their line.
    pub inherits: Vec<(File<'a>, Package<'a>, &'a str)>,
    /// Versions that are never taken.
    pub excludes: Vec<(File<'a>, Package<'a>, &'a str)>,
    /// Properties that may be the version of a named package.
    pub properties: Vec<Property<'a>>,
    /// Path, package and version of what moves together with a digest.
    pub digested: Vec<(&'a str, Package<'a>, &'a str)>,
    /// What stands against the bump whatever its versions are.
    pub doubts: Vec<Doubt<'a>>,
}

/// A requirement that a lock file repeats.
#[derive(Debug)]
pub(super) struct Copied<'a> {
    /// The file.
    pub file: File<'a>,
    /// The place.
    pub place: Place<'a>,
}

/// The head of a lock entry and the version that the entry locks.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// The file.
    pub file: File<'a>,
    /// The head before, where it changes.
    pub before: Option<&'a str>,
    /// The head after.
    pub after: &'a str,
    /// The version after.
    pub version: &'a str,
}

/// A property whose name is like that of a named package.
#[derive(Debug)]
pub(super) struct Property<'a> {
    /// The file.
    pub file: File<'a>,
    /// The property; its package is the beginning of a name.
    pub place: Place<'a>,
    /// The package, by its number in the facts.
    pub package: usize,
}

/// Something that stands against a bump, with what it concerns.
#[derive(Debug)]
pub(super) struct Doubt<'a> {
    /// The file.
    pub file: File<'a>,
    /// Refuted or open.
    pub finding: Finding<'static>,
    /// The line, version or digest.
    pub what: &'a str,
}

/// A place before and after.
#[derive(Debug)]
pub(super) struct Move<'a> {
    /// The file.
    pub file: File<'a>,
    /// The place before.
    pub before: Place<'a>,
    /// The place after; its frame is that of `before`.
    pub after: Place<'a>,
}

/// A place that stays.
#[derive(Debug)]
pub(super) struct Stay<'a> {
    /// The file.
    pub file: File<'a>,
    /// The place.
    pub place: Place<'a>,
}

/// A changed line of bookkeeping that names its package and version.
#[derive(Debug)]
pub(super) struct NamedMark<'a> {
    /// The file.
    pub file: File<'a>,
    /// Removed or added.
    pub side: Side,
    /// The package.
    pub package: Package<'a>,
    /// The version.
    pub version: &'a str,
    /// Whether it covers only a part of the package.
    pub partial: bool,
}

/// A file of the diff, for messages and comparisons.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its kind.
    pub kind: FileKind,
}

impl File<'_> {
    /// Returns the ecosystem of the file.
    pub fn ecosystem(&self) -> Ecosystem {
        self.kind.ecosystem()
    }

    /// Returns the refusal of something in this file.
    pub fn refuse(&self, reason: NotABumpReason, what: &str) -> NotABump {
        NotABump {
            reason,
            detail: located(self.path, what),
        }
    }
}

/// Returns what the diff moves, or why it is no pure bump.
pub(super) fn read<'a>(diff: &'a Diff<'a>, facts: &ApvFacts) -> Result<Reading<'a>, NotABump> {
    // All paths first: a diff of code is refused before any line is read.
    let kinds: Vec<FileKind> = diff
        .files
        .iter()
        .map(manifest_kind)
        .collect::<Result<_, _>>()?;
    let mut reading = Reading::default();
    let mut seen = HashSet::new();
    for (file, kind) in diff.files.iter().zip(kinds) {
        let here = File {
            path: file.path(),
            kind,
        };
        if (diff.files.len() > 1 && !seen.insert(here.path)) || !changes_in_place(file) {
            return Err(here.refuse(NotABumpReason::FileChange, ""));
        }
        read_file(here, file, facts, &mut reading)?;
    }
    Ok(reading)
}

fn manifest_kind(file: &FileDiff<'_>) -> Result<FileKind, NotABump> {
    let path = file.path();
    let reason = match classify(path) {
        PathKind::Manifest(kind) => return Ok(kind),
        PathKind::NotTheProjects => NotABumpReason::NotTheProjectsManifest,
        PathKind::Strange => NotABumpReason::StrangePath,
        PathKind::Other => NotABumpReason::NotAManifest,
    };
    Err(NotABump {
        reason,
        detail: located(path, ""),
    })
}

fn changes_in_place(file: &FileDiff<'_>) -> bool {
    file.change == Change::Modified
        && file.old_path == file.new_path
        && matches!(file.new_mode, None | Some(0o100_644))
        && !file.hunks.is_empty()
}

/// How the lines of a file's hunks end.
#[derive(Debug, Default)]
struct LineEnds {
    /// Lines that are not empty, and those of them that end as on Windows.
    lines: usize,
    windows: usize,
    /// Whether the headers of hunks do: then the whole text was written so.
    headers: bool,
}

impl LineEnds {
    fn note(&mut self, hunk: &Hunk<'_>) {
        self.headers |= hunk.heading.ends_with('\r');
        for line in &hunk.lines {
            self.lines += usize::from(!line.text.is_empty());
            self.windows += usize::from(line.text.ends_with('\r'));
        }
    }

    /// Whether what is added ends as what is around it, as far as that can be told from the text.
    ///
    /// Git writes the header with `\n` alone whatever the lines end in, so lines that all end as on
    /// Windows below such a header fit a file that does so and no other: the hunk does not tell which.
    fn fit(&self) -> bool {
        self.windows == 0 || (self.headers && self.windows == self.lines)
    }
}

fn read_file<'a>(
    file: File<'a>,
    diff: &'a FileDiff<'a>,
    facts: &ApvFacts,
    reading: &mut Reading<'a>,
) -> Result<(), NotABump> {
    let first_move = reading.moves.len();
    let mut poisons = Vec::new();
    let mut hosts = Hosts::default();
    let mut next_line = [0_usize; 2];
    let mut ends = LineEnds::default();
    for hunk in &diff.hunks {
        let starts = [hunk.old_start as usize, hunk.new_start as usize];
        let before = hunk
            .lines
            .iter()
            .filter(|line| line.side != Side::Added)
            .count();
        let next = [
            starts[0] + before,
            starts[1]
                + hunk
                    .lines
                    .iter()
                    .filter(|line| line.side != Side::Removed)
                    .count(),
        ];
        if starts[0] < next_line[0] || starts[1] < next_line[1] {
            return Err(file.refuse(NotABumpReason::HunkOrder, ""));
        }
        next_line = next;
        ends.note(hunk);
        let heading = hunk.heading.trim_end_matches('\r');
        HunkReading::new(file, heading, facts, reading, &mut poisons, &mut hosts).read(hunk)?;
    }
    if !ends.fit() {
        reading.doubts.push(Doubt {
            file,
            finding: Finding::Open(UnverifiableReason::LineEnds),
            what: "",
        });
    }
    if !hosts.unchanged() {
        return Err(file.refuse(NotABumpReason::NonRegistrySource, hosts.added()));
    }
    let ecosystem = file.ecosystem();
    let moves = reading.moves.get(first_move..).unwrap_or_default();
    for (reason, package) in poisons {
        if moves
            .iter()
            .any(|moved| moved.after.package.same(ecosystem, &package))
        {
            return Err(file.refuse(reason, package.name));
        }
    }
    Ok(())
}
