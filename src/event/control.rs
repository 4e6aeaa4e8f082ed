//! Settings on `control`: what every replica obeys, and the evidence that judging counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::codec::CodecError;
use crate::event::decision::EvidenceRecord;
use crate::event::evidence::{COUNTED, EvidenceCount, distinct, sum};
use crate::event::id;
use crate::event::record::Output;
use crate::event::topic::Topic;

/// Prefix of the keys that halt partitions: `halt.<topic>.<partition>`.
const HALT_PREFIX: &str = "halt.";
/// Prefix of the keys that hold counts of agreement: `evidence.<judge>.<level>.<writer>`.
const EVIDENCE_PREFIX: &str = "evidence.";

/// The value of a control record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "control")]
pub enum ControlValue {
    /// A switch.
    Switch(bool),
    /// A version number.
    Version(u32),
    /// A share, 0 to 1.
    Share(f64),
    /// The SHA-256 of a file, 64 hexadecimal digits.
    Digest(String),
    /// A count of agreement.
    Evidence(EvidenceCount),
    /// Where a partition is halted, and why.
    Halt(HaltRecord),
}

/// A partition that is halted by a flood of bad records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HaltRecord {
    /// The offset at which it goes on once it is resumed.
    pub offset: i64,
    /// How many bad records came in a row before that.
    pub bad_in_a_row: u64,
    /// When it was halted, RFC 3339.
    pub since: String,
}

impl ControlValue {
    /// Returns the JSON that stands on `control`.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Switches, numbers, lists and texts always serialise; if one did not, the empty value would be
        // refused by every reader.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A key on `control`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ControlKey {
    /// Stops every approval while it is on.
    KillSwitch,
    /// Overrides `AUTO_APPROVE_ENABLED` on every replica.
    AutoApprove,
    /// The policy in force.
    PolicyVersion,
    /// Whether outcomes are sampled for A/B comparisons.
    AbEnabled,
    /// The share that is sampled.
    AbRate,
    /// The model that judges code, by its digest.
    ModelActive,
    /// The model that is compared with it.
    ModelShadow,
    /// How often wargames agreed with a judge at a level, as one writer counted.
    Evidence {
        /// The judge, such as `advisory`.
        judge: String,
        /// The level, such as `patch`.
        level: String,
        /// Who counts: a worker's instance, or an operator's own name.
        writer: String,
    },
    /// Halts a partition of an input.
    Halt {
        /// The input, by its name without the prefix.
        topic: Topic,
        /// The partition.
        partition: i32,
    },
}

impl ControlKey {
    /// Returns the key of a name such as `kill_switch` or `evidence.advisory.patch.w0`.
    ///
    /// # Errors
    /// [`CodecError::Schema`] for any other name, telling which there are.
    ///
    /// Any judge and level is read, so that what an older or a newer build wrote can be taken back; see
    /// [`ControlKey::check_known`].
    pub fn parse(name: &str) -> Result<Self, CodecError> {
        match name {
            "kill_switch" => return Ok(Self::KillSwitch),
            "auto_approve" => return Ok(Self::AutoApprove),
            "policy_version" => return Ok(Self::PolicyVersion),
            "ab_enabled" => return Ok(Self::AbEnabled),
            "ab_rate" => return Ok(Self::AbRate),
            "model_active" => return Ok(Self::ModelActive),
            "model_shadow" => return Ok(Self::ModelShadow),
            _ => {}
        }
        let unknown = || {
            CodecError::schema(
                "key",
                format!(
                    "unknown setting {name}; there are kill_switch, auto_approve, policy_version, ab_enabled, ab_rate, model_active, model_shadow, evidence.<judge>.<level>.<writer> and halt.<topic>.<partition>; {}",
                    counted_text()
                ),
            )
        };
        if let Some(place) = name.strip_prefix(HALT_PREFIX) {
            return halted(place).ok_or_else(unknown);
        }
        let rest = name.strip_prefix(EVIDENCE_PREFIX).ok_or_else(unknown)?;
        let mut parts = rest.splitn(3, '.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(judge), Some(level), Some(writer))
                if [judge, level, writer]
                    .iter()
                    .all(|part| id::check_cve_id(part).is_ok()) =>
            {
                Ok(Self::Evidence {
                    judge: judge.to_owned(),
                    level: level.to_owned(),
                    writer: writer.to_owned(),
                })
            }
            _ => Err(unknown()),
        }
    }

    /// Checks that this build reads what stands under the key: that it counts this judge at this level.
    ///
    /// # Errors
    /// [`CodecError::Schema`] tells which judges and levels there are.
    pub fn check_known(&self) -> Result<(), CodecError> {
        let Self::Evidence { judge, level, .. } = self else {
            return Ok(());
        };
        check_counted(judge, Some(level))
    }

