//! The partitions this replica owns, and the books of each.

use std::collections::BTreeMap;

use crate::engine::attempts::{PROBATION_RECORDS, Starts};
use crate::engine::config::EngineConfig;
use crate::engine::flood::FloodGauge;
use crate::engine::halt::Halt;
use crate::event::record::Record;
use crate::ledger::PartitionLedger;

/// Tells one assignment of a partition from the next: work of an older one is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// One partition while it is owned.
#[derive(Debug)]
pub struct Owned {
    /// The assignment, or the rewind within it, that work belongs to.
    pub epoch: Epoch,
    /// Its books.
    pub ledger: PartitionLedger,
    /// The committed offset; what is sealed past it has its transaction under way.
    pub committed: i64,
    /// Records polled and not yet handed to a worker.
    pub gathered: Vec<Record>,
    /// The bytes of those records.
    pub gathered_bytes: usize,
    /// Whether fetching is paused.
    pub paused: bool,
    /// How often replicas started here without progress; `None` once the marker is settled.
    pub starts: Option<Starts>,
    /// Whether a marker stands at the committed offset.
    pub marked: bool,
    /// Where the first records of the assignment end: nothing past it is handed out before a commit.
    pub probation_until: Option<i64>,
    /// Where careful stepping ends; `None` outside quarantine.
    pub careful_until: Option<i64>,
    /// How many of its records are bad of late.
    pub flood: FloodGauge,
    /// Whether it is halted.
    pub halt: Halt,
}

/// Every partition this replica owns.
#[derive(Debug, Default)]
pub struct Assignment {
    owned: BTreeMap<i32, Owned>,
    last_epoch: Epoch,
}

impl Owned {
    /// Returns whether the partition is at its bound of records or bytes.
    pub fn is_full(&self, config: &EngineConfig) -> bool {
        self.records() >= config.partition_records || self.bytes() >= config.partition_bytes
    }

    /// Returns whether the partition has room again: half of its bound.
    pub fn has_room(&self, config: &EngineConfig) -> bool {
        self.records() * 2 <= config.partition_records && self.bytes() * 2 <= config.partition_bytes
    }

    /// Returns whether nothing more is taken from it.
    pub fn is_halted(&self) -> bool {
        self.halt != Halt::None
    }

    fn records(&self) -> usize {
        self.ledger.records_in_flight() + self.gathered.len()
    }

    fn bytes(&self) -> usize {
        self.ledger.bytes_in_flight() + self.gathered_bytes
    }

    /// Adds a polled record. Records fetched before a rewind, or past a halt, are dropped: they come
    /// again.
    pub fn gather(&mut self, record: Record) {
        if self.is_halted() {
            return;
        }
        let next = self
            .gathered
            .last()
            .map_or(self.ledger.admitted_through(), |last| last.offset + 1);
        if record.offset >= next {
            self.gathered_bytes += record.size_bytes();
            self.gathered.push(record);
        }
    }

    /// Forgets records that no worker has yet: they come again, here or at the next owner.
    pub fn forget_gathered(&mut self) {
        self.gathered.clear();
        self.gathered_bytes = 0;
    }

    /// Forgets everything behind `next`; what workers still hold of it belongs to a past epoch.
    fn begin_again(&mut self, epoch: Epoch, next: i64) {
        self.epoch = epoch;
        self.ledger.rewind(next);
        self.forget_gathered();
    }

    /// Begins the probation of the first records: returns where they end.
    pub fn begin_probation(&mut self) -> i64 {
        let last = self.gathered.iter().take(PROBATION_RECORDS).next_back();
        let until = last.map_or(self.ledger.admitted_through(), |record| record.offset + 1);
        self.probation_until = Some(until);
        self.marked = true;
        until
    }

    /// Asks for a marker anew before the next record is handed out.
    pub fn expect_marker(&mut self) {
        self.starts = Some(Starts::default());
        self.probation_until = None;
    }

    /// Takes up to the bound of one batch from what was gathered.
    pub fn take_batch(&mut self, records: usize, bytes: usize) -> Vec<Record> {
        let mut taken_bytes = 0;
        let mut count = 0;
        let end = self.probation_until.unwrap_or(i64::MAX);
        let allowed = self
            .gathered
            .iter()
            .take_while(|record| record.offset < end);
        for record in allowed.take(records) {
            let size = record.size_bytes();
            if count > 0 && taken_bytes + size > bytes {
                break;
            }
            taken_bytes += size;
            count += 1;
        }
        self.gathered_bytes -= taken_bytes;
        if count == self.gathered.len() {
            return std::mem::take(&mut self.gathered);
        }
        let rest = self.gathered.split_off(count);
        std::mem::replace(&mut self.gathered, rest)
    }
}

