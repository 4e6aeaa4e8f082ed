//! Metrics of the walls.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::ring::Ring;

/// Whether walls hold, as they were found when an arena was opened last.
#[derive(Debug, Clone)]
pub struct WallMetrics {
    walls: IntGaugeVec,
    missing: IntGauge,
}

impl WallMetrics {
    /// Registers `crisol_sandbox_wall{wall}` and `crisol_sandbox_walls_missing`.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let wall = Opts::new(
            "crisol_sandbox_wall",
            "Whether a wall of the sandbox holds on this machine (1) or not (0)",
        );
        let walls = IntGaugeVec::new(wall, &["wall"])?;
        let missing = IntGauge::new(
            "crisol_sandbox_walls_missing",
            "Walls of the sandbox that do not hold on this machine, so that nothing is run there",
        )?;
        registry.register(Box::new(walls.clone()))?;
        registry.register(Box::new(missing.clone()))?;
        Ok(Self { walls, missing })
    }

    /// Tells what is known of the walls of a ring.
    pub fn observe(&self, ring: &Ring) {
        let walls = ring.walls();
        for wall in &walls {
            let holds = self.walls.with_label_values(&[wall.name]);
            holds.set(i64::from(wall.holds));
        }
        let missing = walls.iter().filter(|wall| !wall.holds).count();
        self.missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
    }
}
