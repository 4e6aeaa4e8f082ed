//! The versions of the policy, and what each step to the next must have earned.

use crate::event::control::Control;
use crate::event::decision::RiskLevel;
use crate::judge::wilson_lower_bound;

/// One version of the policy. Every change of a number is a new version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// The version, as it stands on events.
    pub version: u32,
    /// The least p that approves, 0 to 1; 1 minus it refuses, where a judge has no threshold of its own.
    pub threshold: f64,
    /// The highest patch risk that may ship unseen.
    pub max_risk: RiskLevel,
}

/// The policies there are, strictest first.
const POLICIES: [Policy; 4] = [
    Policy {
        version: 1,
        threshold: 0.95,
        max_risk: RiskLevel::Low,
    },
    Policy {
        version: 2,
        threshold: 0.90,
        max_risk: RiskLevel::Low,
    },
    Policy {
        version: 3,
        threshold: 0.85,
        max_risk: RiskLevel::Low,
    },
    Policy {
        version: 4,
        threshold: 0.85,
        max_risk: RiskLevel::Medium,
    },
];
/// What each step after the first would newly approve, as evidence is counted of it.
const STEPS: [&str; 3] = ["p90", "p85", "medium"];
/// The judge whose evidence the steps need: the other's p is a bound of its own.
const STEPPING: &str = "forest";
/// Live wargames that a step needs at least.
const STEP_NEEDS: u64 = 100;

/// Returns the steps whose new approvals a patch would be among, as evidence is counted of them.
pub fn steps_of(p: f64, risk: RiskLevel) -> Vec<(&'static str, &'static str)> {
    let [high, low, medium] = STEPS;
    let level = match risk {
        RiskLevel::Low if (0.90..0.95).contains(&p) => high,
        RiskLevel::Low if (0.85..0.90).contains(&p) => low,
        RiskLevel::Medium if p >= 0.85 => medium,
        _ => return Vec::new(),
    };
    vec![(STEPPING, level)]
}

impl Policy {
    /// Returns the policy of a version; `None` if this build does not know it.
    pub fn of_version(version: u32) -> Option<Self> {
        POLICIES
            .into_iter()
            .find(|policy| policy.version == version)
    }

    /// Returns the policy in force: what `control` names, as far as live wargames bear it out, or the strictest.
    ///
    /// A step is borne out by at least 100 wargames of patches that it would newly approve, of which the lower end of
    /// the 95 % Wilson interval is right as often as the step's threshold says. One that no longer is ends by itself.
    pub fn in_force(control: &Control) -> Self {
        let wanted = control.policy_version.unwrap_or(1);
        let steps = POLICIES.into_iter().skip(1).zip(STEPS);
        let borne_out = steps
            .take_while(|(policy, _)| policy.version <= wanted)
            .take_while(|(policy, level)| {
                let evidence = control.evidence(STEPPING, level);
                evidence.n >= STEP_NEEDS
                    && wilson_lower_bound(evidence.agreed, evidence.n) >= policy.threshold
            });
        borne_out
            .last()
            .map_or_else(Self::strictest, |(policy, _)| policy)
    }

    /// Returns the stricter of two policies.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        if (other.threshold, self.max_risk) > (self.threshold, other.max_risk) {
            other
        } else {
            self
        }
    }

    /// Returns the strictest policy: in force until `control` and evidence say otherwise.
    pub fn strictest() -> Self {
        let [first, ..] = POLICIES;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::control::{ControlKey, ControlValue};
    use crate::event::evidence::{COUNTED, EvidenceCount};

    #[test]
    fn a_step_is_in_force_only_while_live_wargames_bear_it_out() {
        let version = |wanted: u32, counts: &[(&str, u64, u64)]| {
            let mut control = Control {
                policy_version: Some(wanted),
                ..Control::default()
            };
            for (level, agreed, n) in counts {
                let key = ControlKey::parse(&format!("evidence.forest.{level}.w0")).unwrap();
                let value = ControlValue::Evidence(EvidenceCount::plain(*agreed, *n));
                control.apply(&key, Some(&value)).unwrap();
            }
            Policy::in_force(&control).version
        };
        assert_eq!(version(4, &[]), 1);
        assert_eq!(version(2, &[("p90", 99, 99)]), 1, "too few");
        assert_eq!(version(2, &[("p90", 200, 200)]), 2);
        assert_eq!(version(2, &[("p90", 180, 200)]), 1, "too often wrong");
        assert_eq!(version(1, &[("p90", 200, 200)]), 1, "nobody asked for it");
        assert_eq!(version(4, &[("p90", 200, 200), ("medium", 200, 200)]), 2);
        assert_eq!(version(99, &[("p90", 200, 200), ("p85", 190, 200)]), 3);
        let all = [("p90", 200, 200), ("p85", 200, 200), ("medium", 200, 200)];
        assert_eq!(version(4, &all), 4);
    }

    #[test]
    fn what_steps_need_is_counted() {
        assert!(COUNTED.contains(&(STEPPING, &STEPS)));
    }

    #[test]
    fn evidence_of_a_step_is_of_what_it_would_newly_approve() {
        let of = |p, risk| steps_of(p, risk).first().map(|(_, level)| *level);
        assert_eq!(of(0.94, RiskLevel::Low), Some("p90"));
        assert_eq!(of(0.85, RiskLevel::Low), Some("p85"));
        assert_eq!(of(0.99, RiskLevel::Medium), Some("medium"));
        assert_eq!(of(0.99, RiskLevel::Low), None);
        assert_eq!(of(0.84, RiskLevel::Medium), None);
        assert_eq!(of(0.99, RiskLevel::High), None);
        assert_eq!(of(f64::NAN, RiskLevel::Low), None);
    }
}
