//! Registries: the one way on which packages come in.
//!
//! Package managers run in the arena, which has no network. What they ask of a registry goes through a socket to
//! Crisol, which answers four questions and no others: what there is of a package (npm), what there is of a project
//! (Python), and the artifacts that such an answer has named before.
//!
//! ```mermaid
//! flowchart LR
//!     subgraph arena
//!         P[npm, pip] -->|loopback| F[forward.py]
//!     end
//!     F -->|a socket, bound read-only| G[gateway]
//!     G --> C[client: bounded, checked by digest]
//!     C -->|configured registries and artifact hosts alone| R((registry))
//! ```

mod client;
mod digest;
mod findings;
mod gateway;
mod http;
mod npm;
mod pages;
mod simple;
mod sources;
mod wheel;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use self::client::{Client, FetchError, MAX_ARTIFACT_BYTES, Page, Question};
use self::digest::Stated;
use self::pages::Pages;
use crate::event::facts::Ecosystem;
use crate::judge::advisory::{pypi_name, same_package};

pub use self::npm::{
    Packument, PackumentError, Version, foreign_of_manifest, is_name, is_of_registry,
};
pub use self::simple::{ListedFile, PageError, is_file_name, is_project, read_page};
pub use self::sources::{Base, BaseError, Bases, optional};
pub use self::wheel::{WheelError, direct_references, is_direct, is_member, references_in};

pub(super) use self::findings::Findings;
pub(super) use self::gateway::Gateway;
pub(super) use self::sources::Sources;

/// What stands inside and hands on what is asked.
pub(super) const FORWARD: &str = include_str!("forward.py");
/// Where it finds the socket.
pub(super) const SOCKET_INSIDE: &str = "/crisol/registry";
/// What package managers in the arena take for their registry.
pub(super) const INSIDE: &str = "http://127.0.0.1:4873";

const PACKUMENT: &str = "application/vnd.npm.install-v1+json, application/json;q=0.8";
const PAGE: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";
const ANY: &str = "*/*";

/// A file of a registry could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    /// There is none, or it may not be taken: whoever asks for it is to blame.
    #[error("{0}")]
    Refused(String),
    /// The registry does not answer.
    #[error("{0}")]
    Away(String),
    /// It cannot be kept.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The registries that packages come from.
#[derive(Debug)]
pub(super) struct Registry {
    client: Client,
    sources: Sources,
    pages: Pages,
}

impl Registry {
    pub(super) fn new(sources: Sources) -> Self {
        Self {
            client: Client::new(),
            sources,
            pages: Pages::default(),
        }
    }

    /// Returns what the registry says of a package of npm.
    fn packument(&self, name: &str) -> Result<Packument, FetchError> {
        let base = &self.sources.npm;
        let path = name.replace('/', "%2f");
        let page = self.page(base, &path, PACKUMENT)?;
        Packument::read(name, &page.bytes)
            .map_err(|error| FetchError::Refused(format!("{name}: {error}")))
    }

    /// Returns the files of a project in all indexes, the first index first.
    fn project(&self, name: &str) -> Result<Vec<(ListedFile, &Base)>, FetchError> {
        let path = [&pypi_name(name), "/"].concat();
        let mut all: Vec<(ListedFile, &Base)> = Vec::new();
        let mut found = false;
        for base in &self.sources.python {
            match self.page(base, &path, PAGE) {
                Ok(page) => {
                    found = true;
                    let read = simple::read_page(&page.kind, &page.bytes, &page.url)
                        .map_err(|error| FetchError::Refused(format!("{name}: {error}")))?;
                    all.extend(read.into_iter().map(|file| (file, base)));
                }
                Err(FetchError::Absent) => {}
                Err(error) => return Err(error),
            }
        }
        let mut seen = std::collections::HashSet::new();
        all.retain(|(file, _)| seen.insert(file.name.clone()));
        if found {
            Ok(all)
        } else {
            Err(FetchError::Absent)
        }
    }

    fn page(&self, base: &Base, path: &str, accept: &'static str) -> Result<Arc<Page>, FetchError> {
        let url = base.below(path);
        let url = url.ok_or_else(|| FetchError::Refused("not the name of a package".to_owned()))?;
        if let Some(page) = self.pages.get(&url) {
            return Ok(page);
        }
        let page = self.client.page(&Question {
            url: url.clone(),
            authorization: base.authorization().map(|said| (base.origin(), said)),
            accept,
        })?;
        Ok(self.pages.keep(url, page))
    }

