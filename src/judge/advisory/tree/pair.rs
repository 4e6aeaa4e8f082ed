//! Puts the places of a file before and after side by side.

use std::collections::BTreeMap;

use super::place::{Document, Place, Role};

/// One place, before and after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'d> {
    /// Before.
    pub before: &'d Place,
    /// After.
    pub after: &'d Place,
}

impl Pair<'_> {
    /// Whether its text differs.
    pub fn moves(&self) -> bool {
        self.before.text != self.after.text
    }
}

/// What names a place on both sides.
type Key<'d> = (&'d str, Role, &'d str);

/// Returns the pairs; `None` if one side has places that the other has not.
///
/// Entries that differ in nothing but their version stand at one place. Those that are the same on both
/// sides are of each other, and the others in the order of their texts.
pub(super) fn pairs<'d>(before: &'d Document, after: &'d Document) -> Option<Vec<Pair<'d>>> {
    let mut sides: BTreeMap<Key<'d>, [Vec<&'d Place>; 2]> = BTreeMap::new();
    for (side, document) in [before, after].into_iter().enumerate() {
        for place in &document.places {
            let key = (place.package.as_str(), place.role, place.at.as_str());
            if let Some(list) = sides.entry(key).or_default().get_mut(side) {
                list.push(place);
            }
        }
    }
    let mut pairs = Vec::new();
    for [mut befores, mut afters] in sides.into_values() {
        if befores.len() != afters.len() {
            return None;
        }
        befores.sort_by(|left, right| left.text.cmp(&right.text));
        afters.sort_by(|left, right| left.text.cmp(&right.text));
        let mut moved = Vec::new();
        for after in afters {
            let same = befores.iter().position(|before| before.text == after.text);
            match same {
                Some(at) => pairs.push(Pair {
                    before: befores.remove(at),
                    after,
                }),
                None => moved.push(after),
            }
        }
        let moved = befores.into_iter().zip(moved);
        pairs.extend(moved.map(|(before, after)| Pair { before, after }));
    }
    Some(pairs)
}
