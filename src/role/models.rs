//! Keeping the models in force those that files and `control` name, while a role runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::info;

use crate::judge::models::Models;
use crate::judge::shelf::Shelf;
use crate::table::Tables;

/// How often files and `control` are looked at.
const STEP: Duration = Duration::from_millis(200);

/// Puts in force what files and `control` name, now and whenever that changes, until `stop` is set.
///
/// # Errors
/// What the system says if no thread can be started.
pub(super) fn keep_models(
    mut shelf: Shelf,
    models: Arc<Models>,
    tables: Arc<Tables>,
    stop: Arc<AtomicBool>,
) -> Result<(), std::io::Error> {
    let mut keep = {
        let models = Arc::clone(&models);
        move || {
            for _ in 0..shelf.refresh() {
                models.unreadable();
            }
            let control = tables.control_snapshot();
            let (active, shadow) = (&control.model_active, &control.model_shadow);
            models.put(shelf.pick(active.as_deref(), shadow.as_deref()));
        }
    };
    // What control names is in force before the first record is judged.
    keep();
    let judges = models.in_force();
    let active = judges
        .active
        .as_ref()
        .map_or("none", |model| model.digest());
    info!(model = active, "judge of code");
    std::thread::Builder::new()
        .name("models".to_owned())
        .spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(STEP);
                keep();
            }
        })?;
    Ok(())
}
