//! The pass over a diff.

use xxhash_rust::xxh3::xxh3_64;

use super::language::{Language, is_test};
use super::lexer::{Inside, Kind, Token, lex, skip};
use super::schema;
use super::tally::{LineFacts, Tally};
use crate::diff::{Diff, FileDiff, Hunk, Side};
use crate::judge::sketch::Sketch;

/// Lines that a region of a sketch has.
const REGION_LINES: u32 = 20;
/// Added lines after a condition in which leaving makes it a guard.
const GUARD_LINES: usize = 3;
/// Names of a file that are numbered; later ones stand for themselves.
const NUMBERED: usize = 256;
/// Odd, for folding hashes: 2^64 divided by the golden ratio.
const FOLD: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a diff was read as.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The features, as many as [`COLUMNS`](super::COLUMNS), each finite and within
    /// [`BOUND`](super::BOUND).
    pub features: Vec<f32>,
    /// What later candidates are compared with.
    pub sketch: Sketch,
    /// The language of most of the changed lines; of equals the first.
    pub language: Language,
    /// Whether it changes code that runs, beside tests: what a model learnt from.
    pub has_source: bool,
}

/// Counts of the whole diff, beside those of its sides.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    pub(super) hunks: u32,
    pub(super) changed_lines: u32,
    pub(super) test_lines: u32,
    pub(super) other_lines: u32,
    pub(super) unsafe_lines: u32,
    /// Runs of lines that only add, only remove, or replace.
    pub(super) only_add: u32,
    pub(super) only_remove: u32,
    pub(super) replace: u32,
    /// Replacements of as many lines as before.
    pub(super) even: u32,
    /// Conditions that stand before and after a replacement.
    pub(super) conditions_kept: u32,
    /// Of those, conditions that connect more than before.
    pub(super) conditions_grown: u32,
    /// Added conditions that lead out at once.
    pub(super) guards: u32,
}

/// Reads diffs; keeps what it needs from one to the next.
#[derive(Debug, Default)]
pub struct Extractor {
    added: Tally,
    removed: Tally,
    whole: Whole,
    numbered: Numbered,
    /// Changed lines by language.
    languages: Vec<(Language, u32)>,
}

/// The names of a file in order of first use.
#[derive(Debug)]
struct Numbered {
    slots: [(u64, u16); NUMBERED],
    next: u16,
}

impl Default for Numbered {
    fn default() -> Self {
        Self {
            slots: [(0, 0); NUMBERED],
            next: 0,
        }
    }
}

impl Numbered {
    /// Returns the number of a name, or the name's hash once there are too many.
    fn of(&mut self, hash: u64) -> u64 {
        for step in 0..NUMBERED {
            let at = (hash as usize).wrapping_add(step) % NUMBERED;
            match self.slots.get_mut(at) {
                Some((known, number)) if *known == hash && *number > 0 => {
                    return u64::from(*number);
                }
                Some((known, number)) if *number == 0 => {
                    self.next += 1;
                    if usize::from(self.next) > NUMBERED / 2 {
                        return hash;
                    }
                    (*known, *number) = (hash, self.next);
                    return u64::from(*number);
                }
                _ => {}
            }
        }
        hash
    }

    /// In place: a new one would be made elsewhere and copied here for every file.
    fn clear(&mut self) {
        if self.next > 0 {
            self.slots.fill((0, 0));
            self.next = 0;
        }
    }
}

/// A run of changed lines within a hunk.
#[derive(Debug, Default)]
struct Run {
    removed: u32,
    added: u32,
    conditions: [u32; 2],
    connecting: [u32; 2],
}

impl Extractor {
    /// Returns the features and the sketch of a diff.
    pub fn read(&mut self, diff: &Diff<'_>) -> Read {
        let mut sketch = Sketch::default();
        self.added = Tally::default();
        self.removed = Tally::default();
        self.whole = Whole::default();
        self.languages.clear();
        // Tests, notes and lock files that come along say what a tool is used to write, not what it mended.
        let has_source = diff.files.iter().any(|file| About::of(file).is_source());
        for file in &diff.files {
            let about = About::of(file);
            if !has_source || about.is_source() {
                self.file(file, about, &mut sketch);
            } else {
                self.beside(file, about);
            }
        }
        sketch.length = self.added.tokens + self.removed.tokens;
        let features = schema::values(&self.added, &self.removed, &self.whole);
        let languages = self
            .languages
            .iter()
            .max_by_key(|(language, lines)| (*lines, std::cmp::Reverse(*language)));
        Read {
            features,
            sketch,
            language: languages.map_or(Language::Other, |(language, _)| *language),
            has_source,
        }
    }

    fn file(&mut self, file: &FileDiff<'_>, about: About, sketch: &mut Sketch) {
        let language = about.language;
        let name = xxh3_64(file.path().as_bytes());
        sketch.files.insert(name as u32);
        self.numbered.clear();
        let mut edit = 0_u64;
        for hunk in &file.hunks {
            let region = fold(name, u64::from(hunk.old_start / REGION_LINES));
            sketch.regions.insert(region as u32);
            edit = self.hunk(hunk, about, edit, sketch);
        }
        let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
        let changed = lines.filter(|line| line.side != Side::Context).count() as u32;
        match self
            .languages
            .iter_mut()
            .find(|(known, _)| *known == language)
        {
            Some((_, lines)) => *lines += changed,
            None => self.languages.push((language, changed)),
        }
        // A sum, so that the order of files does not matter.
        sketch.edit = sketch.edit.wrapping_add(edit);
    }