    /// Writes an artifact to a file, checked; returns its size in bytes.
    fn artifact(
        &self,
        base: &Base,
        url: &Url,
        stated: Option<&Stated>,
        most: u64,
        to: &mut File,
    ) -> Result<u64, FetchError> {
        let refused = |said: &str| FetchError::Refused(said.to_owned());
        let stated = stated.ok_or_else(|| refused("the registry states no digest of it"))?;
        let allowed = self.sources.artifact(base, url);
        let url =
            allowed.ok_or_else(|| refused("it lies on a host that is not of the registry"))?;
        let question = Question {
            url,
            authorization: base.authorization().map(|said| (base.origin(), said)),
            accept: ANY,
        };
        let most = most.min(MAX_ARTIFACT_BYTES);
        self.client.artifact(&question, stated, most, to)
    }

    /// Returns the files of a version of a Python project: whether one of them is a wheel, and the name of its source.
    ///
    /// # Errors
    /// [`RegistryError`] if the index does not say.
    pub(super) fn version(&self, name: &str, version: &str) -> Result<Listed, RegistryError> {
        let files = self.project(name).map_err(|error| told(name, error))?;
        let names = || files.iter().map(|(file, _)| file.name.as_str());
        Ok(Listed {
            has_wheel: names().any(|file| is_wheel_of(file, name, version)),
            source: names()
                .find(|file| is_source_of(file, name, version))
                .map(str::to_owned),
        })
    }

    /// Writes a file of a Python project to a new file, checked.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot be had or may not be taken.
    pub(super) fn keep(&self, name: &str, file: &str, to: &Path) -> Result<(), RegistryError> {
        let files = self.project(name).map_err(|error| told(name, error))?;
        let listed = files.iter().find(|(listed, _)| listed.name == file);
        let (listed, base) = listed.ok_or_else(|| told(file, FetchError::Absent))?;
        let mut to = File::create_new(to)?;
        to.set_permissions(fs::Permissions::from_mode(0o644))?;
        self.artifact(
            base,
            &listed.url,
            listed.stated.as_ref(),
            MAX_ARTIFACT_BYTES,
            &mut to,
        )
        .map_err(|error| told(file, error))?;
        Ok(())
    }
}

/// What an index lists of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) has_wheel: bool,
    pub(super) source: Option<String>,
}

fn told(what: &str, error: FetchError) -> RegistryError {
    let said = format!("{what}: {error}");
    match error {
        FetchError::Absent | FetchError::Refused(_) => RegistryError::Refused(said),
        FetchError::Away(_) => RegistryError::Away(said),
    }
}

/// Whether a file is a wheel of this version.
pub(super) fn is_wheel_of(file: &str, name: &str, version: &str) -> bool {
    let Some(stem) = file.strip_suffix(".whl") else {
        return false;
    };
    let mut parts = stem.split('-');
    let (Some(named), Some(said)) = (parts.next(), parts.next()) else {
        return false;
    };
    same_package(Ecosystem::PyPi, named, name) && same_version(said, version)
}

/// Whether a file is the source of this version.
fn is_source_of(file: &str, name: &str, version: &str) -> bool {
    let stem = [".tar.gz", ".zip"]
        .iter()
        .find_map(|end| file.strip_suffix(end));
    let parts = stem.and_then(|stem| stem.rsplit_once('-'));
    parts.is_some_and(|(named, said)| {
        same_package(Ecosystem::PyPi, named, name) && same_version(said, version)
    })
}

fn same_version(said: &str, version: &str) -> bool {
    let read = |text: &str| text.replace('_', "+").parse::<pep440_rs::Version>();
    match (read(said), read(version)) {
        (Ok(said), Ok(version)) => said == version,
        _ => said == version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_version_are_told_by_their_names() {
        assert!(is_wheel_of(
            "Py_YAML-5.3-cp311-cp311-linux_x86_64.whl",
            "py.yaml",
            "5.3"
        ));
        assert!(is_wheel_of("a-3.2.0-py3-none-any.whl", "a", "3.2"));
        assert!(!is_wheel_of("a-3.2.1-py3-none-any.whl", "a", "3.2"));
        assert!(!is_wheel_of("a-3.2.tar.gz", "a", "3.2"));
        assert!(is_source_of(
            "zope.interface-5.0.tar.gz",
            "zope-interface",
            "5.0"
        ));
        assert!(is_source_of("a-b-1.0.zip", "a_b", "1.0"));
        assert!(!is_source_of("a-b-1.0.zip", "a", "1.0"));
        assert!(!is_source_of("a-1.0.tar.bz2", "a", "1.0"));
    }
}
