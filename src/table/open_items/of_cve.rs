//! The open items of one CVE: what the topic says, what this replica is about to say, and which of
//! them block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use uuid::Uuid;

use crate::table::open_items::{ANY_PACKAGE, Asking, Place};

/// An item as the table holds it; its patch is the key it is found by.
#[derive(Debug, Clone)]
pub(super) struct Item {
    package: Arc<str>,
    /// What the topic says.
    pub(super) committed: Option<Says>,
    /// What this replica says in a transaction that the table has not read yet. It counts before what
    /// is committed, which counts again if the transaction comes to nothing.
    proposed: Option<(Says, Place)>,
}

/// What an item says beside whom it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Says {
    /// Its question.
    pub(super) decision_id: Uuid,
    /// Whether a person might still approve it.
    pub(super) blocking: bool,
    /// The record that opened it first.
    pub(super) opened_at: Place,
}

/// The items of one CVE.
#[derive(Default)]
pub(super) struct OfCve {
    /// By patch; a patch has one item for each package it was open for, nearly always one.
    items: HashMap<Arc<str>, Vec<Item>, RandomState>,
    /// Those that block, by package, ordered by where they were opened: the question whether
    /// anything blocks must not take longer the more is open.
    blocking: BTreeMap<Arc<str>, BTreeSet<(Place, Arc<str>)>>,
}

impl Item {
    /// Returns what counts; `None` once nothing keeps the item open.
    fn says(&self) -> Option<Says> {
        self.proposed.map(|(says, _)| says).or(self.committed)
    }

    /// Notes what this replica is about to say because of the record at `by`.
    pub(super) fn propose(&mut self, says: Says, by: Place) {
        self.proposed = (self.committed != Some(says)).then_some((says, by));
    }

    /// Notes what the topic says.
    pub(super) fn commit(&mut self, says: Says) {
        self.committed = Some(says);
        if self.proposed.is_some_and(|(proposed, _)| proposed == says) {
            self.proposed = None;
        }
    }
}

/// What a change did to the number of open items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// There is one more.
    Opened,
    /// There is one less.
    Closed,
    /// There are as many as before.
    Neither,
}

impl OfCve {
    /// Returns whether nothing is open.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets what was proposed for records of a partition at or past `from`; returns how many items
    /// that closed.
    pub(super) fn forget_proposed(&mut self, partition: i32, from: i64) -> usize {
        let undone = |item: &Item| {
            let place = item.proposed.map(|(_, by)| by);
            place.is_some_and(|place| place.partition == partition && place.offset >= from)
        };
        let found: Vec<(Arc<str>, Arc<str>)> = self
            .items
            .iter()
            .flat_map(|(patch, list)| list.iter().map(move |item| (patch, item)))
            .filter(|(_, item)| undone(item))
            .map(|(patch, item)| (Arc::clone(patch), Arc::clone(&item.package)))
            .collect();
        found
            .into_iter()
            .map(|(patch, package)| self.change(&package, &patch, |item| item.proposed = None))
            .filter(|changed| *changed == Changed::Closed)
            .count()
    }

    /// Returns what counts of a patch's item for a package.
    pub(super) fn said(&self, patch_id: &str, package: &str) -> Option<Says> {
        let list = self.items.get(patch_id)?;
        let item = list.iter().find(|item| *item.package == *package)?;
        item.says()
    }

    /// Returns whether an item other than the case's own, and not from its future, blocks it.
    pub(super) fn blocks(&self, asking: &Asking<'_>) -> bool {
        self.blocking
            .iter()
            .filter(|(package, _)| same_package(package, asking.package))
            .flat_map(|(package, opened)| {
                opened
                    .iter()
                    .map(move |(place, patch)| (package, place, patch))
            })
            .any(|(package, place, patch_id)| {
                let later = place.partition == asking.place.partition
                    && place.offset >= asking.place.offset;
                let superseded = || {
                    **patch_id == *asking.patch_id
                        && self
                            .said(patch_id, package)
                            .is_none_or(|said| said.decision_id != asking.decision_id)
                };
                !later && !superseded()
            })
    }

    /// Changes the item that a patch has, or has not yet, for a package.
    pub(super) fn change(
        &mut self,
        package: &str,
        patch_id: &str,
        change: impl FnOnce(&mut Item),
    ) -> Changed {
        let (patch_id, list) = match self.items.get_key_value_mut(patch_id) {
            Some((known, list)) => (Arc::clone(known), list),
            None => {
                let patch_id: Arc<str> = Arc::from(patch_id);
                (
                    Arc::clone(&patch_id),
                    self.items.entry(patch_id).or_default(),
                )
            }
        };
        let mut item = match list.iter().position(|item| *item.package == *package) {
            Some(at) => list.swap_remove(at),
            None => Item {
                package: Arc::from(package),
                committed: None,
                proposed: None,
            },
        };
        let before = item.says();
        change(&mut item);
        let after = item.says();
        let package = Arc::clone(&item.package);
        if after.is_some() {
            list.push(item);
        } else if list.is_empty() {
            self.items.remove(&patch_id);
        }
        // Nearly always nothing: the table reads what this replica proposed a moment ago.
        if before != after {
            self.index(&patch_id, &package, before, after);
        }
        match (before, after) {
            (None, Some(_)) => Changed::Opened,
            (Some(_), None) => Changed::Closed,
            _ => Changed::Neither,
        }
    }

    /// Keeps the list of those that block in step with one item.
    fn index(
        &mut self,
        patch_id: &Arc<str>,
        package: &Arc<str>,
        before: Option<Says>,
        after: Option<Says>,
    ) {
        if let Some(said) = before.filter(|said| said.blocking)
            && let Some(opened) = self.blocking.get_mut(package)
        {
            opened.remove(&(said.opened_at, Arc::clone(patch_id)));
            if opened.is_empty() {
                self.blocking.remove(package);
            }
        }
        if let Some(said) = after.filter(|said| said.blocking) {
            self.blocking
                .entry(Arc::clone(package))
                .or_default()
                .insert((said.opened_at, Arc::clone(patch_id)));
        }
    }
}

fn same_package(one: &str, other: &str) -> bool {
    one == other || one == ANY_PACKAGE || other == ANY_PACKAGE
}
