//! What a tree is made of.

use sha2::{Digest, Sha256};

use crate::event::id::hex;
use crate::exploit::{Ecosystem, Package};

/// Changes whenever trees are made in another way.
const RECIPE: &str = "2";
/// What a tree is made of.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    pub(super) ecosystem: Ecosystem,
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) extra: Vec<&'a str>,
}

impl<'a> Recipe<'a> {
    pub(super) fn of(package: &'a Package, version: &'a str, extra: &'a [String]) -> Self {
        Self {
            ecosystem: package.ecosystem,
            package: &package.name,
            version,
            extra: package
                .extra
                .iter()
                .chain(extra)
                .map(String::as_str)
                .collect(),
        }
    }

    pub(super) fn name(&self) -> String {
        let between = match self.ecosystem {
            Ecosystem::Npm => "@",
            Ecosystem::Pypi => "==",
        };
        [self.package, between, self.version].concat()
    }

    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [RECIPE, &self.name()]
            .into_iter()
            .chain(self.extra.iter().copied())
        {
            hash.update(part);
            hash.update([0]);
        }
        hex(&hash.finalize())
    }
}
