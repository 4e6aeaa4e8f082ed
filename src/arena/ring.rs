//! The ring: an arena that is opened when the first wargame needs it, and opened again where it could not be.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::baseline::Baselines;
use super::probe::Wall;
use super::referee::Referee;
use super::sandbox::{ArenaError, Sandbox, SandboxConfig, standing};
use super::target::{BuildError, Targets, TargetsConfig};
use crate::guard::breaker::{Breaker, BreakerPolicy};

/// When the arena is left alone, and for how long.
const BREAKER: BreakerPolicy = BreakerPolicy {
    failures: 5,
    recovery: Duration::from_secs(30),
};

/// An arena whose walls hold, and the targets that are attacked in it.
#[derive(Debug)]
pub struct Arena {
    sandbox: Sandbox,
    targets: Targets,
    baselines: Baselines,
}

/// No arena can be had.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Walls do not hold, or cannot be built.
    #[error(transparent)]
    Arena(#[from] ArenaError),
    /// Targets cannot be kept.
    #[error(transparent)]
    Targets(#[from] BuildError),
}

/// Where wargames take place.
#[derive(Debug)]
pub struct Ring {
    sandbox: SandboxConfig,
    targets: TargetsConfig,
    open: Mutex<Option<Arc<Arena>>>,
    /// The walls as they were found when an arena was opened last.
    walls: Mutex<Vec<Wall>>,
    breaker: Breaker,
}

impl Arena {
    /// Returns an arena whose walls were tried from inside, which takes a second.
    ///
    /// # Errors
    /// [`RingError`] if no arena can be had, or its walls do not hold.
    pub fn open(sandbox: &SandboxConfig, targets: &TargetsConfig) -> Result<Self, RingError> {
        Ok(Self {
            sandbox: Sandbox::open(sandbox)?,
            targets: Targets::open(targets)?,
            baselines: Baselines::default(),
        })
    }

    /// Returns a referee who has everything shown to him.
    pub fn referee(&self) -> Referee<'_> {
        Referee::new(&self.sandbox, &self.targets)
    }

    /// Returns one who relies for a while on what an exploit was seen to do to its vulnerable target.
    pub fn relying_referee(&self) -> Referee<'_> {
        self.referee().relying_on(&self.baselines)
    }
}

impl Ring {
    /// Returns a ring that is not open yet.
    pub fn new(sandbox: SandboxConfig, targets: TargetsConfig) -> Self {
        Self {
            sandbox,
            targets,
            open: Mutex::new(None),
            walls: Mutex::new(Vec::new()),
            breaker: Breaker::new("wargame", BREAKER),
        }
    }

    /// Returns the breaker before it.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Returns the walls as they were found when an arena was opened last; none before.
    pub fn walls(&self) -> Vec<Wall> {
        self.walls.lock().clone()
    }

    /// Returns whether an arena is open.
    pub fn is_open(&self) -> bool {
        self.open.lock().is_some()
    }

    /// Returns the arena, which takes a second where none is open yet.
    ///
    /// # Errors
    /// [`RingError`] if no arena can be had, or its walls do not hold.
    pub fn arena(&self) -> Result<Arc<Arena>, RingError> {
        let mut open = self.open.lock();
        if let Some(arena) = &*open {
            return Ok(Arc::clone(arena));
        }
        let (sandbox, walls) = Sandbox::tried(&self.sandbox)?;
        let stand = standing(&walls);
        *self.walls.lock() = walls;
        stand?;
        let arena = Arc::new(Arena {
            sandbox,
            targets: Targets::open(&self.targets)?,
            baselines: Baselines::default(),
        });
        *open = Some(Arc::clone(&arena));
        Ok(arena)
    }
}
