//! `pom.xml` and `gradle.lockfile`.
//!
//! A version in `pom.xml` counts only inside a `<dependency>` whose opening, group and artifact are to
//! be seen above it: the same lines elsewhere are the project's own coordinates or a plugin's.

use crate::diff::cut::cut;
use crate::judge::advisory::place::{Package, Place, Read, Role};
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// Elements whose inside is not what the project itself builds with, or not always.
const ELSEWHERE: [&str; 6] = [
    "<plugin>",
    "<plugins>",
    "<pluginManagement>",
    "<profile>",
    "<profiles>",
    "<reporting>",
];
/// Elements that say nothing of a version.
const PROSE: [&str; 12] = [
    "scope",
    "type",
    "classifier",
    "optional",
    "groupId",
    "name",
    "description",
    "url",
    "id",
    "packaging",
    "modelVersion",
    "inceptionYear",
];

/// More properties than a hunk shows of any real build.
const MAX_PROPERTIES: usize = 64;

/// Reader of `pom.xml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Pom<'a> {
    in_dependency: bool,
    in_exclusions: bool,
    /// Whether what is around was seen to be a plugin or a profile, and how many of them.
    elsewhere: u32,
    /// Inside a comment or a CDATA section, or behind one on the same line.
    in_comment: bool,
    group: Option<&'a str>,
    artifact: Option<&'a str>,
    /// Whether the dependency has a version of its own.
    versioned: bool,
    /// The properties that were seen.
    properties: Vec<(&'a str, &'a str)>,
    /// The entry of the last line: one a dependency.
    pub entry: u32,
}

impl<'a> Pom<'a> {
    /// Takes in the last element that opens above the hunk.
    pub fn heading(&mut self, line: &'a str) {
        self.around(line.trim());
    }

