//! From lines to moves: pairs what a hunk removes with what it adds.
//!
//! The rule that carries the judge: within a run of changed lines, the k-th place removed and the k-th
//! place added must be the same line but for the version. What differs in anything else, has no
//! partner, or is not understood, ends the reading.

use super::NotABump;
use super::manifest::Sides;
use super::pair::{File, Move, NamedMark, Reading, Stay};
use super::place::{Mark, Owner, Package, Place, Read, Role};
use super::reason::NotABumpReason;
use crate::diff::{Hunk, Line, Side};
use crate::event::facts::ApvFacts;

/// More places than this, moved or left behind, are not compared.
const MAX_PLACES: usize = 256;
/// More lines of named bookkeeping than this are not compared.
const MAX_MARKS: usize = 2_048;

/// The hosts that changed bookkeeping of one file is fetched from: they must all be one.
#[derive(Debug, Default)]
pub(super) struct Hosts<'a> {
    removed: Option<&'a str>,
    added: Option<&'a str>,
    mixed: bool,
}

impl<'a> Hosts<'a> {
    fn note(&mut self, side: Side, host: &'a str) {
        if host.is_empty() {
            return;
        }
        let slot = if side == Side::Removed {
            &mut self.removed
        } else {
            &mut self.added
        };
        self.mixed |= *slot.get_or_insert(host) != host;
    }

    /// Whether what is added comes from where the removed came from.
    pub fn unchanged(&self) -> bool {
        !self.mixed && (self.added.is_none() || self.added == self.removed)
    }

    /// Returns the host of what is added; empty without one.
    pub fn added(&self) -> &'a str {
        self.added.unwrap_or_default()
    }
}

/// A place waiting for its partner.
struct Waiting<'a> {
    place: Place<'a>,
    entry: u32,
    line: &'a str,
}

/// A move and the entry that it stands in, before and after.
struct MovedEntry<'a> {
    before: u32,
    after: u32,
    role: Role,
    to: &'a str,
}

/// One hunk while it is read.
pub(super) struct HunkReading<'r, 'a> {
    file: File<'a>,
    facts: &'r ApvFacts,
    reading: &'r mut Reading<'a>,
    /// Poisons that name their package, for the whole file.
    poisons: &'r mut Vec<(NotABumpReason, Package<'a>)>,
    hosts: &'r mut Hosts<'a>,
    sides: Sides<'a>,
    removed: Vec<Waiting<'a>>,
    added: Vec<Waiting<'a>>,
    moved: Vec<MovedEntry<'a>>,
    /// Entries on either side with bookkeeping that changes.
    marked: Vec<(Side, u32)>,
    /// Entries after, that are not what they seem.
    poisoned: Vec<(NotABumpReason, u32)>,
    /// Entries after, that show their registry.
    registered: Vec<u32>,
}

