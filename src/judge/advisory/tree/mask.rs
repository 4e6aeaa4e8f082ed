//! Takes the places of named packages out of a file and leaves holes.
//!
//! A hole is left only where what stood there was understood: anything else stays, so that a change of
//! it is a difference of the files.

use super::place::{Document, Entry, Need, Place, Problem, Role, Sum};
use super::value::Value;
use crate::event::facts::{ApvFacts, Ecosystem};
use crate::judge::advisory::name::same_parts;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::{Syntax, Unread, admitted};

/// The text of a version that is set elsewhere: no version of any ecosystem.
const UNSEEN: &str = "?";

/// Collects the places of one file.
pub(super) struct Mask<'f> {
    facts: &'f ApvFacts,
    ecosystem: Ecosystem,
    places: Vec<Place>,
    problems: Vec<Problem>,
    shelf: Vec<(String, String)>,
    sums: Vec<Sum>,
}

impl<'f> Mask<'f> {
    /// Returns a mask for the packages of an ecosystem that the facts name.
    pub fn new(facts: &'f ApvFacts, ecosystem: Ecosystem) -> Self {
        Self {
            facts,
            ecosystem,
            places: Vec::new(),
            problems: Vec::new(),
            shelf: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// Returns what was found, with the rest of the file.
    pub fn finish(self, rest: Value) -> Document {
        Document {
            places: self.places,
            problems: self.problems,
            shelf: self.shelf,
            sums: self.sums,
            rest,
        }
    }

    /// Returns a named package as the APV spells it.
    pub fn named(&self, name: &str) -> Option<&'f str> {
        self.named_parts("", name)
    }

    /// Returns a named package of Maven, by group and artifact.
    pub fn named_parts(&self, group: &str, name: &str) -> Option<&'f str> {
        let known = |name: &str, group: &str| {
            self.facts
                .packages
                .iter()
                .find(|fact| {
                    fact.ecosystem == self.ecosystem
                        && same_parts(self.ecosystem, group, name, &fact.name)
                })
                .map(|fact| &*fact.name)
        };
        known(name, group)
    }

    /// Notes what speaks against a pure bump.
    pub fn problem(&mut self, reason: NotABumpReason, what: impl Into<String>) {
        self.problems.push(Problem {
            reason,
            what: what.into(),
        });
    }

    /// Notes that something is installed, whoever it is.
    pub fn installs(&mut self, name: &str, version: &str) {
        self.shelf.push((name.to_owned(), version.to_owned()));
    }

    /// Whether a text is understood as a requirement.
    pub fn is_requirement(&self, syntax: Syntax, text: &str) -> bool {
        admitted(self.ecosystem, syntax, text).is_ok()
    }

    /// Notes a place and returns whether its text was understood, so that it may be taken out.
    pub fn place(
        &mut self,
        package: &str,
        role: Role,
        at: impl Into<String>,
        syntax: Syntax,
        text: &str,
    ) -> bool {
        self.note(package, role, at.into(), syntax, text, None)
    }

    /// Notes an entry of a lock file and returns whether its version was understood.
    pub fn entry(
        &mut self,
        package: &str,
        at: impl Into<String>,
        version: &str,
        entry: Entry,
    ) -> bool {
        let (at, entry) = (at.into(), Some(Box::new(entry)));
        self.note(package, Role::Locked, at, Syntax::Exact, version, entry)
    }

    /// Notes a requirement that carries its digests, and returns whether it was understood.
    pub fn pinned(
        &mut self,
        package: &str,
        at: impl Into<String>,
        syntax: Syntax,
        text: &str,
        entry: Entry,
    ) -> bool {
        let role = match syntax {
            Syntax::Exact => Role::Locked,
            _ => Role::Requirement,
        };
        self.note(
            package,
            role,
            at.into(),
            syntax,
            text,
            Some(Box::new(entry)),
        )
    }

    /// Notes the sum of a version of a named module.
    pub fn sum(&mut self, module: &str, version: &str, digest: &str) {
        self.sums.push(Sum {
            module: module.to_owned(),
            version: version.to_owned(),
            digest: digest.to_owned(),
        });
    }

    /// Notes a place whose version is not to be seen.
    pub fn unseen(&mut self, package: &str, at: impl Into<String>) {
        self.places.push(Place {
            package: package.to_owned(),
            role: Role::Requirement,
            at: at.into(),
            text: UNSEEN.to_owned(),
            syntax: Syntax::Exact,
            entry: None,
        });
    }

    /// Takes a requirement or version out of a value that holds nothing else.
    pub fn take(
        &mut self,
        package: &str,
        role: Role,
        at: impl Into<String>,
        syntax: Syntax,
        value: &mut Value,
    ) {
        // A number with a fraction has lost how it was written.
        let Some(text) = value.scalar().map(str::to_owned) else {
            return self.unseen(package, at);
        };
        if self.place(package, role, at, syntax, &text) {
            *value = Value::Hole;
        }
    }

    fn note(
        &mut self,
        package: &str,
        role: Role,
        at: String,
        syntax: Syntax,
        text: &str,
        entry: Option<Box<Entry>>,
    ) -> bool {
        let understood = match admitted(self.ecosystem, syntax, text) {
            Ok(_) => true,
            Err(Unread::NotUnderstood) => false,
            Err(Unread::Foreign) => {
                self.problem(
                    NotABumpReason::NonRegistrySource,
                    format!("{package} {text}"),
                );
                return false;
            }
        };
        // What only repeats another file decides nothing by itself.
        if understood || role != Role::Copy {
            self.places.push(Place {
                package: package.to_owned(),
                role,
                at,
                text: text.to_owned(),
                syntax,
                entry,
            });
        }
        understood
    }
}

/// Leaves a hole in an entry for its bookkeeping: these fields, and what it needs as far as that was read.
pub(super) fn strip(entry: &mut Value, fields: &[&[&str]], needs: &[&str]) {
    for key in fields.iter().copied().flatten() {
        entry.take(key);
    }
    for key in needs {
        if matches!(entry.get(key), Some(Value::Map(_))) {
            entry.take(key);
        }
    }
    entry.put("", Value::Hole);
}

/// Returns what the maps under these keys say is needed, each a requirement by name.
pub(super) fn needs_of(entry: &Value, keys: &[&str], syntax: Syntax) -> Vec<Need> {
    keys.iter()
        .filter_map(|key| entry.get(key))
        .flat_map(Value::entries)
        .map(|(name, text)| Need {
            name: name.clone(),
            versions: Some((syntax, text.scalar().unwrap_or("?").to_owned())),
        })
        .collect()
}
