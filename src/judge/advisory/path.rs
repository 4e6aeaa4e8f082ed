//! Which files are manifests and lock files, told by path alone.
//!
//! A diff of code is refused here, before any line is read.

use crate::event::facts::Ecosystem;

/// The kinds of files that the judge reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// `package.json`.
    PackageJson,
    /// `package-lock.json`, `npm-shrinkwrap.json`.
    NpmLock,
    /// `yarn.lock`, classic and berry.
    YarnLock,
    /// `pnpm-lock.yaml`.
    PnpmLock,
    /// `requirements*.txt`, `constraints*.txt`, `requirements/*.txt`.
    Requirements,
    /// `pyproject.toml`, PEP 621 and Poetry.
    Pyproject,
    /// `Pipfile`.
    Pipfile,
    /// `Pipfile.lock`.
    PipfileLock,
    /// `poetry.lock`.
    PoetryLock,
    /// `uv.lock`.
    UvLock,
    /// `Cargo.toml`.
    CargoToml,
    /// `Cargo.lock`.
    CargoLock,
    /// `go.mod`.
    GoMod,
    /// `go.sum`.
    GoSum,
    /// `pom.xml`.
    Pom,
    /// `gradle.lockfile`.
    GradleLock,
}

/// Which digests of a lock file must move with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digests {
    /// None: the file has none, or they may be absent.
    None,
    /// Those of each entry, which stand in it.
    OfEntries,
    /// One entry of several about a version has them.
    OfVersions,
    /// Those of artifacts, whose names tell package and version.
    OfArtifacts,
}

/// What a path is to the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    /// A manifest or lock file of the project.
    Manifest(FileKind),
    /// Named like one, but among dependencies, tests, fixtures or build output.
    NotTheProjects,
    /// Named like one, in a place that its name disguises: letters outside ASCII, `..`, a backslash.
    Strange,
    /// Anything else.
    Other,
}

/// Directories whose manifests are not what the project installs; compared without case.
const FOREIGN_DIRECTORIES: [&str; 53] = [
    "node_modules",
    "bower_components",
    "jspm_packages",
    "vendor",
    "vendored",
    "third_party",
    "third-party",
    "thirdparty",
    "external",
    "externals",
    "site-packages",
    "dist-packages",
    "venv",
    ".venv",
    "virtualenv",
    "test",
    "tests",
    "__tests__",
    "testing",
    "testdata",
    "test_data",
    "test-data",
    "spec",
    "specs",
    "e2e",
    "fixture",
    "fixtures",
    "__fixtures__",
    "__mocks__",
    "mocks",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "doc",
    "docs",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "template",
    "templates",
    "target",
    "dist",
    "build",
    "out",
    ".git",
    ".yarn",
    ".tox",
    ".nox",
    ".cargo",
];

impl FileKind {
    /// Returns the ecosystem whose packages the file names.
    pub fn ecosystem(self) -> Ecosystem {
        match self {
            Self::PackageJson | Self::NpmLock | Self::YarnLock | Self::PnpmLock => Ecosystem::Npm,
            Self::Requirements
            | Self::Pyproject
            | Self::Pipfile
            | Self::PipfileLock
            | Self::PoetryLock
            | Self::UvLock => Ecosystem::PyPi,
            Self::CargoToml | Self::CargoLock => Ecosystem::CratesIo,
            Self::GoMod | Self::GoSum => Ecosystem::Go,
            Self::Pom | Self::GradleLock => Ecosystem::Maven,
        }
    }

    /// Whether the file records what was resolved, so that its requirements are copies of others.
    pub fn is_lock(self) -> bool {
        !matches!(
            self,
            Self::PackageJson
                | Self::Requirements
                | Self::Pyproject
                | Self::Pipfile
                | Self::CargoToml
                | Self::GoMod
                | Self::Pom
        )
    }

    /// Returns which digests go with a version that moves.
    pub fn digests(self) -> Digests {
        match self {
            Self::NpmLock | Self::YarnLock | Self::CargoLock | Self::PipfileLock => {
                Digests::OfEntries
            }
            Self::PnpmLock => Digests::OfVersions,
            Self::PoetryLock | Self::UvLock => Digests::OfArtifacts,
            _ => Digests::None,
        }
    }

