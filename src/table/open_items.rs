//! The table of open items: what a person still has before them, and what this replica is about to
//! put there.

mod of_cve;

use std::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::codec::read_json;
use crate::event::hitl::{OpenItem, parse_open_item_key};
use crate::event::limits::EventLimits;
use crate::table::open_items::of_cve::{Changed, Item, OfCve, Says};

/// Stands for any package where a case does not tell which it is for.
pub const ANY_PACKAGE: &str = "*";

/// Bounds of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenItemsConfig {
    /// The most items held. Past it the table cannot say what is open, so nothing is approved until
    /// people have caught up and the replica has started again.
    pub max_items: usize,
}

impl Default for OpenItemsConfig {
    fn default() -> Self {
        Self {
            max_items: 1_000_000,
        }
    }
}

/// The place of an input record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its partition of `patches`.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

#[derive(Default)]
struct Items {
    by_cve: HashMap<Box<str>, OfCve, RandomState>,
    count: usize,
    overflowed: bool,
}

/// What is open, by CVE.
pub struct OpenItems {
    items: RwLock<Items>,
    distrusted: AtomicBool,
    config: OpenItemsConfig,
    limits: EventLimits,
}

/// What a case asks the table.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Its CVE.
    pub cve_id: &'a str,
    /// Its package, or `*`.
    pub package: &'a str,
    /// Its patch.
    pub patch_id: &'a str,
    /// Its question.
    pub decision_id: Uuid,
    /// Where it stands.
    pub place: Place,
}

/// How things stand with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether a person might still approve another item of this CVE and package, or the table cannot
    /// say.
    ///
    /// An item of the same patch with another digest is superseded by this one and does not count.
    /// Neither does one that was opened by this record or a later one of the same partition: it is
    /// from this record's future, seen because the stream is being replayed.
    pub blocked: bool,
    /// Where an open item of exactly this question was opened first.
    pub opened_at: Option<Place>,
    /// Whether an item of this patch and package is open, whatever its digest.
    pub patch_is_open: bool,
}

impl OpenItems {
    /// Returns an empty table.
    pub fn new(config: OpenItemsConfig, limits: EventLimits) -> Self {
        Self {
            items: RwLock::new(Items::default()),
            distrusted: AtomicBool::new(false),
            config,
            limits,
        }
    }

    /// Returns how many items are open.
    pub fn len(&self) -> usize {
        self.items.read().count
    }

    /// Returns whether no item is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how things stand with a case.
    pub fn standing(&self, asking: &Asking<'_>) -> Standing {
        let items = self.items.read();
        let of_cve = items.by_cve.get(asking.cve_id);
        let own = of_cve.and_then(|of_cve| of_cve.said(asking.patch_id, asking.package));
        Standing {
            blocked: items.overflowed
                || self.distrusted.load(Ordering::Relaxed)
                || of_cve.is_some_and(|of_cve| of_cve.blocks(asking)),
            opened_at: own
                .filter(|said| said.decision_id == asking.decision_id)
                .map(|said| said.opened_at),
            patch_is_open: own.is_some(),
        }
    }

    /// Says whether the table may be relied on. One that may not blocks everything, as an overflowed
    /// one does: it cannot say what is open.
    pub fn trust(&self, reliable: bool) {
        self.distrusted.store(!reliable, Ordering::Relaxed);
    }

    /// Notes an item that this replica is about to open because of the record at `by`, so that the next patch of the
    /// CVE sees it before the transaction is committed.
    pub fn propose(&self, asking: &Asking<'_>, blocking: bool, opened_at: Place, by: Place) {
        let says = Says {
            decision_id: asking.decision_id,
            blocking,
            opened_at,
        };
        self.change(asking.cve_id, asking.package, asking.patch_id, |item| {
            item.propose(says, by);
        });
    }

