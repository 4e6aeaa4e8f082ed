//! `Pipfile.lock`.

use super::json::{JsonLine, Nest, json_line};
use super::{is_hex_digest, is_named_digest};
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::requirement::Syntax;

/// Reader of `Pipfile.lock`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct PipfileLock<'a> {
    nest: Nest<'a>,
    /// The entry of the last line: counted by objects, since arrays lie within one.
    pub entry: u32,
}

impl<'a> PipfileLock<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let scanned = json_line(line);
        self.nest.follow(scanned);
        match scanned {
            JsonLine::Open(Some(_)) if line.trim_end().ends_with('{') => {
                self.entry += 1;
                Read::NOTHING
            }
            JsonLine::Element(text) if is_named_digest(text) => self.digest(),
            JsonLine::Pair(key, value) => self.pair(line, key, value),
            _ => Read::NOTHING,
        }
    }

    /// A digest counts only in the array `hashes` of an entry that is to be seen.
    fn digest(&self) -> Read<'a> {
        match (self.nest.key(0), self.nest.key(1)) {
            (Some("hashes"), Some(_)) => Read::Mark(Mark::of(Owner::Entry)),
            _ => Read::UNSEEN,
        }
    }

    fn pair(&self, line: &'a str, key: &'a str, value: &'a str) -> Read<'a> {
        let parent = self.nest.key(0);
        match (key, parent) {
            // Over the Pipfile, not over an artifact.
            ("sha256", Some("hash") | None) if is_hex_digest(value) => {
                Read::Mark(Mark::of(Owner::File))
            }
            ("version", None) => Read::UNSEEN,
            ("version", Some(package)) => Read::Place(Place::new(
                Package::named(package),
                Role::Locked,
                Syntax::Pip,
                line,
                value,
            )),
            ("git" | "file" | "path" | "ref", Some(_)) => Read::ELSEWHERE,
            ("index", Some(_)) if value != "pypi" => Read::ELSEWHERE,
            _ => Read::NOTHING,
        }
    }
}