    /// Whether an entry that moves must show where it is fetched from.
    ///
    /// In these files the source stands beside the version and decides what is installed: an entry
    /// whose source lies outside the hunk could keep fetching the old artifact, or be the project itself.
    pub fn shows_source(self) -> bool {
        matches!(
            self,
            Self::NpmLock | Self::YarnLock | Self::CargoLock | Self::UvLock
        )
    }
}

/// Returns what the path is, by its last segment first.
pub(super) fn classify(path: &str) -> PathKind {
    let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
    let Some(kind) = kind_of(directory, file) else {
        return PathKind::Other;
    };
    let strange = |segment: &str| {
        segment.is_empty()
            || segment == "."
            || segment == ".."
            || !segment
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\')
    };
    let foreign = |segment: &str| {
        FOREIGN_DIRECTORIES
            .iter()
            .any(|name| name.eq_ignore_ascii_case(segment))
    };
    let at_root = path.len() == file.len();
    let directories = || directory.split('/').filter(|_| !at_root);
    if directories().any(foreign) {
        return PathKind::NotTheProjects;
    }
    if strange(file) || directories().any(strange) {
        return PathKind::Strange;
    }
    PathKind::Manifest(kind)
}

fn kind_of(directory: &str, file: &str) -> Option<FileKind> {
    Some(match file {
        "package.json" => FileKind::PackageJson,
        "package-lock.json" | "npm-shrinkwrap.json" => FileKind::NpmLock,
        "yarn.lock" => FileKind::YarnLock,
        "pnpm-lock.yaml" => FileKind::PnpmLock,
        "pyproject.toml" => FileKind::Pyproject,
        "Pipfile" => FileKind::Pipfile,
        "Pipfile.lock" => FileKind::PipfileLock,
        "poetry.lock" => FileKind::PoetryLock,
        "uv.lock" => FileKind::UvLock,
        "Cargo.toml" => FileKind::CargoToml,
        "Cargo.lock" => FileKind::CargoLock,
        "go.mod" => FileKind::GoMod,
        "go.sum" => FileKind::GoSum,
        "pom.xml" => FileKind::Pom,
        "gradle.lockfile" => FileKind::GradleLock,
        _ => {
            let stem = file.strip_suffix(".txt")?;
            let in_folder = directory == "requirements" || directory.ends_with("/requirements");
            if in_folder || stem.starts_with("requirements") || stem.starts_with("constraints") {
                FileKind::Requirements
            } else {
                return None;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{FileKind, PathKind, classify};

    #[test]
    fn manifests_are_known_by_their_exact_name() {
        assert_eq!(
            classify("package.json"),
            PathKind::Manifest(FileKind::PackageJson)
        );
        assert_eq!(
            classify("web/app/yarn.lock"),
            PathKind::Manifest(FileKind::YarnLock)
        );
        assert_eq!(
            classify("requirements-dev.txt"),
            PathKind::Manifest(FileKind::Requirements)
        );
        assert_eq!(
            classify("a/requirements/base.txt"),
            PathKind::Manifest(FileKind::Requirements)
        );
        assert_eq!(classify("myrequirements/base.txt"), PathKind::Other);
        assert_eq!(classify("Package.json"), PathKind::Other);
        assert_eq!(classify("package.json.js"), PathKind::Other);
        assert_eq!(classify("src/main.rs"), PathKind::Other);
        assert_eq!(classify(""), PathKind::Other);
    }

    #[test]
    fn a_manifest_among_dependencies_or_fixtures_is_not_the_projects() {
        for path in [
            "node_modules/lodash/package.json",
            "a/Node_Modules/b/package.json",
            "vendor/github.com/x/go.mod",
            "tests/data/requirements.txt",
            "crates/x/fixtures/Cargo.toml",
        ] {
            assert_eq!(classify(path), PathKind::NotTheProjects, "{path}");
        }
    }

    #[test]
    fn a_path_that_wanders_or_disguises_itself_is_strange_and_not_foreign() {
        for path in [
            "../package.json",
            "/package.json",
            "a//package.json",
            "a/./package.json",
            "a\\b/package.json",
            "n\u{43e}de/package.json",
            "a\u{202e}/package.json",
            "caf\u{e9}/package.json",
        ] {
            assert_eq!(classify(path), PathKind::Strange, "{path:?}");
        }
    }
}