impl Assignment {
    /// Takes a partition on, from its committed offset.
    pub fn add(
        &mut self,
        partition: i32,
        committed: i64,
        starts: Starts,
        careful_until: Option<i64>,
    ) {
        let epoch = self.next_epoch();
        let owned = Owned {
            epoch,
            ledger: PartitionLedger::starting_at(committed),
            committed,
            gathered: Vec::new(),
            gathered_bytes: 0,
            paused: false,
            marked: starts.suspicious(),
            starts: Some(starts),
            probation_until: None,
            careful_until,
            flood: FloodGauge::default(),
            halt: Halt::None,
        };
        self.owned.insert(partition, owned);
    }

    /// Gives a partition up; what was in flight is dropped, its next owner redoes it.
    pub fn remove(&mut self, partition: i32) -> Option<Owned> {
        self.owned.remove(&partition)
    }

    /// Begins a partition again at its committed offset.
    pub fn rewind(&mut self, partition: i32, committed: i64) {
        let epoch = self.next_epoch();
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.begin_again(epoch, committed);
            owned.committed = committed;
            owned.expect_marker();
            // Its outcomes come again, and with them the halt that they brought about.
            owned.flood = FloodGauge::default();
            if matches!(owned.halt, Halt::Declared { .. }) {
                owned.halt = Halt::None;
            }
        }
    }

    /// Drops what is in flight behind the last sealed record, and takes nothing more. Returns the next
    /// offset, if the partition is owned.
    pub fn halt(&mut self, partition: i32, halt: Halt) -> Option<i64> {
        let epoch = self.next_epoch();
        let owned = self.owned.get_mut(&partition)?;
        let next = owned.ledger.sealed_through();
        owned.begin_again(epoch, next);
        owned.paused = true;
        owned.halt = halt;
        Some(next)
    }

    /// Returns a partition's books, if it is owned.
    pub fn get_mut(&mut self, partition: i32) -> Option<&mut Owned> {
        self.owned.get_mut(&partition)
    }

    /// Returns a partition's books, if it is owned.
    pub fn get(&self, partition: i32) -> Option<&Owned> {
        self.owned.get(&partition)
    }

    /// Returns the partitions in order.
    pub fn partitions(&self) -> Vec<i32> {
        self.owned.keys().copied().collect()
    }

    /// Returns every partition with its books, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Owned)> {
        self.owned
            .iter()
            .map(|(partition, owned)| (*partition, owned))
    }

    /// Returns every partition with its books, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i32, &mut Owned)> {
        self.owned
            .iter_mut()
            .map(|(partition, owned)| (*partition, owned))
    }

    /// Returns how many partitions are owned.
    pub fn len(&self) -> usize {
        self.owned.len()
    }

    fn next_epoch(&mut self) -> Epoch {
        self.last_epoch = Epoch(self.last_epoch.0 + 1);
        self.last_epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, bytes: usize) -> Record {
        Record {
            offset,
            value: Some(vec![0; bytes]),
            ..Record::default()
        }
    }

    fn owned() -> Assignment {
        let mut assignment = Assignment::default();
        assignment.add(0, 10, Starts::default(), None);
        assignment
    }

    #[test]
    fn a_batch_is_bounded_by_records_and_bytes_but_never_empty() {
        let mut assignment = owned();
        let partition = assignment.get_mut(0).unwrap();
        for offset in 10..20 {
            partition.gather(record(offset, 100));
        }
        assert_eq!(partition.take_batch(3, 10_000).len(), 3);
        assert_eq!(partition.take_batch(100, 250).len(), 2);
        assert_eq!(partition.take_batch(100, 1).len(), 1);
        assert_eq!(partition.take_batch(100, 10_000).len(), 4);
        assert_eq!(partition.gathered_bytes, 0);
    }

    #[test]
    fn a_halted_partition_takes_nothing_until_what_halted_it_is_undone() {
        let mut assignment = owned();
        assignment.get_mut(0).unwrap().gather(record(10, 1));
        let declared = Halt::Declared {
            at: std::time::Instant::now(),
        };
        assert_eq!(assignment.halt(0, declared), Some(10));
        let partition = assignment.get_mut(0).unwrap();
        partition.gather(record(10, 1));
        assert!(partition.gathered.is_empty() && partition.paused);
        assignment.rewind(0, 10);
        let partition = assignment.get_mut(0).unwrap();
        partition.gather(record(10, 1));
        assert_eq!(partition.gathered.len(), 1);
    }

    #[test]
    fn records_from_before_a_rewind_are_dropped() {
        let mut assignment = owned();
        let before = assignment.get(0).unwrap().epoch;
        assignment.get_mut(0).unwrap().gather(record(12, 1));
        assignment.rewind(0, 10);
        let partition = assignment.get_mut(0).unwrap();
        assert!(partition.epoch > before);
        partition.gather(record(9, 1));
        partition.gather(record(10, 1));
        partition.gather(record(10, 1));
        assert_eq!(partition.take_batch(10, 10).len(), 1);
    }
}
