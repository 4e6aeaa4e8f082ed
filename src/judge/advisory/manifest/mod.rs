//! Readers: one line in, what it is out.
//!
//! A reader sees one side of one hunk, from the top, and keeps what it has seen of the structure
//! around: the section, the entry. It starts every hunk knowing what its heading says, if that says
//! anything, and a line whose meaning depends on something that was not to be seen is not understood.

mod cargo;
mod go;
mod json;
mod maven;
mod npm_lock;
mod package_json;
mod pep508;
mod pipfile_lock;
mod pnpm;
mod python_lock;
mod python_toml;
mod requirements;
mod sides;
mod toml;
mod yarn;

pub(super) use go::path_takes;
pub(super) use sides::Sides;
pub(super) use yarn::ranges;

use super::path::FileKind;
use super::place::{Mark, Read};

/// The reader of one side of one hunk. Two that are equal read every further line alike.
#[derive(Debug, Clone, PartialEq)]
enum Reader<'a> {
    PackageJson(package_json::PackageJson<'a>),
    NpmLock(npm_lock::NpmLock<'a>),
    Yarn(yarn::YarnLock<'a>),
    Pnpm(pnpm::PnpmLock<'a>),
    Requirements(requirements::Requirements),
    PythonToml(python_toml::PythonToml<'a>),
    PipfileLock(pipfile_lock::PipfileLock<'a>),
    PythonLock(python_lock::PythonLock<'a>),
    CargoToml(cargo::CargoToml<'a>),
    CargoLock(cargo::CargoLock<'a>),
    GoMod(go::GoMod<'a>),
    GoSum,
    Pom(maven::Pom<'a>),
    GradleLock,
}

impl<'a> Reader<'a> {
    /// Returns a reader that has seen nothing yet.
    pub fn new(kind: FileKind) -> Self {
        match kind {
            FileKind::PackageJson => Self::PackageJson(Default::default()),
            FileKind::NpmLock => Self::NpmLock(Default::default()),
            FileKind::YarnLock => Self::Yarn(Default::default()),
            FileKind::PnpmLock => Self::Pnpm(Default::default()),
            FileKind::Requirements => Self::Requirements(Default::default()),
            FileKind::Pyproject => Self::PythonToml(python_toml::PythonToml::pyproject()),
            FileKind::Pipfile => Self::PythonToml(python_toml::PythonToml::pipfile()),
            FileKind::PipfileLock => Self::PipfileLock(Default::default()),
            FileKind::PoetryLock | FileKind::UvLock => Self::PythonLock(Default::default()),
            FileKind::CargoToml => Self::CargoToml(Default::default()),
            FileKind::CargoLock => Self::CargoLock(Default::default()),
            FileKind::GoMod => Self::GoMod(Default::default()),
            FileKind::GoSum => Self::GoSum,
            FileKind::Pom => Self::Pom(Default::default()),
            FileKind::GradleLock => Self::GradleLock,
        }
    }

    /// Takes in the heading of the hunk: the last line above it that begins a section, as git sees it.
    pub fn heading(&mut self, line: &'a str) {
        match self {
            Self::PackageJson(reader) => reader.heading(line),
            Self::Pnpm(reader) => reader.heading(line),
            Self::PythonToml(reader) => reader.heading(line),
            Self::CargoToml(reader) => reader.heading(line),
            Self::GoMod(reader) => reader.heading(line),
            Self::Pom(reader) => reader.heading(line),
            // An entry's head need not be what git takes for a heading: it may be that of another one.
            _ => {}
        }
    }

    /// Returns what a line says that names packages in another way than a line of their own; `None` if
    /// that is not understood.
    pub fn inside(&self, line: &'a str) -> Option<Vec<Read<'a>>> {
        match self {
            Self::PackageJson(reader) => reader.inside(line),
            Self::PythonToml(reader) => reader.inside(line),
            Self::PythonLock(reader) => reader.inside(line),
            Self::Pnpm(_) => pnpm::PnpmLock::inside(line),
            Self::GoMod(_) => go::GoMod::inside(line),
            Self::Pom(reader) => reader.inside(line),
            _ => None,
        }
    }

    /// Returns what the next line of this side is.
    pub fn read(&mut self, line: &'a str) -> Read<'a> {
        match self {
            Self::PackageJson(reader) => reader.read(line),
            Self::NpmLock(reader) => reader.read(line),
            Self::Yarn(reader) => reader.read(line),
            Self::Pnpm(reader) => reader.read(line),
            Self::Requirements(reader) => reader.read(line),
            Self::PythonToml(reader) => reader.read(line),
            Self::PipfileLock(reader) => reader.read(line),
            Self::PythonLock(reader) => reader.read(line),
            Self::CargoToml(reader) => reader.read(line),
            Self::CargoLock(reader) => reader.read(line),
            Self::GoMod(reader) => reader.read(line),
            Self::GoSum => go::read_sum(line),
            Self::Pom(reader) => reader.read(line),
            Self::GradleLock => maven::read_lock(line),
        }
    }

    /// Returns the number of the entry that the last line stands in, counted within the hunk.
    pub fn entry(&self) -> u32 {
        match self {
            Self::NpmLock(reader) => reader.entry(),
            Self::Yarn(reader) => reader.entry,
            Self::Pnpm(reader) => reader.entry,
            Self::Requirements(reader) => reader.entry,
            Self::PipfileLock(reader) => reader.entry(),
            Self::PythonToml(reader) => reader.entry,
            Self::PythonLock(reader) => reader.entry,
            Self::CargoToml(reader) => reader.entry,
            Self::CargoLock(reader) => reader.entry,
            Self::Pom(reader) => reader.entry,
            Self::PackageJson(_) | Self::GoMod(_) | Self::GoSum | Self::GradleLock => 0,
        }
    }
}

/// Whether the text is a digest in hexadecimal, MD5 to SHA-512 by its length.
fn is_hex_digest(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64 | 96 | 128)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the text is Base64 of `bytes` bytes.
fn is_base64(text: &str, bytes: usize) -> bool {
    let plain = text.trim_end_matches('=');
    text.len() == bytes.div_ceil(3) * 4
        && plain.len() == (bytes * 8).div_ceil(6)
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Whether the text is `algorithm:hex` of a known algorithm.
fn is_named_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digest)| {
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return false,
        };
        digest.len() == length && is_hex_digest(digest)
    })
}

/// Reads subresource integrity: `sha512-...`, several separated by spaces.
fn integrity(text: &str) -> Read<'_> {
    let mut weak = true;
    for one in text.split(' ') {
        let Some((algorithm, digest)) = one.split_once('-') else {
            return Read::NOTHING;
        };
        let bytes = match algorithm {
            "sha1" => 20,
            "sha256" => 32,
            "sha384" => 48,
            "sha512" => 64,
            _ => return Read::NOTHING,
        };
        if !is_base64(digest, bytes) {
            return Read::NOTHING;
        }
        weak &= algorithm == "sha1";
    }
    let mut mark = Mark::digest(text);
    mark.weak = weak;
    Read::Mark(mark)
}
