//! From lines to moves: pairs what a hunk removes with what it adds, and reads what it leaves.
//!
//! Two rules carry the judge. Within a run of changed lines, the k-th place removed and the k-th place
//! added must be the same line but for the version: what differs in anything else, has no partner, or is
//! not understood, ends the reading. And a line that stays is harmless only where it is understood: one
//! that names an affected package and is not, is a doubt ([`Doubt`]).
//!
//! Over 400 lines, because the two rules share the state of one hunk.

use super::manifest::Sides;
use super::name;
use super::pair::{Copied, Doubt, File, Head, Move, NamedMark, Property, Reading, Stay};
use super::path::{Digests, FileKind};
use super::place::{Mark, Owner, Package, Place, Read, Role};
use super::reason::{NotABumpReason, RefutedReason, UnverifiableReason};
use super::{NotABump, known::Finding};
use crate::diff::{Hunk, Line, Side};
use crate::event::facts::{ApvFacts, Ecosystem};

/// More places than this, moved or left behind, are not compared.
const MAX_PLACES: usize = 256;
/// More lines of bookkeeping than this are not compared.
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
    package: Package<'a>,
    to: &'a str,
    /// Whether the line goes on with digests.
    continued: bool,
    /// Whether a digest on the line itself moves.
    digest: bool,
}

