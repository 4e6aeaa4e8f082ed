//! What a gateway has to say of a build: what it refused, who did not answer, and what it handed out.

use std::collections::BTreeSet;

use super::client::FetchError;
use crate::event::codec::printable;

/// What was found while packages were fetched.
#[derive(Debug, Clone, Default)]
pub(in crate::arena) struct Findings {
    /// The first thing that may not be taken, and why.
    pub(in crate::arena) refused: Option<String>,
    /// The first thing that nobody answered for.
    pub(in crate::arena) away: Option<String>,
    /// Packages of npm whose tarballs were handed out.
    pub(in crate::arena) packages: BTreeSet<String>,
    /// Files of Python projects that were asked for.
    pub(in crate::arena) files: BTreeSet<String>,
}

impl Findings {
    /// Notes why something was not answered. What the registry does not have is no finding: whoever asked for it says
    /// so himself.
    pub(super) fn note(&mut self, what: &str, error: &FetchError) {
        let place = match error {
            FetchError::Absent => return,
            FetchError::Away(_) => &mut self.away,
            FetchError::Refused(_) => &mut self.refused,
        };
        place.get_or_insert_with(|| printable(&format!("{what}: {error}")));
    }
}
