//! One partition's books.

use std::collections::VecDeque;

use crate::event::record::Handled;
use crate::ledger::Violation;
use crate::ledger::invariants;

/// Names an admitted batch within one epoch of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(u64);

/// A batch in flight or finished, not yet sealed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: BatchId,
    pub(super) first: i64,
    pub(super) next: i64,
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) handled: Option<Vec<Handled>>,
}

/// A finished run of records that may be committed: its outputs and the offset after it.
#[derive(Debug)]
#[must_use = "sealed records must be committed or rewound"]
pub struct Sealed {
    /// The records' outcomes, ascending by offset.
    pub handled: Vec<Handled>,
    /// The offset to commit: one past the last record.
    pub next: i64,
}

/// Which offsets of one partition are admitted, finished and sealed.
#[derive(Debug)]
pub struct PartitionLedger {
    /// The next offset that the log holds as committed.
    pub(super) committed: i64,
    /// One past the last admitted offset.
    pub(super) admitted: i64,
    pub(super) entries: VecDeque<Entry>,
    next_id: u64,
    records: usize,
    bytes: usize,
}

impl PartitionLedger {
    /// Returns an empty ledger that begins at `committed`, the next offset to read.
    pub fn starting_at(committed: i64) -> Self {
        Self {
            committed,
            admitted: committed,
            entries: VecDeque::new(),
            next_id: 0,
            records: 0,
            bytes: 0,
        }
    }

    /// Admits a batch whose records lie in `first..next`. Offsets may have gaps (transaction
    /// markers, compaction) but never go back.
    ///
    /// Returns `None` for a batch that begins before what was admitted: it was fetched before a
    /// rewind and will be fetched again.
    pub fn admit(
        &mut self,
        first: i64,
        next: i64,
        records: usize,
        bytes: usize,
    ) -> Option<BatchId> {
        if first < self.admitted || next <= first || records == 0 {
            return None;
        }
        let id = BatchId(self.next_id);
        self.next_id += 1;
        self.entries.push_back(Entry {
            id,
            first,
            next,
            records,
            bytes,
            handled: None,
        });
        self.admitted = next;
        self.records += records;
        self.bytes += bytes;
        self.debug_check();
        Some(id)
    }

    /// Takes a batch's outcomes.
    ///
    /// # Errors
    /// [`Violation`] if the batch is not open, or if the outcomes do not account for each of its
    /// records exactly once and in order. Checked in every build: it is promise 1.
    pub fn finish(&mut self, id: BatchId, handled: Vec<Handled>) -> Result<(), Violation> {
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.id == id && entry.handled.is_none())
            .ok_or(Violation::NotOpen)?;
        entry.handled = Some(handled);
        invariants::check_accounted(entry)?;
        self.debug_check();
        Ok(())
    }

    /// Takes the next finished batch of the contiguous prefix, if its turn has come.
    pub fn seal_next(&mut self) -> Option<Sealed> {
        self.entries.front()?.handled.as_ref()?;
        let entry = self.entries.pop_front()?;
        self.records -= entry.records;
        self.bytes -= entry.bytes;
        self.committed = entry.next;
        self.debug_check();
        Some(Sealed {
            handled: entry.handled?,
            next: entry.next,
        })
    }

    /// Forgets everything in flight and begins again at `committed`.
    pub fn rewind(&mut self, committed: i64) {
        self.entries.clear();
        self.records = 0;
        self.bytes = 0;
        self.committed = committed;
        self.admitted = committed;
        self.debug_check();
    }

    /// Returns how many records are admitted and not sealed.
    pub fn records_in_flight(&self) -> usize {
        self.records
    }

    /// Returns how many bytes are admitted and not sealed.
    pub fn bytes_in_flight(&self) -> usize {
        self.bytes
    }

    /// Returns the offset after the last sealed record.
    pub fn sealed_through(&self) -> i64 {
        self.committed
    }

    /// Returns the offset after the last admitted record.
    pub fn admitted_through(&self) -> i64 {
        self.admitted
    }

    /// Returns whether a worker still has records of this partition.
    pub fn is_unfinished(&self) -> bool {
        self.entries.iter().any(|entry| entry.handled.is_none())
    }

    /// Returns whether nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    fn debug_check(&self) {
        debug_assert_eq!(invariants::check(self), Ok(()));
    }
}
