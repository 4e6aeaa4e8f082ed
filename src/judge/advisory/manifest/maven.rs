//! `pom.xml` and `gradle.lockfile`.
//!
//! A version in `pom.xml` counts only inside a `<dependency>` whose opening, group and artifact are to
//! be seen above it: the same lines elsewhere are the project's own coordinates or a plugin's.

use crate::diff::cut::cut;
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Reader of `pom.xml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Pom<'a> {
    in_dependency: bool,
    in_exclusions: bool,
    /// Inside a comment or a CDATA section, or behind one on the same line.
    in_comment: bool,
    group: Option<&'a str>,
    artifact: Option<&'a str>,
    /// The entry of the last line: one a dependency.
    pub entry: u32,
}

impl<'a> Pom<'a> {
    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let text = line.trim();
        if self.in_comment || text.contains("<!") {
            self.in_comment = match text.rfind("<!") {
                // Conservative: only `-->` ends it, and only the last opening counts.
                Some(start) => !text.get(start..).is_some_and(|rest| rest.contains("-->")),
                None => !text.contains("-->"),
            };
            return Read::NOTHING;
        }
        match text {
            "<dependency>" => {
                self.entry += 1;
                (self.group, self.artifact) = (None, None);
                (self.in_dependency, self.in_exclusions) = (true, false);
                return Read::NOTHING;
            }
            "</dependency>" => {
                self.in_dependency = false;
                return Read::NOTHING;
            }
            "<exclusions>" => self.in_exclusions = true,
            "</exclusions>" => self.in_exclusions = false,
            _ => {}
        }
        let Some((tag, value)) = element(text) else {
            return Read::NOTHING;
        };
        if !self.in_dependency || self.in_exclusions {
            return if tag == "version" {
                Read::UNSEEN
            } else {
                Read::NOTHING
            };
        }
        match tag {
            "groupId" => self.group = Some(value),
            "artifactId" => self.artifact = Some(value),
            "version" => return self.version(line, value),
            // `system` takes a jar from a path.
            "scope" if value == "system" => return Read::ELSEWHERE,
            "systemPath" => return Read::ELSEWHERE,
            _ => {}
        }
        Read::NOTHING
    }

    fn version(&self, line: &'a str, value: &'a str) -> Read<'a> {
        let (Some(group), Some(name)) = (self.group, self.artifact) else {
            return Read::UNSEEN;
        };
        // A property is set elsewhere, perhaps for several artifacts.
        if value.contains("${") {
            return Read::Still(NotABumpReason::NotUnderstood);
        }
        Read::Place(Place::new(
            Package { group, name },
            Role::Requirement,
            Syntax::Maven,
            line,
            value,
        ))
    }
}

/// Reads `<tag>value</tag>`.
fn element(text: &str) -> Option<(&str, &str)> {
    let (tag, rest) = cut(text.strip_prefix('<')?, b'>')?;
    let (value, end) = cut(rest, b'<')?;
    let closed = end.strip_prefix('/')?.strip_suffix('>')? == tag;
    (closed && !value.as_bytes().contains(&b'&')).then(|| (tag, value.trim()))
}

/// Reads a line of `gradle.lockfile`: `group:artifact:version=configurations`.
pub(super) fn read_lock(line: &str) -> Read<'_> {
    let Some((coordinates, _)) = line.split_once('=') else {
        return Read::NOTHING;
    };
    let mut parts = coordinates.split(':');
    let (Some(group), Some(name), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Read::NOTHING;
    };
    if group.is_empty() {
        return Read::NOTHING;
    }
    Read::Place(Place::new(
        Package { group, name },
        Role::Locked,
        Syntax::Exact,
        line,
        version,
    ))
}