    /// Returns the name that [`ControlKey::parse`] reads.
    pub fn name(&self) -> String {
        match self {
            Self::KillSwitch => "kill_switch".to_owned(),
            Self::AutoApprove => "auto_approve".to_owned(),
            Self::PolicyVersion => "policy_version".to_owned(),
            Self::AbEnabled => "ab_enabled".to_owned(),
            Self::AbRate => "ab_rate".to_owned(),
            Self::ModelActive => "model_active".to_owned(),
            Self::ModelShadow => "model_shadow".to_owned(),
            Self::Evidence {
                judge,
                level,
                writer,
            } => {
                format!("{EVIDENCE_PREFIX}{judge}.{level}.{writer}")
            }
            Self::Halt { topic, partition } => {
                format!("{HALT_PREFIX}{topic}.{partition}")
            }
        }
    }

    /// Returns the record that writes a value under this key.
    pub fn setting(&self, value: &ControlValue) -> Output {
        Output {
            topic: Topic::Control,
            partition_by: None,
            key: Some(self.name().into_bytes()),
            value: Some(value.to_bytes()),
            headers: Vec::new(),
        }
    }

    /// Checks that a value is of this key's kind and in its bounds.
    ///
    /// # Errors
    /// [`CodecError::Schema`] tells what the key takes.
    pub fn check(&self, value: &ControlValue) -> Result<(), CodecError> {
        let takes = match (self, value) {
            (
                Self::KillSwitch | Self::AutoApprove | Self::AbEnabled,
                ControlValue::Switch(_),
            )
            | (Self::PolicyVersion, ControlValue::Version(_))
            // JSON writes the whole of it as 1.
            | (Self::AbRate, ControlValue::Version(0 | 1)) => return Ok(()),
            (Self::AbRate, ControlValue::Share(share)) if (0.0..=1.0).contains(share) => {
                return Ok(());
            }
            (Self::Evidence { .. }, ControlValue::Evidence(count)) => match count.flaw() {
                None => return Ok(()),
                Some(flaw) => {
                    return Err(CodecError::schema(self.name(), format!("counts {flaw}")));
                }
            },
            (Self::Halt { .. }, ControlValue::Halt(_)) => return Ok(()),
            (Self::ModelActive | Self::ModelShadow, ControlValue::Digest(digest))
                if id::from_hex(digest).is_some() =>
            {
                return Ok(());
            }
            (Self::ModelActive | Self::ModelShadow, _) => "a model's digest, 64 hexadecimal digits",
            (Self::KillSwitch | Self::AutoApprove | Self::AbEnabled, _) => "true or false",
            (Self::AbRate, _) => "a share from 0 to 1",
            (Self::PolicyVersion, _) => "a version number",
            (Self::Evidence { .. }, _) => {
                "{\"agreed\": a, \"n\": n, \"source\": \"where that was counted\"} with a not above n"
            }
            (Self::Halt { .. }, _) => {
                "{\"offset\": o, \"bad_in_a_row\": n, \"since\": \"2026-11-21T18:00:00Z\"}"
            }
        };
        Err(CodecError::schema(self.name(), format!("takes {takes}")))
    }
}

/// Everything `control` says, as one snapshot.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Control {
    /// The offset after the last record that was applied: the snapshot's version.
    pub version: i64,
    /// Whether approvals are stopped.
    pub kill_switch: bool,
    /// Whether approvals are switched on, where `control` says it.
    pub auto_approve: Option<bool>,
    /// The policy in force, where `control` says it.
    pub policy_version: Option<u32>,
    /// Whether outcomes are sampled for A/B comparisons, where `control` says it.
    pub ab_enabled: Option<bool>,
    /// The share that is sampled, 0 to 1, where `control` says it.
    pub ab_rate: Option<f64>,
    /// The digest of the model that judges code, where `control` says it.
    pub model_active: Option<String>,
    /// The digest of the model that is compared with it, where `control` says it.
    pub model_shadow: Option<String>,
    /// Counts of agreement by judge and level, then writer. Shared, because a snapshot is made of every change.
    pub evidence: BTreeMap<String, BTreeMap<String, BTreeMap<String, Arc<EvidenceCount>>>>,
    /// What they come to, by judge and level.
    pub sums: BTreeMap<String, BTreeMap<String, EvidenceRecord>>,
    /// Partitions that are halted, by input and number.
    pub halts: BTreeMap<(Topic, i32), HaltRecord>,
}

