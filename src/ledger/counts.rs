//! Counts of what went in and what became of it.

use crate::event::reason::Disposition;

/// Records in and their dispositions, of committed records only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records taken in.
    pub taken: u64,
    /// Decided alone.
    pub decided: u64,
    /// Queued for a person.
    pub queued: u64,
    /// Sent to a wargame.
    pub wargame: u64,
    /// Compared by a wargame with what was decided before.
    pub compared: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Counts {
    /// Adds one record with its disposition.
    pub fn add(&mut self, disposition: Disposition) {
        self.taken += 1;
        match disposition {
            Disposition::Decided => self.decided += 1,
            Disposition::Queued => self.queued += 1,
            Disposition::Wargame => self.wargame += 1,
            Disposition::Compared => self.compared += 1,
            Disposition::Dead => self.dead += 1,
        }
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        self.taken += other.taken;
        self.decided += other.decided;
        self.queued += other.queued;
        self.wargame += other.wargame;
        self.compared += other.compared;
        self.dead += other.dead;
    }

    /// Returns whether in = decided + queued + wargame + compared + dead.
    pub fn balances(&self) -> bool {
        self.taken == self.decided + self.queued + self.wargame + self.compared + self.dead
    }
}
