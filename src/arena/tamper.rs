//! Harness tampering: patches that speak the harness's own language.
//!
//! An attack on a library runs beside the code that it attacks, so a hostile patch could say in its place that it was
//! delivered and came to its end. Nothing inside can rule that out; but a patch that names what only the harness
//! names has no honest reason to.

use crate::diff::{Diff, Side};
use crate::exploit::Exploit;

/// What every run finds in its environment begins so.
const ENVIRONMENT: &str = "CRISOL_";
/// Where the relay keeps what it is told.
const RELAY: &str = "/crisol/";

/// Returns what of the harness a patch names in the lines that it adds.
pub(super) fn names_harness(diff: &Diff<'_>, exploit: &Exploit) -> Option<String> {
    let mut names = vec![ENVIRONMENT.to_owned(), RELAY.to_owned()];
    if let Some(complete) = &exploit.attack.complete {
        // Shorter ones would be words of any program.
        let markers = [&complete.delivered, &complete.done].into_iter();
        names.extend(markers.filter(|marker| marker.len() > 4).cloned());
    }
    let lines = diff.files.iter().flat_map(|file| &file.hunks);
    let mut added = lines
        .flat_map(|hunk| &hunk.lines)
        .filter(|line| line.side == Side::Added);
    added.find_map(|line| names.iter().find(|name| line.text.contains(*name)).cloned())
}
