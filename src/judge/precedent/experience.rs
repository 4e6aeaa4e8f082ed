//! Counts of verdicts, and rates drawn towards what is known without them.

/// Of what a maker's candidates for a CVE did better or worse than others' for it: parts that one verdict has.
/// Whole numbers, so that the sum does not depend on the order in which verdicts came.
const PARTS: i64 = 1 << 20;
/// Verdicts, a quarter of them mitigated, that a CVE's own rate is drawn towards.
const DRAWN: (i64, i64) = (2, 4);

/// How often something was mitigated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Experience {
    /// Verdicts that say so.
    pub mitigated: u32,
    /// Verdicts.
    pub n: u32,
}

impl Experience {
    /// Counts a verdict.
    pub fn count(&mut self, mitigated: bool) {
        self.mitigated += u32::from(mitigated);
        self.n += 1;
    }

    /// Takes a verdict back.
    pub fn forget(&mut self, mitigated: bool) {
        self.mitigated = self.mitigated.saturating_sub(u32::from(mitigated));
        self.n = self.n.saturating_sub(1);
    }

    /// Returns the share, drawn towards `prior` as by `weight` verdicts.
    pub fn rate(self, prior: f32, weight: f32) -> f32 {
        (self.mitigated as f32 + weight * prior) / (self.n as f32 + weight)
    }

    /// Returns by how much these verdicts are better than the rate of `case`, all verdicts on a CVE, in parts of
    /// a verdict.
    pub(super) fn better_than(self, case: Self) -> i64 {
        let (draws, parts) = DRAWN;
        let rate = PARTS * (i64::from(case.mitigated) * parts + draws)
            / ((i64::from(case.n) + draws) * parts);
        i64::from(self.mitigated) * PARTS - i64::from(self.n) * rate
    }
}

/// What verdicts on other CVEs say, by what the candidate is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Background {
    /// All verdicts.
    pub all: Experience,
    /// Those on its language.
    pub language: Experience,
    /// Those on its generator's patches.
    pub generator: Experience,
    /// Those on its generator's patches in its language.
    pub generator_language: Experience,
    /// By how much its generator's patches were better than others for the same CVEs, all together, in 2^20
    /// parts of a verdict.
    pub generator_beside_others: i64,
}

impl Background {
    /// Returns how often anything is mitigated, with a fifth as the first guess.
    pub fn prior(&self) -> f32 {
        (self.all.mitigated as f32 + 1.0) / (self.all.n as f32 + 5.0)
    }

    /// Returns how often candidates in the language are.
    pub fn prior_language(&self) -> f32 {
        self.language.rate(self.prior(), 10.0)
    }

    /// Returns how often candidates of the generator are.
    pub fn of_generator(&self) -> f32 {
        self.generator.rate(self.prior(), 6.0)
    }

    /// Returns how often candidates of the generator in the language are: what to expect of one before anything
    /// else is known.
    pub fn expected(&self) -> f32 {
        self.generator_language.rate(self.of_generator(), 6.0)
    }

    /// Returns by how much a patch of the generator is better than others for the same CVE, -1 to 1.
    pub fn skill(&self) -> f32 {
        self.generator_beside_others as f32 / PARTS as f32 / (self.generator.n as f32 + 6.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maker_is_measured_beside_others_for_the_same_cve() {
        let case = Experience { mitigated: 2, n: 4 };
        let good = Experience { mitigated: 2, n: 2 };
        let bad = Experience { mitigated: 0, n: 2 };
        // (2 + 0.5) / (4 + 2) are expected of each.
        let rate = PARTS * 10 / 24;
        assert_eq!(good.better_than(case), 2 * PARTS - 2 * rate);
        assert_eq!(bad.better_than(case), -2 * rate);
        assert_eq!(Experience::default().better_than(case), 0);
    }

    #[test]
    fn what_is_taken_back_is_as_if_it_had_never_been() {
        let mut counts = Experience::default();
        counts.count(true);
        counts.count(false);
        counts.forget(true);
        assert_eq!(counts, Experience { mitigated: 0, n: 1 });
    }
}