    /// Counts the lines of a file that stands beside source.
    fn beside(&mut self, file: &FileDiff<'_>, about: About) {
        let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
        let changed = lines.filter(|line| line.side != Side::Context).count() as u32;
        if about.test {
            self.whole.test_lines += changed;
        }
        if !about.language.is_source() {
            self.whole.other_lines += changed;
        }
        self.whole.changed_lines += changed;
    }

    fn hunk(&mut self, hunk: &Hunk<'_>, about: About, edit: u64, sketch: &mut Sketch) -> u64 {
        self.whole.hunks += 1;
        let mut edit = fold(edit, 1);
        let (mut before, mut after) = (Inside::default(), Inside::default());
        let mut run = Run::default();
        // Added lines since the last added condition that may still become a guard.
        let mut since_condition = usize::MAX;
        for line in &hunk.lines {
            let text = line.text.as_bytes();
            match line.side {
                Side::Context => {
                    self.close(&mut run);
                    since_condition = usize::MAX;
                    // Only whether a comment or a string goes on counts of it.
                    skip(text, about.language.family(), &mut after);
                    before = after;
                }
                Side::Removed => {
                    if run.added > 0 {
                        self.close(&mut run);
                    }
                    let facts;
                    (facts, edit) = self.changed(text, about, &mut before, false, edit, sketch);
                    run.removed += 1;
                    run.note(0, facts);
                }
                Side::Added => {
                    let facts;
                    (facts, edit) = self.changed(text, about, &mut after, true, edit, sketch);
                    run.added += 1;
                    run.note(1, facts);
                    since_condition = match since_condition {
                        _ if facts.condition => 0,
                        lines => lines.saturating_add(1),
                    };
                    if facts.leaves && since_condition <= GUARD_LINES {
                        self.whole.guards += 1;
                        since_condition = usize::MAX;
                    }
                }
            }
        }
        self.close(&mut run);
        edit
    }

    fn changed(
        &mut self,
        text: &[u8],
        about: About,
        inside: &mut Inside,
        is_added: bool,
        mut edit: u64,
        sketch: &mut Sketch,
    ) -> (LineFacts, u64) {
        let whole = &mut self.whole;
        whole.changed_lines += 1;
        whole.test_lines += u32::from(about.test);
        whole.other_lines += u32::from(!about.language.is_source());
        whole.unsafe_lines += u32::from(about.language.is_memory_unsafe());
        let tally = if is_added {
            &mut self.added
        } else {
            &mut self.removed
        };
        let numbered = &mut self.numbered;
        let mut facts = LineFacts::default();
        let (mut line, mut last, mut last_but_one) = (0, 0, 0);
        let mut after_name = false;
        edit = fold(edit, 2 + u64::from(is_added));
        lex(text, about.language.family(), inside, |token| {
            let hash = hash_of(token);
            tally.token(token, hash, after_name, &mut facts);
            line = fold(line, hash);
            let is_name = token.kind == Kind::Word;
            let tells = !matches!(token.kind, Kind::Word | Kind::Number)
                || token.bytes.len() > 1
                || token.bytes.first().is_some_and(u8::is_ascii_digit);
            if tells {
                sketch.tokens.insert(hash);
            }
            if is_added {
                if tells && matches!(token.kind, Kind::Word | Kind::Number) {
                    sketch.added.insert(hash);
                }
                if last_but_one != 0 {
                    sketch.trigrams.insert(fold(fold(last_but_one, last), hash));
                }
                (last_but_one, last) = (last, hash);
            }
            edit = fold(edit, if is_name { numbered.of(hash) } else { hash });
            after_name = is_name;
        });
        tally.line(text.len(), line, facts);
        if facts.tokens > 1 {
            sketch.lines.insert(fold(line, u64::from(is_added)));
        }
        (facts, edit)
    }

    /// Ends a run of changed lines.
    fn close(&mut self, run: &mut Run) {
        let whole = &mut self.whole;
        match (run.removed, run.added) {
            (0, 0) => return,
            (0, _) => whole.only_add += 1,
            (_, 0) => whole.only_remove += 1,
            (removed, added) => {
                whole.replace += 1;
                whole.even += u32::from(removed == added);
                let [before, after] = run.conditions;
                whole.conditions_kept += before.min(after);
                let [before, after] = run.connecting;
                whole.conditions_grown += after.saturating_sub(before);
            }
        }
        *run = Run::default();
    }
}

impl Run {
    fn note(&mut self, side: usize, facts: LineFacts) {
        if let Some(count) = self.conditions.get_mut(side) {
            *count += u32::from(facts.condition);
        }
        if let Some(count) = self.connecting.get_mut(side) {
            *count += u32::from(facts.connects);
        }
    }
}

/// What is known of the file that a line is of.
#[derive(Debug, Clone, Copy)]
struct About {
    language: Language,
    test: bool,
}

impl About {
    fn of(file: &FileDiff<'_>) -> Self {
        let path = file.path();
        Self {
            language: Language::of(path),
            test: is_test(path),
        }
    }

    /// Whether it is code that runs, beside tests.
    fn is_source(self) -> bool {
        self.language.is_source() && !self.test
    }
}

/// Returns a token's hash. It stands in sketches on topics, so it must never change.
fn hash_of(token: Token<'_>) -> u64 {
    match (token.kind, token.bytes) {
        (Kind::Operator | Kind::Quote, [one]) => fold(1, u64::from(*one)),
        (Kind::Operator | Kind::Quote, [one, two]) => {
            fold(2, u64::from(*one) << 8 | u64::from(*two))
        }
        (_, bytes) => xxh3_64(bytes),
    }
}

/// Returns a hash of both, which depends on their order.
fn fold(hash: u64, next: u64) -> u64 {
    let mixed = (hash.rotate_left(23) ^ next).wrapping_mul(FOLD);
    mixed ^ (mixed >> 29)
}
