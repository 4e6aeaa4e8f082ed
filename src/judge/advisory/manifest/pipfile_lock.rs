//! `Pipfile.lock`.

use super::json::{JsonLine, Nest, json_line};
use super::{is_hex_digest, is_named_digest};
use crate::judge::advisory::place::{Mark, Owner, Package, Place, Read, Role};
use crate::judge::advisory::requirement::Syntax;

/// Reader of `Pipfile.lock`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct PipfileLock<'a> {
    nest: Nest<'a>,
}

impl<'a> PipfileLock<'a> {
    /// Returns the entry of the last line: counted by objects, since arrays lie within one.
    pub fn entry(&self) -> u32 {
        self.nest.entry()
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let scanned = json_line(line);
        self.nest.follow(scanned);
        match scanned {
            JsonLine::Open(Some(
                "hashes" | "markers" | "extras" | "_meta" | "default" | "develop",
            )) => Read::IDLE,
            JsonLine::Open(Some(key)) if line.trim_end().ends_with('{') => {
                Read::Place(Place::head(key, ""))
            }
            JsonLine::Element(text) if is_named_digest(text) => self.digest(text),
            JsonLine::Element(_) if self.nest.key(0) == Some("extras") => Read::IDLE,
            JsonLine::Pair(key, value) => self.pair(line, key, value),
            JsonLine::Element(_) | JsonLine::Other => Read::NOTHING,
            _ => Read::IDLE,
        }
    }

    /// A digest counts only in the array `hashes` of an entry that is to be seen.
    fn digest(&self, digest: &'a str) -> Read<'a> {
        match (self.nest.key(0), self.nest.key(1)) {
            (Some("hashes"), Some(_)) => Read::Mark(Mark::digest(digest)),
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
            ("index" | "markers" | "name" | "url" | "python_version", _) => Read::IDLE,
            _ => Read::NOTHING,
        }
    }
}
