//! The models that are at hand: the shipped one, and those of files, read again when a file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tracing::warn;

use crate::judge::code::Loaded;
use crate::judge::models::Picked;
use crate::judge::shipped::{LoadError, ModelConfig, read, shipped};

/// When a file was written, and how long it is: what tells that it changed.
type Stamp = Option<(SystemTime, u64)>;

/// A model of a file.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    stamp: Stamp,
    model: Arc<Loaded>,
}

/// The models that are at hand.
#[derive(Debug)]
pub struct Shelf {
    enabled: bool,
    shipped: Arc<Loaded>,
    active: Option<Kept>,
    shadow: Option<Kept>,
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

impl Kept {
    fn open(path: &Path) -> Result<Self, LoadError> {
        Ok(Self {
            // Before it is read: a change meanwhile is seen the next time.
            stamp: stamp(path),
            model: Arc::new(read(path)?),
            path: path.to_owned(),
        })
    }

    /// Reads the file again if it has changed; returns whether it has become something that is no model.
    fn refresh(&mut self) -> bool {
        let now = stamp(&self.path);
        if now == self.stamp {
            return false;
        }
        match Self::open(&self.path) {
            Ok(kept) => *self = kept,
            Err(error) => {
                warn!(%error, "the model before stays in force");
                self.stamp = now;
                return true;
            }
        }
        false
    }
}

impl Shelf {
    /// Reads the models that the settings name.
    ///
    /// # Errors
    /// [`LoadError`] if one cannot be read.
    pub fn open(config: &ModelConfig) -> Result<Self, LoadError> {
        let open = |path: &Option<PathBuf>| path.as_deref().map(Kept::open).transpose();
        Ok(Self {
            enabled: config.enabled,
            shipped: Arc::new(shipped()?),
            active: open(&config.path)?,
            shadow: open(&config.shadow)?,
        })
    }

    /// Reads again what has changed; returns how many files became something that is no model.
    pub fn refresh(&mut self) -> usize {
        let kept = [&mut self.active, &mut self.shadow];
        kept.into_iter()
            .flatten()
            .map(|kept| usize::from(kept.refresh()))
            .sum()
    }

    /// Returns what is in force: the files of the settings, or the models that `control` names by their digests. A
    /// name that is not at hand leaves code to people, rather than to a model that nobody asked for.
    pub fn pick(&self, active: Option<&str>, shadow: Option<&str>) -> Picked {
        if !self.enabled {
            return Picked::default();
        }
        let of = |kept: &Option<Kept>| kept.as_ref().map(|kept| Arc::clone(&kept.model));
        let named = |digest: &str| {
            let all = [
                of(&self.active),
                of(&self.shadow),
                Some(Arc::clone(&self.shipped)),
            ];
            all.into_iter()
                .flatten()
                .find(|model| model.digest() == digest)
        };
        let judges = match active {
            Some(digest) => named(digest),
            None => of(&self.active).or_else(|| Some(Arc::clone(&self.shipped))),
        };
        let beside = match shadow {
            Some(digest) => named(digest),
            None => of(&self.shadow),
        };
        Picked {
            is_missing: judges.is_none() || (shadow.is_some() && beside.is_none()),
            // A model beside itself says nothing new.
            shadow: beside.filter(|beside| Some(beside) != judges.as_ref()),
            active: judges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_accept(accept: f64) -> Vec<u8> {
        let mut model = shipped().unwrap().model().clone();
        model.first.accept = accept;
        model.to_file().unwrap()
    }

    #[test]
    fn a_changed_file_takes_over_and_a_broken_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.json");
        std::fs::write(&path, with_accept(0.97)).unwrap();
        let config = ModelConfig {
            path: Some(path.clone()),
            ..ModelConfig::default()
        };
        let mut shelf = Shelf::open(&config).unwrap();
        let accepts = |shelf: &Shelf| shelf.pick(None, None).active.unwrap().model().first.accept;
        assert_eq!((shelf.refresh(), accepts(&shelf)), (0, 0.97));
        std::fs::write(&path, with_accept(0.975)).unwrap();
        assert_eq!((shelf.refresh(), accepts(&shelf)), (0, 0.975));
        std::fs::write(&path, b"{").unwrap();
        assert_eq!((shelf.refresh(), accepts(&shelf)), (1, 0.975));
        assert_eq!(shelf.refresh(), 0, "told once");
        std::fs::write(&path, with_accept(0.99)).unwrap();
        assert_eq!((shelf.refresh(), accepts(&shelf)), (0, 0.99));
    }

    #[test]
    fn control_names_models_by_digest_and_one_that_is_not_here_leaves_code_to_people() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shadow.json");
        std::fs::write(&path, with_accept(0.97)).unwrap();
        let shelf = Shelf::open(&ModelConfig {
            shadow: Some(path),
            ..ModelConfig::default()
        })
        .unwrap();
        let settings = shelf.pick(None, None);
        let (active, shadow) = (settings.active.unwrap(), settings.shadow.unwrap());
        assert_eq!(active.digest(), shipped().unwrap().digest());
        let promoted = shelf.pick(Some(shadow.digest()), Some(active.digest()));
        assert_eq!(
            (promoted.active, promoted.shadow),
            (Some(Arc::clone(&shadow)), Some(active))
        );
        let alone = shelf.pick(Some(shadow.digest()), None);
        assert_eq!((alone.active, alone.shadow), (Some(shadow), None));
        let unknown = shelf.pick(Some(&"0".repeat(64)), None);
        assert!(unknown.active.is_none() && unknown.is_missing);
    }
}