impl<'r, 'a> HunkReading<'r, 'a> {
    /// Returns a reading of one hunk of `file`, which adds to `reading`.
    pub fn new(
        file: File<'a>,
        facts: &'r ApvFacts,
        reading: &'r mut Reading<'a>,
        poisons: &'r mut Vec<(NotABumpReason, Package<'a>)>,
        hosts: &'r mut Hosts<'a>,
    ) -> Self {
        Self {
            file,
            facts,
            reading,
            poisons,
            hosts,
            sides: Sides::new(file.kind),
            removed: Vec::new(),
            added: Vec::new(),
            moved: Vec::new(),
            marked: Vec::new(),
            poisoned: Vec::new(),
            registered: Vec::new(),
        }
    }

    /// Reads the hunk, or says why it is no part of a bump.
    pub fn read(mut self, hunk: &'a Hunk<'a>) -> Result<(), NotABump> {
        for line in &hunk.lines {
            match line.side {
                Side::Context => {
                    self.pair_run()?;
                    self.context(line.text)?;
                }
                Side::Removed | Side::Added => self.changed(line)?,
            }
        }
        self.pair_run()?;
        self.close()
    }

    fn refuse(&self, reason: NotABumpReason, what: &str) -> NotABump {
        self.file.refuse(reason, what)
    }

    fn context(&mut self, text: &'a str) -> Result<(), NotABump> {
        let (read, entry) = self.sides.read_both(text);
        match read {
            Read::Place(place) => {
                let counts = match place.role {
                    Role::Locked | Role::Source | Role::Mention => true,
                    Role::Requirement => !self.file.kind.is_lock(),
                    Role::Head => false,
                };
                if counts && self.is_named(&place.package) {
                    if self.reading.stays.len() >= MAX_PLACES {
                        return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
                    }
                    self.reading.stays.push(Stay {
                        file: self.file,
                        place,
                    });
                }
            }
            Read::Registry => self.registered.push(entry),
            Read::Poison(reason, None) => self.poisoned.push((reason, entry)),
            Read::Poison(reason, Some(package)) if self.is_named(&package) => {
                self.poisons.push((reason, package));
            }
            Read::Poison(_, Some(_)) => {}
            Read::Mark(_) | Read::Still(_) => {}
        }
        Ok(())
    }

    fn changed(&mut self, line: &'a Line<'a>) -> Result<(), NotABump> {
        let text = line.text;
        // Printable ASCII only: no look-alike letter, no bidi or zero-width character, no escape
        // sequence and no lone `\r` (a line break to YAML) can hide in a changed line.
        let body = text.strip_suffix('\r').unwrap_or(text);
        if !body.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(self.refuse(NotABumpReason::ForeignCharacter, text));
        }
        let (read, entry) = match line.side {
            Side::Removed => self.sides.read_before(text),
            _ => self.sides.read_after(text),
        };
        match read {
            Read::Place(place) => {
                let waiting = Waiting {
                    place,
                    entry,
                    line: text,
                };
                match line.side {
                    Side::Removed => self.removed.push(waiting),
                    _ => self.added.push(waiting),
                }
                if self.removed.len() > MAX_PLACES || self.added.len() > MAX_PLACES {
                    return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
                }
                Ok(())
            }
            Read::Mark(mark) => self.changed_mark(line, mark, entry),
            Read::Registry => Err(self.refuse(NotABumpReason::NonRegistrySource, text)),
            Read::Poison(reason, _) | Read::Still(reason) => Err(self.refuse(reason, text)),
        }
    }

    fn changed_mark(
        &mut self,
        line: &Line<'a>,
        mark: Mark<'a>,
        entry: u32,
    ) -> Result<(), NotABump> {
        self.hosts.note(line.side, mark.host);
        if mark.weak && line.side == Side::Added {
            return Err(self.refuse(NotABumpReason::IntegrityDropped, line.text));
        }
        match mark.owner {
            Owner::File => {}
            Owner::Entry => {
                // Many digests of one entry are one fact.
                if self.marked.last() != Some(&(line.side, entry)) {
                    self.marked.push((line.side, entry));
                }
            }
            Owner::Named(package, version) => {
                if self.reading.marks.len() >= MAX_MARKS {
                    return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
                }
                self.reading.marks.push(NamedMark {
                    file: self.file,
                    side: line.side,
                    package,
                    version,
                });
            }
        }
        Ok(())
    }

    /// Pairs the places of a run of changed lines.
    fn pair_run(&mut self) -> Result<(), NotABump> {
        if self.removed.is_empty() && self.added.is_empty() {
            return Ok(());
        }
        let mut removed = std::mem::take(&mut self.removed);
        let mut added = std::mem::take(&mut self.added);
        for (old, new) in removed.iter().zip(&added) {
            self.pair(old, new)?;
        }
        if let Some(extra) = added.get(removed.len()) {
            return Err(self.refuse(NotABumpReason::NewDependency, extra.line));
        }
        if let Some(extra) = removed.get(added.len()) {
            return Err(self.refuse(NotABumpReason::RemovedDependency, extra.line));
        }
        removed.clear();
        added.clear();
        (self.removed, self.added) = (removed, added);
        Ok(())
    }

    fn pair(&mut self, old: &Waiting<'a>, new: &Waiting<'a>) -> Result<(), NotABump> {
        let (before, after) = (old.place, new.place);
        if !self.is_named(&after.package) || !self.is_named(&before.package) {
            return Err(self.refuse(NotABumpReason::OtherPackage, new.line));
        }
        let same_line = before.package.same(self.file.ecosystem(), &after.package)
            && before.role == after.role
            && before.frame == after.frame
            && before.digests == after.digests;
        if !same_line {
            return Err(self.refuse(NotABumpReason::MoreThanTheVersion, new.line));
        }
        if after.role == Role::Head {
            return Ok(());
        }
        if before.text == after.text {
            // Only a digest that the frame leaves out can differ.
            let reason = if old.line == new.line {
                NotABumpReason::VersionUnmoved
            } else {
                NotABumpReason::IntegrityWithoutVersion
            };
            return Err(self.refuse(reason, new.line));
        }
        if self.reading.moves.len() >= MAX_PLACES {
            return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
        }
        self.moved.push(MovedEntry {
            before: old.entry,
            after: new.entry,
            role: after.role,
            to: after.text,
        });
        self.reading.moves.push(Move {
            file: self.file,
            before,
            after,
        });
        Ok(())
    }

    /// Checks what belongs to the entries of the hunk.
    fn close(self) -> Result<(), NotABump> {
        let owns = |moved: &&MovedEntry<'_>| moved.role != Role::Mention;
        for (side, entry) in &self.marked {
            let moves = self.moved.iter().filter(owns).any(|moved| match side {
                Side::Removed => moved.before == *entry,
                _ => moved.after == *entry,
            });
            if !moves {
                return Err(self.refuse(NotABumpReason::IntegrityWithoutVersion, ""));
            }
        }
        for moved in self.moved.iter().filter(owns) {
            let had = self.marked.contains(&(Side::Removed, moved.before));
            if had && !self.marked.contains(&(Side::Added, moved.after)) {
                return Err(self.refuse(NotABumpReason::IntegrityDropped, ""));
            }
        }
        for (reason, entry) in &self.poisoned {
            if self
                .moved
                .iter()
                .filter(owns)
                .any(|moved| moved.after == *entry)
            {
                return Err(self.refuse(*reason, ""));
            }
        }
        self.check_sources()
    }

    /// What an entry installs and what it is fetched from must move together, to the same version.
    fn check_sources(&self) -> Result<(), NotABump> {
        let incomplete = || self.refuse(NotABumpReason::EntryIncomplete, "");
        let of = |role: Role| self.moved.iter().filter(move |moved| moved.role == role);
        let agree = |one: &MovedEntry<'_>, other: &MovedEntry<'_>| {
            one.after == other.after && one.to == other.to
        };
        for source in of(Role::Source) {
            if !of(Role::Locked).any(|locked| agree(locked, source)) {
                return Err(incomplete());
            }
        }
        if !self.file.kind.shows_source() {
            return Ok(());
        }
        for locked in of(Role::Locked) {
            let sourced = self.registered.contains(&locked.after)
                || of(Role::Source).any(|source| agree(locked, source));
            if !sourced {
                return Err(incomplete());
            }
        }
        Ok(())
    }

    fn is_named(&self, package: &Package<'_>) -> bool {
        let ecosystem = self.file.ecosystem();
        self.facts
            .packages
            .iter()
            .any(|fact| fact.ecosystem == ecosystem && package.is(ecosystem, &fact.name))
    }
}