    /// Reads the next line.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        let text = line.trim();
        if self.in_comment || text.contains("<!") {
            self.in_comment = match text.rfind("<!") {
                // Conservative: only `-->` ends it, and only the last opening counts.
                Some(start) => !text.get(start..).is_some_and(|rest| rest.contains("-->")),
                None => !text.contains("-->"),
            };
            return Read::IDLE;
        }
        // It began above the hunk.
        if text.contains("-->") || text.contains("]]>") {
            return Read::Murky;
        }
        match text {
            "" => return Read::IDLE,
            "<dependency>" => {
                self.entry += 1;
                (self.group, self.artifact, self.versioned) = (None, None, false);
                (self.in_dependency, self.in_exclusions) = (true, false);
                return Read::IDLE;
            }
            "</dependency>" => return self.end_of_dependency(),
            "<exclusions>" | "<exclusion>" => self.in_exclusions = true,
            "</exclusions>" => self.in_exclusions = false,
            _ if self.around(text) => return Read::IDLE,
            _ => {}
        }
        let Some((tag, value)) = element(text) else {
            return Read::NOTHING;
        };
        if self.in_exclusions {
            return match tag {
                "version" => Read::UNSEEN,
                _ => Read::IDLE,
            };
        }
        if !self.in_dependency {
            return self.outside(line, tag, value);
        }
        match tag {
            "groupId" => self.group = Some(value),
            "artifactId" => self.artifact = Some(value),
            "version" => return self.version(line, value),
            // `system` takes a jar from a path.
            "scope" if value == "system" => return Read::ELSEWHERE,
            "systemPath" => return Read::ELSEWHERE,
            _ if PROSE.contains(&tag) => return Read::IDLE,
            _ => return Read::NOTHING,
        }
        self.head()
    }

    /// Returns what a dependency on one line says.
    pub fn inside(&self, line: &'a str) -> Option<Vec<Read<'a>>> {
        let mut rest = line
            .trim()
            .strip_prefix("<dependency>")?
            .strip_suffix("</dependency>")?
            .trim();
        let mut reader = Self {
            in_dependency: true,
            ..self.clone()
        };
        (reader.group, reader.artifact, reader.versioned) = (None, None, false);
        let mut found = Vec::new();
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest.as_bytes(), b"</")?;
            let close = rest.get(end..)?.find('>')? + end + 1;
            let (piece, after) = rest.split_at_checked(close)?;
            let (tag, value) = element(piece.trim())?;
            match tag {
                "groupId" => reader.group = Some(value),
                "artifactId" => reader.artifact = Some(value),
                "version" => found.push(reader.version(line, value)),
                _ if PROSE.contains(&tag) => {}
                _ => return None,
            }
            rest = after.trim();
        }
        found.push(reader.end_of_dependency());
        Some(found)
    }

    /// Follows the elements that decide what a dependency in them is for; returns whether it was one.
    fn around(&mut self, text: &str) -> bool {
        if ELSEWHERE.contains(&text) {
            self.elsewhere += 1;
            return true;
        }
        let closes = text
            .strip_prefix("</")
            .is_some_and(|name| ELSEWHERE.iter().any(|open| open.get(1..) == Some(name)));
        if closes {
            // One that was not seen to open: what stood before it was within it, and is read already.
            self.elsewhere = self.elsewhere.saturating_sub(1);
            return true;
        }
        matches!(text, "<dependencyManagement>" | "</dependencyManagement>")
    }

    /// Returns the head of a dependency that is named in full.
    fn head(&self) -> Read<'a> {
        match (self.group, self.artifact) {
            (Some(group), Some(name)) => {
                let mut place = Place::head(name, "").aliased(NotABumpReason::NotUnderstood);
                place.package.group = group;
                Read::Place(place)
            }
            _ => Read::IDLE,
        }
    }

    fn end_of_dependency(&mut self) -> Read<'a> {
        self.in_dependency = false;
        match (self.group, self.artifact) {
            (Some(group), Some(name)) if !self.versioned => Read::Inherits(Package { group, name }),
            _ => Read::IDLE,
        }
    }

    /// Reads an element outside of dependencies: coordinates of somebody, or a property.
    fn outside(&mut self, line: &'a str, tag: &'a str, value: &'a str) -> Read<'a> {
        if tag == "version" {
            return Read::UNSEEN;
        }
        if PROSE.contains(&tag) {
            return Read::IDLE;
        }
        if tag != "artifactId" {
            if self.properties.len() < MAX_PROPERTIES {
                self.properties.push((tag, value));
            }
            if let Some(base) = property_of(tag) {
                return Read::Property(Place::new(
                    Package::named(base),
                    Role::Requirement,
                    Syntax::Maven,
                    line,
                    value,
                ));
            }
        }
        Read::NOTHING
    }

    fn version(&mut self, line: &'a str, value: &'a str) -> Read<'a> {
        self.versioned = true;
        let (Some(group), Some(name)) = (self.group, self.artifact) else {
            return Read::UNSEEN;
        };
        let package = Package { group, name };
        let mut place = Place::new(package, Role::Requirement, Syntax::Maven, line, value);
        if value.contains("${") {
            // A property is set elsewhere, perhaps for several artifacts.
            let property = value
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'));
            let known = self
                .properties
                .iter()
                .find(|(tag, _)| Some(*tag) == property);
            let Some((_, value)) = known else {
                return Read::Unread(package);
            };
            place.text = value;
            return Read::Place(place.aliased(NotABumpReason::NotUnderstood));
        }
        place.shared = true;
        Read::Place(match self.elsewhere {
            0 => place,
            _ => place.aliased(NotABumpReason::Section),
        })
    }
}

/// Returns what a property is the version of, by its name: `log4j` of `log4j.version`, `log4j2.version`,
/// `version.log4j`, `log4jVersion`.
fn property_of(tag: &str) -> Option<&str> {
    let base = ["version.", "version-", "ver."]
        .iter()
        .find_map(|start| tag.strip_prefix(start))
        .or_else(|| {
            [".version", "-version", "_version", "Version", ".ver"]
                .iter()
                .find_map(|end| tag.strip_suffix(end))
        })?;
    let base = base.trim_end_matches(|last: char| last.is_ascii_digit());
    (base.len() > 1).then_some(base)
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
    if line.starts_with('#') || line.starts_with("empty=") || line.trim().is_empty() {
        return Read::IDLE;
    }
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

#[cfg(test)]
mod tests {
    use super::property_of;

    #[test]
    fn a_property_tells_what_it_is_the_version_of() {
        for tag in [
            "log4j.version",
            "log4j2.version",
            "version.log4j",
            "log4jVersion",
            "log4j-version",
        ] {
            assert_eq!(property_of(tag), Some("log4j"), "{tag}");
        }
        for tag in ["version", "java.home", "project.encoding", ".version"] {
            assert_eq!(property_of(tag), None, "{tag}");
        }
    }
}
