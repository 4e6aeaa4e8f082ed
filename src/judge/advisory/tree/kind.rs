//! Which files are read whole, and by what.

use super::formats;
use super::mask::Mask;
use super::place::Document;
use super::value::Value;
use crate::event::facts::{ApvFacts, Ecosystem};
use crate::judge::advisory::path::{FileKind, PathKind, classify};

/// The longest text that is parsed, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 20;

/// A kind of file that is read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One that is read by its hunks as well.
    Known(FileKind),
    /// `pnpm-workspace.yaml`: catalogues and overrides.
    PnpmWorkspace,
}

impl Kind {
    /// Returns the kind of the project's own file at a path; `None` for any other.
    pub fn of(path: &str) -> Option<Self> {
        if path.rsplit('/').next() == Some("pnpm-workspace.yaml") {
            // Its directory must be one in which a manifest would count.
            let beside = path.replace("pnpm-workspace.yaml", "package.json");
            return matches!(classify(&beside), PathKind::Manifest(_))
                .then_some(Self::PnpmWorkspace);
        }
        match classify(path) {
            PathKind::Manifest(FileKind::GradleLock) => None,
            PathKind::Manifest(kind) => Some(Self::Known(kind)),
            PathKind::NotTheProjects | PathKind::Strange | PathKind::Other => None,
        }
    }

    /// Returns the ecosystem whose packages the file names.
    pub fn ecosystem(self) -> Ecosystem {
        match self {
            Self::Known(kind) => kind.ecosystem(),
            Self::PnpmWorkspace => Ecosystem::Npm,
        }
    }

    /// Whether the file records what was resolved.
    pub fn is_lock(self) -> bool {
        match self {
            // Sums may be kept of what is not built any more.
            Self::Known(FileKind::GoSum) | Self::PnpmWorkspace => false,
            Self::Known(kind) => kind.is_lock(),
        }
    }

    /// Returns the file, read whole; `None` if it is not one of its format.
    pub fn read(self, text: &str, facts: &ApvFacts) -> Option<Document> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut mask = Mask::new(facts, self.ecosystem());
        let rest = self.masked(text, &mut mask)?;
        Some(mask.finish(rest))
    }

    fn masked(self, text: &str, mask: &mut Mask<'_>) -> Option<Value> {
        let kind = match self {
            Self::PnpmWorkspace => {
                return formats::yaml(text, mask, formats::pnpm::workspace);
            }
            Self::Known(kind) => kind,
        };
        match kind {
            FileKind::PackageJson => formats::json(text, mask, formats::package_json::read),
            FileKind::NpmLock => formats::json(text, mask, formats::npm_lock::read),
            FileKind::YarnLock => formats::yarn::read(text, mask),
            FileKind::PnpmLock => formats::yaml(text, mask, formats::pnpm::lock),
            FileKind::Requirements => formats::requirements::read(text, mask),
            FileKind::Pyproject => formats::toml(text, mask, formats::pyproject::read),
            FileKind::Pipfile => formats::toml(text, mask, formats::pipfile::manifest),
            FileKind::PipfileLock => formats::json(text, mask, formats::pipfile::lock),
            FileKind::PoetryLock => formats::toml(text, mask, formats::python_lock::poetry),
            FileKind::UvLock => formats::toml(text, mask, formats::python_lock::uv),
            FileKind::CargoToml => formats::toml(text, mask, formats::cargo::manifest),
            FileKind::CargoLock => formats::toml(text, mask, formats::cargo::lock),
            FileKind::GoMod => formats::go::read_mod(text, mask),
            FileKind::GoSum => formats::go::read_sum(text, mask),
            FileKind::Pom => formats::pom::read(text, mask),
            FileKind::GradleLock => None,
        }
    }
}
