//! What a version bump says: which version it moves from, and which to.

use crate::diff::{Diff, Side};
use crate::event::facts;
use crate::exploit::Ecosystem;
use crate::judge::advisory::same_package;

/// Files that name versions and hold no code.
const MANIFESTS: [&str; 8] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "Pipfile",
    "Pipfile.lock",
    "poetry.lock",
];

/// The versions that a bump moves a package between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The one before.
    pub from: String,
    /// The one after.
    pub to: String,
}

/// Returns what a diff moves the package between; `None` if it changes anything but manifests, or does not name both
/// versions of this package.
pub fn moved(diff: &Diff<'_>, ecosystem: Ecosystem, package: &str) -> Option<Moved> {
    let is_manifest = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let requirements = name.starts_with("requirements") && name.ends_with(".txt");
        requirements || MANIFESTS.contains(&name)
    };
    if !diff.files.iter().all(|file| is_manifest(file.path())) {
        return None;
    }
    let lines = diff.files.iter().flat_map(|file| &file.hunks);
    let lines = lines.flat_map(|hunk| &hunk.lines);
    let version = |side: Side| {
        let mut lines = lines.clone().filter(|line| line.side == side);
        lines.find_map(|line| version_in(line.text, ecosystem, package))
    };
    Some(Moved {
        from: version(Side::Removed)?,
        to: version(Side::Added)?,
    })
}

/// Returns the exact version that a line of a manifest gives the package.
fn version_in(line: &str, ecosystem: Ecosystem, package: &str) -> Option<String> {
    let line = line.trim();
    let version = match ecosystem {
        Ecosystem::Npm => {
            let (name, version) = line.split_once(':')?;
            let unquoted = |text: &str| {
                let text = text.trim().trim_end_matches(',');
                Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned())
            };
            (unquoted(name)? == package).then_some(())?;
            unquoted(version)?
                .trim_start_matches(['^', '~', '=', 'v'])
                .to_owned()
        }
        Ecosystem::Pypi => {
            let (name, version) = line.split_once("==")?;
            let name = name.split('[').next().unwrap_or_default();
            same_package(facts::Ecosystem::PyPi, name.trim(), package).then_some(())?;
            let version = version
                .split([';', '#', ' ', '\\'])
                .next()
                .unwrap_or_default();
            version.trim().to_owned()
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-+_!".contains(c);
    let begins = version.starts_with(|c: char| c.is_ascii_digit());
    (begins && version.len() <= 64 && version.chars().all(plain)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{DiffLimits, parse};

    fn said(path: &str, old: &str, new: &str, ecosystem: Ecosystem) -> Option<(String, String)> {
        let text = format!("--- a/{path}\n+++ b/{path}\n@@ -1,2 +1,2 @@\n first\n-{old}\n+{new}\n");
        let diff = parse(&text, &DiffLimits::default()).unwrap();
        moved(&diff, ecosystem, "Some.Name").map(|moved| (moved.from, moved.to))
    }

    #[test]
    fn a_bump_says_where_it_moves_from_and_to() {
        let versions = Some(("1.2.3".to_owned(), "1.2.4".to_owned()));
        let npm = |old, new| said("package.json", old, new, Ecosystem::Npm);
        assert_eq!(
            npm("  \"Some.Name\": \"1.2.3\",", "  \"Some.Name\": \"^1.2.4\""),
            versions
        );
        let pypi = |old, new| said("requirements-dev.txt", old, new, Ecosystem::Pypi);
        assert_eq!(
            pypi(
                "some-name==1.2.3",
                "Some_Name[x]==1.2.4 ; python_version > '3'"
            ),
            versions
        );
    }

    #[test]
    fn anything_else_is_no_bump() {
        let npm = |path, old, new| said(path, old, new, Ecosystem::Npm);
        assert_eq!(
            npm(
                "package.json",
                "\"other\": \"1.2.3\"",
                "\"other\": \"1.2.4\""
            ),
            None
        );
        assert_eq!(
            npm(
                "index.js",
                "\"Some.Name\": \"1.2.3\"",
                "\"Some.Name\": \"1.2.4\""
            ),
            None
        );
        assert_eq!(
            npm(
                "package.json",
                "\"Some.Name\": \"1.2.3\"",
                "\"Some.Name\": \"file:../x\""
            ),
            None
        );
        assert_eq!(
            npm(
                "package.json",
                "\"Some.Name\": \"1.2.3\"",
                "\"Some.Name\": \"1.2.4 || x\""
            ),
            None
        );
    }
}