impl Control {
    /// Applies one setting; `None` takes it back.
    ///
    /// # Errors
    /// [`CodecError::Schema`] if the value is not of the key's kind; nothing changes then.
    pub fn apply(
        &mut self,
        key: &ControlKey,
        value: Option<&ControlValue>,
    ) -> Result<(), CodecError> {
        if let Some(value) = value {
            key.check(value)?;
        }
        match (key, value) {
            (ControlKey::KillSwitch, Some(ControlValue::Switch(on))) => self.kill_switch = *on,
            (ControlKey::KillSwitch, _) => self.kill_switch = false,
            (ControlKey::AutoApprove, Some(ControlValue::Switch(on))) => {
                self.auto_approve = Some(*on)
            }
            (ControlKey::AutoApprove, _) => self.auto_approve = None,
            (ControlKey::PolicyVersion, Some(ControlValue::Version(v))) => {
                self.policy_version = Some(*v)
            }
            (ControlKey::PolicyVersion, _) => self.policy_version = None,
            (ControlKey::AbEnabled, Some(ControlValue::Switch(on))) => self.ab_enabled = Some(*on),
            (ControlKey::AbEnabled, _) => self.ab_enabled = None,
            (ControlKey::AbRate, Some(ControlValue::Share(share))) => self.ab_rate = Some(*share),
            (ControlKey::AbRate, Some(ControlValue::Version(whole))) => {
                self.ab_rate = Some(f64::from(*whole));
            }
            (ControlKey::AbRate, _) => self.ab_rate = None,
            (ControlKey::ModelActive, Some(ControlValue::Digest(digest))) => {
                self.model_active = Some(digest.clone());
            }
            (ControlKey::ModelActive, _) => self.model_active = None,
            (ControlKey::ModelShadow, Some(ControlValue::Digest(digest))) => {
                self.model_shadow = Some(digest.clone());
            }
            (ControlKey::ModelShadow, _) => self.model_shadow = None,
            (
                ControlKey::Evidence {
                    judge,
                    level,
                    writer,
                },
                value,
            ) => {
                let writers = self
                    .evidence
                    .entry(judge.clone())
                    .or_default()
                    .entry(level.clone())
                    .or_default();
                match value {
                    Some(ControlValue::Evidence(count)) => {
                        writers.insert(writer.clone(), Arc::new(count.clone()))
                    }
                    _ => writers.remove(writer),
                };
                // Once a change, not once a patch.
                let sum = sum(writers.values().map(Arc::as_ref));
                let levels = self.sums.entry(judge.clone()).or_default();
                levels.insert(level.clone(), sum);
            }
            (ControlKey::Halt { topic, partition }, value) => {
                let place = (*topic, *partition);
                match value {
                    Some(ControlValue::Halt(halt)) => self.halts.insert(place, halt.clone()),
                    _ => self.halts.remove(&place),
                };
            }
        }
        Ok(())
    }

    /// Returns what one writer counted of `judge` at `level`.
    pub fn counted(&self, judge: &str, level: &str, writer: &str) -> EvidenceCount {
        let own = self.writers(judge, level).and_then(|of| of.get(writer));
        own.map_or_else(EvidenceCount::default, |count| EvidenceCount::clone(count))
    }

    /// Returns the distinct trials of `judge` at `level` that writers other than one counted, and whether it was right.
    pub fn trials_of_others(&self, judge: &str, level: &str, writer: &str) -> BTreeMap<&str, bool> {
        let writers = self.writers(judge, level).into_iter().flatten();
        let others = writers.filter(|(name, _)| *name != writer);
        distinct(others.map(|(_, count)| count.as_ref()))
    }

    /// Returns how often `judge` was right at `level`: each distinct trial counts once, whoever counted it, and beside
    /// them what operators counted elsewhere.
    pub fn evidence(&self, judge: &str, level: &str) -> EvidenceRecord {
        let of_judge = self.sums.get(judge);
        let sum = of_judge.and_then(|levels| levels.get(level));
        sum.copied().unwrap_or_default()
    }

    fn writers(&self, judge: &str, level: &str) -> Option<&BTreeMap<String, Arc<EvidenceCount>>> {
        self.evidence.get(judge)?.get(level)
    }
}

/// Checks that a judge is counted, and at a level if one is named.
///
/// # Errors
/// [`CodecError::Schema`] tells which judges and levels there are.
pub fn check_counted(judge: &str, level: Option<&str>) -> Result<(), CodecError> {
    let known = COUNTED.iter().find(|(name, _)| *name == judge);
    match (known, level) {
        (Some(_), None) => return Ok(()),
        (Some((_, levels)), Some(level)) if levels.contains(&level) => return Ok(()),
        _ => {}
    }
    let asked = level.map_or_else(|| judge.to_owned(), |level| format!("{judge}.{level}"));
    let problem = format!("nothing is counted of it; {}", counted_text());
    Err(CodecError::schema(
        format!("{EVIDENCE_PREFIX}{asked}"),
        problem,
    ))
}

fn counted_text() -> String {
    let told = |(judge, levels): &(&str, &[&str])| format!("{judge} at {}", levels.join(", "));
    let judges: Vec<String> = COUNTED.iter().map(told).collect();
    format!("judges are counted at levels: {}", judges.join("; "))
}

