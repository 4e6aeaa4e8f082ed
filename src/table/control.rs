//! The control table: switches and evidence as one snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::event::codec::read_json;
use crate::event::control::{Control, ControlKey, ControlValue};
use crate::event::limits::EventLimits;
use crate::log::source::Coordinates;

/// The settings in force. A reader takes one snapshot and keeps it for a whole batch.
#[derive(Default)]
pub struct ControlTable {
    current: ArcSwap<Control>,
    limits: EventLimits,
}

impl ControlTable {
    /// Returns the settings as of now.
    pub fn snapshot(&self) -> Arc<Control> {
        self.current.load_full()
    }

    /// Applies one record of the topic; a tombstone takes a setting back.
    ///
    /// A record that cannot be read changes no setting, but the version still moves on: it names the
    /// offset that the snapshot has seen.
    ///
    /// # Errors
    /// What is wrong with the record, for the log.
    pub fn apply(
        &self,
        at: Coordinates,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), String> {
        let mut next = Control::clone(&self.current.load());
        next.version = at.offset + 1;
        let outcome = self.change(&mut next, key, value);
        self.current.store(Arc::new(next));
        outcome
    }

    fn change(
        &self,
        control: &mut Control,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), String> {
        let name = key
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or("no readable key")?;
        let key = ControlKey::parse(name).map_err(|e| e.to_string())?;
        let value = match value {
            None => None,
            some => Some(read_json::<ControlValue>(some, &self.limits).map_err(|e| e.to_string())?),
        };
        control
            .apply(&key, value.as_ref())
            .map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Coordinates {
        Coordinates {
            partition: 0,
            offset,
        }
    }

    #[test]
    fn a_snapshot_does_not_change_under_its_reader() {
        let table = ControlTable::default();
        let before = table.snapshot();
        table
            .apply(at(4), Some(b"kill_switch"), Some(b"true"))
            .unwrap();
        assert!(!before.kill_switch);
        let after = table.snapshot();
        assert!(after.kill_switch);
        assert_eq!(after.version, 5);
        table.apply(at(5), Some(b"kill_switch"), None).unwrap();
        assert!(!table.snapshot().kill_switch);
    }

    #[test]
    fn a_bad_record_changes_no_setting() {
        let table = ControlTable::default();
        table
            .apply(at(0), Some(b"kill_switch"), Some(b"true"))
            .unwrap();
        for (key, value) in [
            ("kill_switch", "1"),
            ("kill_switch", "{"),
            ("color", "true"),
        ] {
            table
                .apply(at(1), Some(key.as_bytes()), Some(value.as_bytes()))
                .unwrap_err();
        }
        assert!(table.snapshot().kill_switch);
    }
}