/// The head of an entry, on the side after.
struct EntryHead<'a> {
    entry: u32,
    /// The ranges that it is for, where it names any.
    ranges: &'a str,
    /// What it was before, where it changes.
    before: Option<&'a str>,
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
    /// The digests that change.
    digests: Vec<(Side, &'a str)>,
    /// Entries after, with a digest that stays.
    kept: Vec<(u32, &'a str)>,
    /// Places that a URL names and that stay, with their entry.
    sources: Vec<(u32, Place<'a>)>,
    /// Entries after, that are not what they seem.
    poisoned: Vec<(NotABumpReason, u32)>,
    /// Entries after, that show their registry.
    registered: Vec<u32>,
    /// Entries after, of named packages, that stay.
    stayed: Vec<(u32, &'a str)>,
    heads: Vec<EntryHead<'a>>,
    /// The last entry whose head names an affected package and whose version has not been seen.
    pending: Option<(u32, &'a str)>,
    /// Whether the hunk began inside of a comment or a text.
    murky: bool,
}

impl<'r, 'a> HunkReading<'r, 'a> {
    /// Returns a reading of one hunk of `file`, which adds to `reading`.
    pub fn new(
        file: File<'a>,
        heading: &'a str,
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
            sides: Sides::new(file.kind, heading),
            removed: Vec::new(),
            added: Vec::new(),
            moved: Vec::new(),
            marked: Vec::new(),
            digests: Vec::new(),
            kept: Vec::new(),
            sources: Vec::new(),
            poisoned: Vec::new(),
            registered: Vec::new(),
            stayed: Vec::new(),
            heads: Vec::new(),
            pending: None,
            murky: false,
        }
    }

    /// Reads the hunk, or says why it is no part of a bump.
    pub fn read(mut self, hunk: &'a Hunk<'a>) -> Result<(), NotABump> {
        for line in &hunk.lines {
            match line.side {
                Side::Context => {
                    self.pair_run()?;
                    let (read, entry) = self.sides.read_both(line.text);
                    self.stands(read, entry, line.text)?;
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

    fn doubt(&mut self, finding: Finding<'static>, what: &'a str) {
        if self.reading.doubts.len() < MAX_PLACES {
            let file = self.file;
            self.reading.doubts.push(Doubt {
                file,
                finding,
                what,
            });
        }
    }

    fn not_understood(&mut self, line: &'a str) {
        self.doubt(
            Finding::Open(UnverifiableReason::PlaceNotUnderstood),
            line.trim(),
        );
    }

    // === lines that stay ===

    /// Takes in what a line that stays says.
    fn stands(&mut self, read: Read<'a>, entry: u32, line: &'a str) -> Result<(), NotABump> {
        match read {
            Read::Idle(_) => {}
            Read::Place(place) => self.stay(place, entry, line)?,
            Read::Peers(place) => {
                self.stay(place, entry, line)?;
                let peers = line.split_once('(').map_or("", |(_, peers)| peers);
                if self.mentions(peers) {
                    self.inside(entry, line)?;
                }
            }
            Read::Mark(mark) => self.kept_mark(mark, entry),
            Read::Registry => self.registered.push(entry),
            Read::Poison(reason, package) => {
                match package {
                    None => self.poisoned.push((reason, entry)),
                    Some(package) if self.is_named(&package) => {
                        self.poisons.push((reason, package));
                    }
                    Some(_) => {}
                }
                // A poison of another package may still name an affected one.
                if self.mentions(line) {
                    self.inside(entry, line)?;
                }
            }
            Read::Unread(package) => {
                self.seen(entry);
                if self.is_named(&package) {
                    self.not_understood(line);
                }
            }
            Read::Inherits(package) => {
                self.seen(entry);
                if self.is_named(&package) {
                    let file = self.file;
                    self.reading.inherits.push((file, package, line));
                }
            }
            Read::Excludes(package, version) => {
                if self.is_named(&package) {
                    let file = self.file;
                    self.reading.excludes.push((file, package, version));
                }
            }
            Read::Property(place) => self.property(place),
            Read::Murky => self.murky = true,
            Read::Still(_) => {
                if self.mentions(line) {
                    self.inside(entry, line)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a line that names an affected package within; where nothing is understood, it is a doubt.
    fn inside(&mut self, entry: u32, line: &'a str) -> Result<(), NotABump> {
        let Some(reads) = self.sides.inside(line) else {
            self.not_understood(line);
            return Ok(());
        };
        for read in reads {
            match read {
                Read::Still(_) | Read::Poison(..) => self.not_understood(line),
                read => self.stands(read, entry, line)?,
            }
        }
        Ok(())
    }

    fn stay(&mut self, place: Place<'a>, entry: u32, line: &'a str) -> Result<(), NotABump> {
        if place.role == Role::Head {
            return self.head(place, entry, None, line);
        }
        self.seen(entry);
        if !self.is_named(&place.package) {
            // `"lodash": "npm:evil@1"`, `"x": "github:lodash/lodash"`.
            if place.alias.is_some() && self.mentions(line) {
                self.not_understood(line);
            }
            return Ok(());
        }
        let stays = self.reading.stays.len() + self.reading.copies.len() + self.sources.len();
        if stays >= MAX_PLACES {
            return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
        }
        let file = self.file;
        match place.role {
            Role::Requirement if file.kind.is_lock() => {
                self.reading.copies.push(Copied { file, place });
            }
            Role::Source => self.sources.push((entry, place)),
            _ => {
                if place.role == Role::Locked {
                    self.stayed.push((entry, place.text));
                }
                self.reading.stays.push(Stay { file, place });
            }
        }
        Ok(())
    }

    /// Takes in the head of an entry that is there after.
    fn head(
        &mut self,
        place: Place<'a>,
        entry: u32,
        before: Option<&'a str>,
        line: &'a str,
    ) -> Result<(), NotABump> {
        // Of a dependency the group and then the artifact may say so.
        if self.pending.is_some_and(|(known, _)| known != entry) {
            self.unfinished();
        }
        if !self.is_named(&place.package) {
            if place.alias.is_some() && self.mentions(line) {
                self.not_understood(line);
            }
            return Ok(());
        }
        self.pending = Some((entry, line));
        if !place.text.is_empty() {
            if self.heads.len() >= MAX_PLACES {
                return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
            }
            self.heads.push(EntryHead {
                entry,
                ranges: place.text,
                before,
            });
        }
        Ok(())
    }

    /// The entry shows what it is about: its head waits no longer.
    fn seen(&mut self, entry: u32) {
        if self.pending.is_some_and(|(pending, _)| pending == entry) {
            self.pending = None;
        }
    }

    /// An entry of an affected package ended without a version.
    fn unfinished(&mut self) {
        if let Some((_, line)) = self.pending.take() {
            self.not_understood(line);
        }
    }

    fn kept_mark(&mut self, mark: Mark<'a>, entry: u32) {
        match mark.owner {
            Owner::File => {}
            Owner::Entry => {
                if self.kept.last().is_none_or(|(last, _)| *last != entry)
                    && self.kept.len() < MAX_MARKS
                {
                    self.kept.push((entry, mark.digest));
                }
            }
            Owner::Named(package, version) => {
                if self.is_named(&package) && self.reading.kept.len() < MAX_MARKS {
                    let named = self.named_mark(Side::Context, package, version, &mark);
                    self.reading.kept.push(named);
                }
            }
        }
    }

    fn named_mark(
        &self,
        side: Side,
        package: Package<'a>,
        version: &'a str,
        mark: &Mark<'a>,
    ) -> NamedMark<'a> {
        NamedMark {
            file: self.file,
            side,
            package,
            version,
            partial: mark.partial,
        }
    }

    /// A property of a build may be the version of a package that begins alike.
    fn property(&mut self, place: Place<'a>) {
        let base = place.package.name;
        let of = |name: &str| {
            let (group, artifact) = name.split_once(':').unwrap_or(("", name));
            artifact
                .strip_prefix(base)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
                || group.split('.').any(|part| part == base)
        };
        let file = self.file;
        for (package, fact) in self.facts.packages.iter().enumerate() {
            if fact.ecosystem == Ecosystem::Maven
                && !fact.withdrawn
                && of(&fact.name)
                && self.reading.properties.len() < MAX_PLACES
            {
                self.reading.properties.push(Property {
                    file,
                    place,
                    package,
                });
            }
        }
    }

    // === lines that change ===

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
            Read::Place(place) | Read::Peers(place) => {
                if let Some(reason) = place.alias {
                    return Err(self.refuse(reason, text));
                }
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
            Read::Poison(reason, _) | Read::Still(reason) | Read::Idle(reason) => {
                Err(self.refuse(reason, text))
            }
            Read::Excludes(..) => Err(self.refuse(NotABumpReason::Section, text)),
            Read::Unread(_) | Read::Inherits(_) | Read::Property(_) | Read::Murky => {
                Err(self.refuse(NotABumpReason::NotUnderstood, text))
            }
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
        if !mark.digest.is_empty() {
            if self.digests.len() >= 2 * MAX_MARKS {
                return Err(self.refuse(NotABumpReason::TooManyPlaces, ""));
            }
            self.digests.push((line.side, mark.digest));
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
                let named = self.named_mark(line.side, package, version, &mark);
                self.reading.marks.push(named);
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
            && before.digest.is_some() == after.digest.is_some();
        if !same_line {
            return Err(self.refuse(NotABumpReason::MoreThanTheVersion, new.line));
        }
        if after.role == Role::Head {
            return self.head(after, new.entry, Some(before.text), new.line);
        }
        self.seen(new.entry);
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
        if share_a_word(before.digest, after.digest) {
            self.unmoved(new.line);
        }
        self.moved.push(MovedEntry {
            before: old.entry,
            after: new.entry,
            role: after.role,
            package: after.package,
            to: after.text,
            continued: self.file.kind == FileKind::Requirements
                && new.line.trim_end().ends_with('\\'),
            digest: after.digest.is_some_and(|digest| !digest.is_empty()),
        });
        self.reading.moves.push(Move {
            file: self.file,
            before,
            after,
        });
        Ok(())
    }

    /// The version moves, what is fetched for it does not.
    fn unmoved(&mut self, what: &'a str) {
        self.doubt(
            Finding::Refuted(RefutedReason::BookkeepingUnmoved),
            what.trim(),
        );
    }

    // === the whole hunk ===

    /// Checks what belongs to the entries of the hunk.
    fn close(mut self) -> Result<(), NotABump> {
        self.unfinished();
        if self.murky && !self.moved.is_empty() {
            return Err(self.refuse(NotABumpReason::Section, ""));
        }
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
        self.check_stays();
        self.check_digests();
        self.check_sources();
        self.keep_heads();
        Ok(())
    }

    /// Entries of named packages that stay must be what they seem.
    fn check_stays(&mut self) {
        for (entry, place) in std::mem::take(&mut self.sources) {
            if self.moved.iter().any(|moved| moved.after == entry) {
                self.unmoved(place.text);
            } else {
                let file = self.file;
                self.reading.stays.push(Stay { file, place });
            }
        }
        let is_poisoned = |entry| self.poisoned.iter().any(|(_, poisoned)| *poisoned == entry);
        let doubtful = self.stayed.iter().find(|(entry, _)| is_poisoned(*entry));
        if let Some((_, version)) = doubtful {
            self.not_understood(version);
        }
    }

    /// The digests of a version must move with it.
    fn check_digests(&mut self) {
        let mut removed: Vec<&str> = Vec::new();
        for (side, digest) in &self.digests {
            if *side == Side::Removed {
                removed.push(digest);
            }
        }
        removed.sort_unstable();
        let kept = |(side, digest): &(Side, &'a str)| {
            (*side == Side::Added && removed.binary_search(digest).is_ok()).then_some(*digest)
        };
        if let Some(digest) = self.digests.iter().find_map(kept) {
            self.unmoved(digest);
        }
        let of_entries = self.file.kind.digests() == Digests::OfEntries;
        let carries = |entry: u32| {
            self.marked.contains(&(Side::Added, entry))
                || self
                    .moved
                    .iter()
                    .any(|moved| moved.after == entry && moved.digest)
        };
        let mut doubts = Vec::new();
        for moved in &self.moved {
            if matches!(moved.role, Role::Mention | Role::Head) {
                continue;
            }
            let stays = self.kept.iter().find(|(entry, _)| *entry == moved.after);
            if let Some((_, digest)) = stays {
                doubts.push((Finding::Refuted(RefutedReason::BookkeepingUnmoved), *digest));
            } else if carries(moved.after) {
                let path = self.file.path;
                self.reading.digested.push((path, moved.package, moved.to));
            } else if moved.continued || (of_entries && moved.role == Role::Locked) {
                let finding = Finding::Open(UnverifiableReason::BookkeepingNotSeen);
                doubts.push((finding, moved.to));
            }
        }
        for (finding, what) in doubts {
            self.doubt(finding, what);
        }
    }

    /// What an entry installs and what it is fetched from must move together, to the same version.
    fn check_sources(&mut self) {
        let of = |role: Role| self.moved.iter().filter(move |moved| moved.role == role);
        let agree = |one: &MovedEntry<'_>, other: &MovedEntry<'_>| {
            one.after == other.after && one.to == other.to
        };
        let mut incomplete = of(Role::Source)
            .find(|source| !of(Role::Locked).any(|locked| agree(locked, source)))
            .map(|source| source.to);
        if self.file.kind.shows_source() {
            incomplete = incomplete.or_else(|| {
                of(Role::Locked)
                    .find(|locked| {
                        !self.registered.contains(&locked.after)
                            && !of(Role::Source).any(|source| agree(locked, source))
                    })
                    .map(|locked| locked.to)
            });
        }
        if let Some(version) = incomplete {
            self.doubt(Finding::Open(UnverifiableReason::EntryIncomplete), version);
        }
    }

    /// Hands on the heads whose entry shows its version: the ranges must admit it.
    fn keep_heads(&mut self) {
        for head in &self.heads {
            let moved = self
                .moved
                .iter()
                .find(|moved| moved.after == head.entry && moved.role == Role::Locked)
                .map(|moved| moved.to);
            let stayed = || {
                self.stayed
                    .iter()
                    .find(|(entry, _)| *entry == head.entry)
                    .map(|(_, version)| *version)
            };
            if let Some(version) = moved.or_else(stayed) {
                self.reading.heads.push(Head {
                    file: self.file,
                    before: head.before,
                    after: head.ranges,
                    version,
                });
            }
        }
    }

    // === names ===

    fn is_named(&self, package: &Package<'_>) -> bool {
        let ecosystem = self.file.ecosystem();
        self.affected().any(|name| package.is(ecosystem, name))
    }

    /// Whether the line names an affected package, alone or within something longer.
    fn mentions(&self, line: &str) -> bool {
        let ecosystem = self.file.ecosystem();
        self.affected()
            .any(|name| name::mentions(ecosystem, line, name))
    }

    /// Returns the names of the packages that the facts call affected, in the file's ecosystem.
    fn affected(&self) -> impl Iterator<Item = &'r str> {
        let ecosystem = self.file.ecosystem();
        let packages = self.facts.packages.iter();
        packages
            .filter(move |fact| fact.ecosystem == ecosystem && !fact.withdrawn)
            .map(|fact| &*fact.name)
    }
}

/// Whether two lists of digests share one.
fn share_a_word(before: Option<&str>, after: Option<&str>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return false;
    };
    let words = |text: &'_ str| -> Vec<String> {
        let end = |sign: char| sign.is_ascii_whitespace() || matches!(sign, '\\' | '"' | ',');
        text.split(end)
            .filter(|word| !word.is_empty())
            .map(|word| word.trim_start_matches("--hash=").to_owned())
            .collect()
    };
    let before = words(before);
    words(after).iter().any(|word| before.contains(word))
}