    /// Forgets what was proposed for records of a partition at or past `from`: its transaction was
    /// aborted or its partition belongs to another replica.
    pub fn forget_proposed(&self, partition: i32, from: i64) {
        let mut guard = self.items.write();
        let items = &mut *guard;
        let mut gone = 0;
        items.by_cve.retain(|_, of_cve| {
            gone += of_cve.forget_proposed(partition, from);
            !of_cve.is_empty()
        });
        items.count -= gone;
    }

    /// Applies one record of the topic; a tombstone closes the item.
    ///
    /// # Errors
    /// What is wrong with the record, for the log.
    pub fn apply(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), String> {
        let key = key
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or("no readable key")?;
        let (cve_id, package, patch_id) =
            parse_open_item_key(key).ok_or("the key is not cve_id|package|patch_id")?;
        let Some(value) = value else {
            self.change(cve_id, package, patch_id, |item| item.committed = None);
            return Ok(());
        };
        let read = read_json::<OpenItem<'_>>(Some(value), &self.limits);
        let says = match &read {
            Ok(open) => Says {
                decision_id: open.decision_id,
                blocking: open.blocking,
                opened_at: Place {
                    partition: open.source.partition,
                    offset: open.source.offset,
                },
            },
            // Something is open that cannot be read: it blocks.
            Err(_) => Says {
                decision_id: Uuid::nil(),
                blocking: true,
                opened_at: Place {
                    partition: -1,
                    offset: -1,
                },
            },
        };
        self.change(cve_id, package, patch_id, |item| item.commit(says));
        read.map(|_| ()).map_err(|error| error.to_string())
    }

    fn change(&self, cve_id: &str, package: &str, patch_id: &str, change: impl FnOnce(&mut Item)) {
        let mut guard = self.items.write();
        let items = &mut *guard;
        if items.overflowed {
            return;
        }
        let of_cve = match items.by_cve.get_mut(cve_id) {
            Some(of_cve) => of_cve,
            None => items.by_cve.entry(Box::from(cve_id)).or_default(),
        };
        match of_cve.change(package, patch_id, change) {
            Changed::Opened => items.count += 1,
            Changed::Closed => items.count -= 1,
            Changed::Neither => {}
        }
        if of_cve.is_empty() {
            items.by_cve.remove(cve_id);
        }
        items.overflowed = items.count > self.config.max_items;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(max_items: usize) -> OpenItems {
        OpenItems::new(OpenItemsConfig { max_items }, EventLimits::default())
    }

    fn asking(patch_id: &str, digest: u128, offset: i64) -> Asking<'_> {
        Asking {
            cve_id: "CVE-1",
            package: "p",
            patch_id,
            decision_id: Uuid::from_u128(digest),
            place: Place {
                partition: 0,
                offset,
            },
        }
    }

    fn blocks(table: &OpenItems, asking: &Asking<'_>) -> bool {
        table.standing(asking).blocked
    }

    fn propose(table: &OpenItems, patch_id: &str, digest: u128, offset: i64) {
        let item = asking(patch_id, digest, offset);
        table.propose(&item, true, item.place, item.place);
    }

    #[test]
    fn an_item_blocks_other_patches_of_the_same_cve_and_package() {
        let table = table(10);
        propose(&table, "a", 1, 0);
        assert!(blocks(&table, &asking("b", 2, 1)));
        assert!(!blocks(
            &table,
            &Asking {
                package: "q",
                ..asking("b", 2, 1)
            }
        ));
        assert!(blocks(
            &table,
            &Asking {
                package: "*",
                ..asking("b", 2, 1)
            }
        ));
        assert!(!blocks(
            &table,
            &Asking {
                cve_id: "CVE-2",
                ..asking("b", 2, 1)
            }
        ));
    }

    #[test]
    fn a_new_digest_supersedes_the_item_of_its_own_patch() {
        let table = table(10);
        propose(&table, "a", 1, 0);
        assert!(!blocks(&table, &asking("a", 2, 1)));
        assert!(
            blocks(&table, &asking("a", 1, 1)),
            "the same question sent again is still open"
        );
    }

