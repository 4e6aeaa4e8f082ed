//! What a reader of manifests makes of one line.

use super::name;
use super::reason::NotABumpReason;
use super::requirement::Syntax;
use crate::event::facts::Ecosystem;

/// A package as a line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Package<'a> {
    /// Maven's group; empty elsewhere.
    pub group: &'a str,
    /// The name, or Maven's artifact.
    pub name: &'a str,
}

/// What the version in a place does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A manifest's requirement, or a lock file's copy of one.
    Requirement,
    /// The version that a lock entry installs.
    Locked,
    /// The URL or resolution that a lock entry is fetched from.
    Source,
    /// A mention of a locked version in another entry.
    Mention,
    /// The head of a lock entry; it names the package but moves nothing by itself.
    Head,
}

/// A line that ties a package to a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The package.
    pub package: Package<'a>,
    /// The version or requirement as written.
    pub text: &'a str,
    /// How to read `text`.
    pub syntax: Syntax,
    /// What it does.
    pub role: Role,
    /// Everything else of the line that must not change; digests, which may, are left out.
    pub frame: [&'a str; 2],
    /// The digests that were left out of the frame.
    pub digest: Option<&'a str>,
    /// Whether newer installers read another entry of the same file instead.
    pub legacy: bool,
    /// Why the line may not change, where it installs the package under another name.
    pub alias: Option<NotABumpReason>,
    /// Whether other places may take their version from this one.
    pub shared: bool,
}

/// Whom a line of bookkeeping belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    /// The entry that it stands in.
    Entry,
    /// The package and version that it names itself.
    Named(Package<'a>, &'a str),
    /// The file as a whole: a digest over the manifest.
    File,
}

/// A line of bookkeeping: digest, artifact, timestamp.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'a> {
    /// Whom it belongs to.
    pub owner: Owner<'a>,
    /// Scheme and host of its URL; empty without one.
    pub host: &'a str,
    /// The digest, as it is written; empty where none is told apart.
    pub digest: &'a str,
    /// Whether it covers only a part of the package: its manifest.
    pub partial: bool,
    /// Whether its only digest is one that can be forged (SHA-1).
    pub weak: bool,
}

/// What one line is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read<'a> {
    /// A package at a version.
    Place(Place<'a>),
    /// The same, and behind it in brackets the packages that it was resolved with.
    Peers(Place<'a>),
    /// Bookkeeping, which may change with a version.
    Mark(Mark<'a>),
    /// Evidence that the current entry comes from the registry; as a changed line it is refused.
    Registry,
    /// The current entry is not what it seems, whether this line changes or not. With a package: every
    /// place of that package in the file.
    Poison(NotABumpReason, Option<Package<'a>>),
    /// Understood, and without any bearing on a version; may not change.
    Idle(NotABumpReason),
    /// A place of this package, whose version is not understood; may not change.
    Unread(Package<'a>),
    /// A place of this package that takes its version from a shared one; may not change.
    Inherits(Package<'a>),
    /// A property that may be the version of the packages whose names begin like this one; may not change.
    Property(Place<'a>),
    /// This version of the package is never taken; may not change.
    Excludes(Package<'a>, &'a str),
    /// Nothing in this hunk is what it seems: it began inside of a comment or a text.
    Murky,
    /// Not understood: harmless only where it names no affected package; may not change.
    Still(NotABumpReason),
}

impl<'a> Package<'a> {
    /// Returns the package of an ecosystem without groups.
    pub fn named(name: &'a str) -> Self {
        Self { group: "", name }
    }

    /// Whether this is the package that a fact or another line calls `whole`.
    pub fn is(&self, ecosystem: Ecosystem, whole: &str) -> bool {
        name::same_parts(ecosystem, self.group, self.name, whole)
    }

    /// Whether both name the same package.
    pub fn same(&self, ecosystem: Ecosystem, other: &Self) -> bool {
        self.group == other.group && name::same(ecosystem, self.name, other.name)
    }
}

impl<'a> Place<'a> {
    /// Returns the place of `text`, a slice of `line`, framed by all the rest of the line.
    pub fn new(
        package: Package<'a>,
        role: Role,
        syntax: Syntax,
        line: &'a str,
        text: &'a str,
    ) -> Self {
        Self {
            package,
            text,
            syntax,
            role,
            frame: around(line, text),
            digest: None,
            legacy: false,
            alias: None,
            shared: false,
        }
    }

    /// Returns the place without what its frame holds from `sign` on behind the version: digests.
    pub fn without_digest_from(mut self, sign: &str) -> Self {
        if let Some((kept, digest)) = self.frame[1].split_once(sign) {
            self.frame[1] = kept;
            self.digest = Some(digest);
        }
        self
    }

    /// Returns the head of a lock entry; `text` are the ranges that it is for, if it names any.
    pub fn head(name: &'a str, text: &'a str) -> Self {
        let mut head = Self::new(Package::named(name), Role::Head, Syntax::Exact, "", "");
        head.text = text;
        head
    }

    /// Returns the place as one under another name, which may not change.
    pub fn aliased(mut self, reason: NotABumpReason) -> Self {
        self.alias = Some(reason);
        self
    }
}

impl<'a> Mark<'a> {
    /// Returns a mark of whom it names, without a URL.
    pub fn of(owner: Owner<'a>) -> Self {
        Self {
            owner,
            host: "",
            digest: "",
            partial: false,
            weak: false,
        }
    }

    /// Returns the digest of the entry that it stands in.
    pub fn digest(digest: &'a str) -> Self {
        Self {
            digest,
            ..Self::of(Owner::Entry)
        }
    }
}

impl Read<'_> {
    /// A line that is not understood.
    pub const NOTHING: Self = Self::Still(NotABumpReason::NotUnderstood);
    /// A line without meaning for the judge: a comment, a bracket, prose.
    pub const IDLE: Self = Self::Idle(NotABumpReason::NotUnderstood);
    /// A line of a section that may hold anything.
    pub const SECTION: Self = Self::Still(NotABumpReason::Section);
    /// A line of a section that installs nothing.
    pub const ELSE: Self = Self::Idle(NotABumpReason::Section);
    /// A field whose entry is not in the hunk.
    pub const UNSEEN: Self = Self::Still(NotABumpReason::EntryNotVisible);
    /// A place that is filled from elsewhere than the registry.
    pub const ELSEWHERE: Self = Self::Poison(NotABumpReason::NonRegistrySource, None);
}

/// Splits `line` around `part`, which must be a slice of it: what stands before and after.
fn around<'a>(line: &'a str, part: &'a str) -> [&'a str; 2] {
    let start = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let before = line.get(..start).unwrap_or_default();
    let after = line.get(start + part.len()..).unwrap_or_default();
    [before, after]
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn a_line_is_split_around_its_part() {
        let line = "a = \"1.2\", # x";
        let part = line.get(5..8).unwrap();
        assert_eq!(around(line, part), ["a = \"", "\", # x"]);
        let end = line.get(line.len()..).unwrap();
        assert_eq!(around(line, end), [line, ""]);
    }
}
