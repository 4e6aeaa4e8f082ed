//! `package.json`.
//!
//! The section is often outside the three lines of context. A line whose section is not to be seen is
//! taken as a dependency if its key is a named package: wherever else it may stand (`scripts`,
//! `config`), both its values must be version ranges, so it runs nothing and names no source; at worst
//! it changes nothing. Keys that have another meaning at the top or in `engines` need their section.

use super::json::{JsonLine, Nest, json_line};
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::requirement::Syntax;

/// Sections that name dependencies directly.
const DEPENDENCIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// Sections that pin dependencies of dependencies, perhaps nested.
const OVERRIDES: [&str; 2] = ["overrides", "resolutions"];

/// Packages whose names are also keys of the manifest itself, of `engines` or of version managers.
const AMBIGUOUS: [&str; 13] = [
    "version", "name", "type", "main", "license", "node", "npm", "yarn", "pnpm", "bun", "deno",
    "vscode", "electron",
];

/// Reader of `package.json`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct PackageJson<'a> {
    nest: Nest<'a>,
}

impl<'a> PackageJson<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let scanned = json_line(line);
        self.nest.follow(scanned);
        let JsonLine::Pair(key, value) = scanned else {
            return Read::NOTHING;
        };
        let known = match self.nest.key(0) {
            Some(section) => DEPENDENCIES.contains(&section) || self.nest.within(&OVERRIDES),
            None => !AMBIGUOUS.contains(&key),
        };
        if !known {
            return Read::SECTION;
        }
        Read::Place(Place::new(
            Package::named(key),
            Role::Requirement,
            Syntax::Npm,
            line,
            value,
        ))
    }
}
