//! The open connections: what each waits for, until when, and which one makes room for another.
//!
//! A connection whose request is complete is never closed to make room. Of the others the one goes that has asked for
//! nothing for longest, so whoever connects and asks at once, as a probe does, is answered however many connections hang.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::http::config::Bounds;

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of a request's header; every connection begins here.
    Header,
    /// The rest of a request's body.
    Body,
    /// The handler. The client has done its part.
    Handler,
    /// The client, to take the answer.
    Answer,
    /// The client, to ask for something else.
    Idle,
}

/// Why a connection was closed before its client closed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The client was too slow.
    Deadline,
    /// It made room for another.
    Evicted,
    /// There was no room for it.
    Refused,
}

impl Why {
    const ALL: [Self; 3] = [Self::Deadline, Self::Evicted, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Evicted => "evicted",
            Self::Refused => "refused",
        }
    }
}

struct Entry {
    peer: IpAddr,
    phase: Phase,
    /// `None`: the handler takes what it takes; what it calls is bounded.
    deadline: Option<Instant>,
    /// When it was accepted, or when its last request was answered.
    quiet_since: Instant,
    task: Option<AbortHandle>,
}

#[derive(Default)]
struct Table {
    entries: BTreeMap<u64, Entry>,
    next: u64,
}

/// The table of open connections.
pub(super) struct Connections {
    bounds: Bounds,
    table: Mutex<Table>,
    open: IntGauge,
    closed: IntCounterVec,
}

impl Connections {
    /// Returns an empty table; registers what it counts.
    ///
    /// # Errors
    /// If a name of a metric is taken.
    pub(super) fn new(bounds: Bounds, registry: &Registry) -> Result<Self, prometheus::Error> {
        let open = IntGauge::new("crisol_http_connections", "Open connections of the sidecar")?;
        let closed = IntCounterVec::new(
            Opts::new(
                "crisol_http_closed_total",
                "Connections that the sidecar closed or refused by itself",
            ),
            &["why"],
        )?;
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(closed.clone()))?;
        for why in Why::ALL {
            closed.with_label_values(&[why.as_str()]);
        }
        Ok(Self {
            bounds,
            table: Mutex::default(),
            open,
            closed,
        })
    }

    /// Returns a slot for a connection from `peer`, closing another if there are too many; `None` if all of them have
    /// a complete request in hand.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Arc<Slot>> {
        let mut table = self.table.lock();
        let of_peer = table.entries.values().filter(|one| one.peer == peer);
        let has_room = (of_peer.count() < self.bounds.of_one_peer
            || self.evict(&mut table, Some(peer)))
            && (table.entries.len() < self.bounds.connections || self.evict(&mut table, None));
        if !has_room {
            self.count(Why::Refused);
            return None;
        }
        let id = table.next;
        table.next += 1;
        let now = Instant::now();
        let entry = Entry {
            peer,
            phase: Phase::Header,
            deadline: Some(now + self.bounds.header),
            quiet_since: now,
            task: None,
        };
        table.entries.insert(id, entry);
        self.tell(&table);
        Some(Arc::new(Slot {
            connections: Arc::clone(self),
            id,
        }))
    }

    /// Closes the connection that has asked for nothing for longest; returns whether there was one.
    pub(super) fn make_room(&self) -> bool {
        self.evict(&mut self.table.lock(), None)
    }

    /// Returns how many are open.
    pub(super) fn len(&self) -> usize {
        self.table.lock().entries.len()
    }

    /// Returns whether a request is being answered.
    pub(super) fn are_answering(&self) -> bool {
        let table = self.table.lock();
        let mut phases = table.entries.values().map(|one| one.phase);
        phases.any(|phase| matches!(phase, Phase::Handler | Phase::Answer))
    }

    fn evict(&self, table: &mut Table, peer: Option<IpAddr>) -> bool {
        let candidates = table.entries.iter().filter(|(_, one)| {
            one.phase != Phase::Handler && peer.is_none_or(|peer| peer == one.peer)
        });
        let Some(id) = candidates
            .min_by_key(|(id, one)| (one.quiet_since, **id))
            .map(|(id, _)| *id)
        else {
            return false;
        };
        let task = table.entries.remove(&id).and_then(|entry| entry.task);
        if let Some(task) = task {
            task.abort();
        }
        self.tell(table);
        self.count(Why::Evicted);
        true
    }

    fn count(&self, why: Why) {
        self.closed.with_label_values(&[why.as_str()]).inc();
    }

    fn tell(&self, table: &Table) {
        self.open
            .set(i64::try_from(table.entries.len()).unwrap_or(i64::MAX));
    }

    fn time_for(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Header => Some(self.bounds.header),
            Phase::Body => Some(self.bounds.body),
            Phase::Handler => None,
            Phase::Answer => Some(self.bounds.answer),
            Phase::Idle => Some(self.bounds.idle),
        }
    }
}

/// The place of one connection; given back when it is dropped.
pub(super) struct Slot {
    connections: Arc<Connections>,
    id: u64,
}

impl Slot {
    /// Notes the task that serves the connection, so that it can be ended from outside.
    pub(super) fn served_by(&self, task: AbortHandle) {
        self.with(|entry| entry.task = Some(task));
    }

    /// Notes what the connection waits for from now on.
    pub(super) fn enter(&self, phase: Phase) {
        let now = Instant::now();
        let time = self.connections.time_for(phase);
        self.with(|entry| {
            entry.phase = phase;
            entry.deadline = time.map(|time| now + time);
            if phase == Phase::Answer {
                entry.quiet_since = now;
            }
        });
    }

    /// Notes that bytes came in: an idle connection has begun to ask.
    pub(super) fn has_read(&self) {
        if self.phase() == Some(Phase::Idle) {
            self.enter(Phase::Header);
        }
    }

    /// Notes that all that was to be written is with the system.
    pub(super) fn has_flushed(&self) {
        if self.phase() == Some(Phase::Answer) {
            self.enter(Phase::Idle);
        }
    }

    /// Returns when the connection must have got on; `None` while its handler runs.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.with(|entry| entry.deadline).flatten()
    }

    /// Counts that the client was too slow.
    pub(super) fn overdue(&self) {
        self.connections.count(Why::Deadline);
    }

    fn phase(&self) -> Option<Phase> {
        self.with(|entry| entry.phase)
    }

    /// `None` once the connection has made room.
    fn with<T>(&self, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut table = self.connections.table.lock();
        table.entries.get_mut(&self.id).map(act)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.connections.table.lock();
        table.entries.remove(&self.id);
        self.connections.tell(&table);
    }
}
