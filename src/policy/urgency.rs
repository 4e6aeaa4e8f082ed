//! How soon a person should look at an item.

use crate::event::facts::Severity;
use crate::event::reason::Reason;

/// Priority and time limit of an item in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Urgency {
    /// 1 (first) to 5 (last).
    pub priority: u8,
    /// Minutes within which a person should have looked.
    pub sla_minutes: u32,
}

/// Minutes a priority allows, from 1 to 5: four hours, one day, three days, one week, a month.
const SLA_MINUTES: [u32; 5] = [240, 1_440, 4_320, 10_080, 43_200];
/// EPSS from which exploitation is taken as likely: the 95th percentile of all CVEs lay below 0.1 in
/// FIRST's published distribution.
const LIKELY_EPSS: f32 = 0.1;

/// Returns the urgency of an item from severity, exploitation and reason.
///
/// Known or likely exploitation moves an item up by one step, as does an exploit that works; what the judge refuses
/// comes last, because another candidate is the way forward, as does what is about a withdrawn advisory, and an
/// approval that is taken back first.
pub fn urgency(reason: Reason, severity: Severity, kev: bool, epss: Option<f32>) -> Urgency {
    let by_severity: u8 = match severity {
        Severity::Critical | Severity::Unknown => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
    };
    let exploited = kev || epss.is_some_and(|p| p >= LIKELY_EPSS);
    let priority = match reason {
        Reason::JudgeRefuses | Reason::ApvWithdrawn => 5,
        // It was shipped.
        Reason::ComparisonRefutes => 1,
        // The vulnerability is real here, and a patch that looks right is not.
        Reason::StillExploitable => by_severity - 1,
        _ if exploited => by_severity - 1,
        _ => by_severity,
    };
    Urgency {
        priority,
        sla_minutes: SLA_MINUTES
            .get(usize::from(priority.saturating_sub(1)))
            .copied()
            .unwrap_or(43_200),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exploited_and_critical_comes_first_and_refused_comes_last() {
        let of = |reason, severity, kev| urgency(reason, severity, kev, None).priority;
        assert_eq!(of(Reason::KevListed, Severity::Critical, true), 1);
        assert_eq!(of(Reason::NoExploit, Severity::Critical, false), 2);
        assert_eq!(of(Reason::NoExploit, Severity::Low, false), 5);
        assert_eq!(of(Reason::JudgeRefuses, Severity::Critical, true), 5);
        assert_eq!(of(Reason::ApvWithdrawn, Severity::Critical, true), 5);
        assert_eq!(
            urgency(Reason::NoExploit, Severity::High, false, Some(0.5)).priority,
            2
        );
    }

    #[test]
    fn a_higher_priority_never_allows_more_time() {
        assert!(SLA_MINUTES.is_sorted());
        assert_eq!(
            urgency(Reason::KevListed, Severity::Critical, true, None).sla_minutes,
            240
        );
    }
}
