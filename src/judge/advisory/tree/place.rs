//! What a whole file says of the packages that the APV names.

use super::value::Value;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;

/// What a place does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Asks for versions: a manifest's requirement, an override, a constraint.
    Requirement,
    /// Names the one version that is installed: an entry of a lock file, or a reference to one.
    Locked,
    /// Repeats a requirement that another file states.
    Copy,
}

/// Where an entry is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The format does not say it: from the registry that is set elsewhere.
    Unsaid,
    /// The format would say it, but the entry does not.
    Missing,
    /// A registry: what stands before the part that names the package, and the version in that part.
    Registry {
        /// Scheme, host and path.
        base: String,
        /// The version that is fetched; `None` where the source names none.
        version: Option<String>,
    },
    /// Somewhere else.
    Elsewhere(String),
}

/// What an installed package needs itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Its name.
    pub name: String,
    /// Which versions of it; `None` for any.
    pub versions: Option<(Syntax, String)>,
}

/// Bookkeeping of a lock entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Digests of what is fetched, each as it is written.
    pub digests: Vec<String>,
    /// Whether there are digests and none of them is better than SHA-1.
    pub weak: bool,
    /// Where it is fetched from.
    pub source: Source,
    /// What it needs.
    pub needs: Vec<Need>,
    /// Whatever else of the entry comes from the package itself, such as licence and engines.
    pub traits: Value,
}

/// One place that ties a named package to versions.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The package, as the APV spells it.
    pub package: String,
    /// What it does.
    pub role: Role,
    /// Where it stands, without any version: the same before and after.
    pub at: String,
    /// The version or requirement.
    pub text: String,
    /// How to read that.
    pub syntax: Syntax,
    /// The bookkeeping of a lock entry; absent elsewhere.
    pub entry: Option<Box<Entry>>,
}

/// Something that makes a file more than versions of a named package.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// The stable code.
    pub reason: NotABumpReason,
    /// What it concerns.
    pub what: String,
}

/// A line of `go.sum`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    /// The module.
    pub module: String,
    /// Its version, with `/go.mod` where the sum is of that file alone.
    pub version: String,
    /// The sum.
    pub digest: String,
}

impl Document {
    /// Returns how much there is to be compared.
    pub fn weight(&self) -> usize {
        self.places.len() + self.sums.len()
    }
}

/// A whole file, read.
#[derive(Debug)]
pub(super) struct Document {
    /// The places of named packages.
    pub places: Vec<Place>,
    /// What speaks against taking it for versions alone.
    pub problems: Vec<Problem>,
    /// Name and version of everything that a lock file installs.
    pub shelf: Vec<(String, String)>,
    /// Sums of named modules.
    pub sums: Vec<Sum>,
    /// Everything else, with holes where the places are.
    pub rest: Value,
}