/// Reads `<topic>.<partition>`.
fn halted(place: &str) -> Option<ControlKey> {
    let (topic, partition) = place.rsplit_once('.')?;
    let topic = Topic::ALL
        .into_iter()
        .find(|known| known.as_str() == topic)?;
    // Written one way only, so that a partition has one key.
    let number: i32 = partition.parse().ok()?;
    (number >= 0 && number.to_string() == partition).then_some(ControlKey::Halt {
        topic,
        partition: number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_they_are_written() {
        for name in [
            "kill_switch",
            "auto_approve",
            "policy_version",
            "ab_enabled",
            "ab_rate",
            "model_active",
            "model_shadow",
            "evidence.advisory.patch.w0",
            "halt.patches.3",
            "evidence.advisory.patch.host-1.w0",
        ] {
            assert_eq!(ControlKey::parse(name).unwrap().name(), name);
        }
        for name in [
            "killswitch",
            "evidence.advisory",
            "evidence.a.b.c|d",
            "halt.patches",
            "halt.patches.-1",
            "halt.patches.03",
            "halt.elsewhere.3",
        ] {
            assert!(ControlKey::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn evidence_is_the_sum_of_its_writers() {
        let mut control = Control::default();
        for (name, agreed, n) in [
            ("evidence.advisory.patch.w0", 70, 71),
            ("evidence.advisory.patch.op", 4, 4),
        ] {
            let key = ControlKey::parse(name).unwrap();
            control
                .apply(
                    &key,
                    Some(&ControlValue::Evidence(EvidenceCount::plain(agreed, n))),
                )
                .unwrap();
        }
        assert_eq!(
            control.evidence("advisory", "patch"),
            EvidenceRecord { agreed: 74, n: 75 }
        );
        assert_eq!(
            control.evidence("advisory", "major"),
            EvidenceRecord::default()
        );
    }

    #[test]
    fn what_two_writers_counted_of_one_trial_counts_once_and_goes_when_both_take_it_back() {
        let mut control = Control::default();
        let set = |control: &mut Control, writer: &str, count: Option<EvidenceCount>| {
            let key = ControlKey::parse(&format!("evidence.advisory.patch.{writer}")).unwrap();
            let value = count.map(ControlValue::Evidence);
            control.apply(&key, value.as_ref()).unwrap();
            control.evidence("advisory", "patch")
        };
        let mut count = EvidenceCount::default();
        count.add("a", true);
        count.add("b", true);
        let of = |agreed, n| EvidenceRecord { agreed, n };
        assert_eq!(set(&mut control, "w0", Some(count.clone())), of(2, 2));
        assert_eq!(set(&mut control, "w1", Some(count.clone())), of(2, 2));
        count.add("b", false);
        assert_eq!(set(&mut control, "w1", Some(count)), of(1, 2));
        assert_eq!(set(&mut control, "w1", None), of(2, 2));
        assert_eq!(set(&mut control, "w0", None), of(0, 0));
    }

    #[test]
    fn what_nobody_counts_is_refused_with_what_there_is() {
        let known = |name: &str| {
            let key = ControlKey::parse(name).unwrap();
            key.check_known().map_err(|error| error.to_string())
        };
        assert_eq!(known("evidence.advisory.patch.me"), Ok(()));
        assert_eq!(known("evidence.forest.p90.me"), Ok(()));
        assert_eq!(known("kill_switch"), Ok(()));
        for name in [
            "evidence.advisor.patch.me",
            "evidence.advisory.pach.me",
            "evidence.forest.patch.me",
            "evidence.advisory.downgrade.me",
        ] {
            let error = known(name).unwrap_err();
            assert!(
                error.contains("advisory at patch, minor, major, unknown; ")
                    && error.contains("forest at p90"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_changes_nothing() {
        let mut control = Control::default();
        let error = control
            .apply(&ControlKey::KillSwitch, Some(&ControlValue::Version(1)))
            .unwrap_err();
        assert_eq!(error.to_string(), "kill_switch: takes true or false");
        assert_eq!(control, Control::default());
    }

    #[test]
    fn a_rate_is_a_share_however_json_writes_it() {
        let mut control = Control::default();
        for (text, share) in [("0.25", 0.25), ("1", 1.0), ("0", 0.0)] {
            let value: ControlValue = serde_json::from_str(text).unwrap();
            control.apply(&ControlKey::AbRate, Some(&value)).unwrap();
            assert_eq!(control.ab_rate, Some(share));
        }
        for text in ["2", "1.5", "-0.1", "true"] {
            let value: ControlValue = serde_json::from_str(text).unwrap();
            let refused = control.apply(&ControlKey::AbRate, Some(&value));
            assert!(refused.is_err(), "{text}");
        }
    }
}