    #[test]
    fn an_item_from_the_records_future_does_not_block_a_replay() {
        let table = table(10);
        propose(&table, "a", 1, 5);
        assert!(!blocks(&table, &asking("b", 2, 4)));
        assert!(!blocks(&table, &asking("a", 1, 5)));
        assert!(blocks(&table, &asking("b", 2, 6)));
    }

    /// What the topic says of patch `a`.
    fn value(digest: u128, offset: i64) -> Vec<u8> {
        let item = OpenItem {
            decision_id: Uuid::from_u128(digest),
            patch_id: "a".into(),
            patch_digest: "d".into(),
            cve_id: "CVE-1".into(),
            package: "p".into(),
            reason: crate::event::reason::Reason::NoExploit,
            blocking: true,
            source: crate::event::decision::Source {
                topic: "t".into(),
                partition: 0,
                offset,
                timestamp_ms: 0,
            },
        };
        serde_json::to_vec(&item).unwrap()
    }

    #[test]
    fn what_is_committed_stays_open_when_a_later_proposal_comes_to_nothing() {
        for later in [(1, 3), (2, 7)] {
            let table = table(10);
            table.apply(Some(b"CVE-1|p|a"), Some(&value(1, 3))).unwrap();
            // The stream is replayed, or the patch comes again with another diff.
            propose(&table, "a", later.0, later.1);
            table.forget_proposed(0, 0);
            assert_eq!(table.len(), 1);
            assert!(blocks(&table, &asking("b", 9, 9)), "{later:?}");
        }
    }

    #[test]
    fn what_is_proposed_stays_open_when_an_older_item_of_its_patch_is_closed() {
        let table = table(10);
        table.apply(Some(b"CVE-1|p|a"), Some(&value(1, 3))).unwrap();
        propose(&table, "a", 2, 7);
        table.apply(Some(b"CVE-1|p|a"), None).unwrap();
        assert!(blocks(&table, &asking("b", 9, 9)));
        table.apply(Some(b"CVE-1|p|a"), Some(&value(2, 7))).unwrap();
        table.forget_proposed(0, 0);
        assert!(blocks(&table, &asking("b", 9, 9)));
        table.apply(Some(b"CVE-1|p|a"), None).unwrap();
        assert!(table.is_empty());
        assert!(!blocks(&table, &asking("b", 9, 9)));
    }

    #[test]
    fn what_was_proposed_is_forgotten_with_its_transaction_but_not_what_was_committed() {
        let table = table(10);
        propose(&table, "a", 1, 3);
        propose(&table, "b", 2, 4);
        table.apply(Some(b"CVE-1|p|a"), Some(&value(1, 3))).unwrap();
        table.forget_proposed(0, 0);
        assert_eq!(table.len(), 1);
        assert!(blocks(&table, &asking("c", 3, 9)));
        table.apply(Some(b"CVE-1|p|a"), None).unwrap();
        assert!(table.is_empty());
        assert!(!blocks(&table, &asking("c", 3, 9)));
    }

    #[test]
    fn a_table_that_cannot_say_what_is_open_blocks_everything() {
        let table = table(1);
        propose(&table, "a", 1, 0);
        table.apply(Some(b"CVE-8|p|never-open"), None).unwrap();
        assert!(!blocks(
            &table,
            &Asking {
                cve_id: "CVE-9",
                ..asking("c", 3, 2)
            }
        ));
        propose(&table, "b", 2, 1);
        assert!(blocks(
            &table,
            &Asking {
                cve_id: "CVE-9",
                ..asking("c", 3, 2)
            }
        ));
    }

    #[test]
    fn an_unreadable_item_blocks() {
        let table = table(10);
        table.apply(Some(b"CVE-1|p|a"), Some(b"{")).unwrap_err();
        assert!(blocks(&table, &asking("b", 2, 1)));
    }
}
