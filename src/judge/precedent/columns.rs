//! The features of associative memory.
//!
//! Over 400 lines: the list of columns and the one function that fills it are read side by side.

use super::MOST;
use super::experience::{Background, Experience};
use crate::judge::features::Column;
use crate::judge::sketch::{Likeness, Sketch, covered};

/// An earlier candidate.
#[derive(Debug, Clone, Copy)]
pub struct Precedent<'a> {
    /// What is kept of it.
    pub sketch: &'a Sketch,
    /// Its [`log_length`].
    pub log_length: f32,
    /// Different names and numbers in its added lines, about.
    pub distinct: f32,
    /// Whether its wargame called it mitigated; `None` if that came to no end.
    pub mitigated: Option<bool>,
    /// The hash of who made it, if that is told.
    pub generator: Option<u64>,
    /// How often candidates like it, of its generator and language, are mitigated.
    pub expected: f32,
}

/// The columns: name and unit, in the order of [`features`].
const NAMES: [(&str, &str); COLUMNS] = [
    ("prior", "share"),
    ("prior_language", "share"),
    ("known", "candidates, 10 at most"),
    ("judged", "verdicts, 10 at most"),
    ("good", "verdicts, 6 at most"),
    ("bad", "verdicts, 12 at most"),
    ("rate_weak_prior", "share"),
    ("rate", "share"),
    ("near_tokens", "weighted share"),
    ("near_overall", "weighted share"),
    ("soft_tokens_4", "weighted share, -1 if none"),
    ("soft_tokens_6", "weighted share, -1 if none"),
    ("soft_tokens_10", "weighted share, -1 if none"),
    ("soft_trigrams", "weighted share, -1 if none"),
    ("soft_lines", "weighted share, -1 if none"),
    ("soft_regions", "weighted share, -1 if none"),
    ("soft_files", "weighted share, -1 if none"),
    ("soft_all", "weighted share, -1 if none"),
    ("good_tokens", "similarity"),
    ("bad_tokens", "similarity"),
    ("margin_tokens", "similarity"),
    ("good_trigrams", "similarity"),
    ("bad_trigrams", "similarity"),
    ("margin_trigrams", "similarity"),
    ("good_regions", "similarity"),
    ("bad_regions", "similarity"),
    ("margin_regions", "similarity"),
    ("margin_lines", "similarity"),
    ("good_files", "similarity"),
    ("bad_files", "similarity"),
    ("nearest_is_good", "0 or 1, -1 if none"),
    ("nearest", "similarity"),
    ("nearest_three", "share"),
    ("same_good", "candidates, 3 at most"),
    ("same_bad", "candidates, 5 at most"),
    ("covers_good", "share"),
    ("in_good", "share"),
    ("size_to_good", "log ratio"),
    ("size_to_bad", "log ratio"),
    ("mean_tokens", "similarity"),
    ("max_tokens", "similarity"),
    ("top_tokens", "similarity"),
    ("close_tokens", "share"),
    ("mean_regions", "similarity"),
    ("max_regions", "similarity"),
    ("close_regions", "share"),
    ("mean_trigrams", "similarity"),
    ("max_trigrams", "similarity"),
    ("mean_files", "similarity"),
    ("max_lines", "similarity"),
    ("same", "candidates, 5 at most"),
    ("same_of_others", "generators, 4 at most"),
    ("novel", "share"),
    ("size_to_all", "log ratio"),
    ("generator_rate", "share"),
    ("generator_rate_language", "share"),
    ("generator_rate_here", "share"),
    ("generator_known_here", "candidates, 3 at most"),
    ("ease", "share above what its generators lead to expect"),
    ("generator_skill", "share above others for the same CVEs"),
    ("generator_expected_here", "share, may pass 0 and 1"),
    ("generator_skilled_here", "share, may pass 0 and 1"),
];

/// Features of associative memory.
pub const COLUMNS: usize = 62;

/// Returns the columns in order.
pub fn columns() -> impl Iterator<Item = Column> {
    NAMES.iter().map(|(name, unit)| Column {
        name: format!("memory_{name}"),
        unit,
        group: if name.starts_with("generator") {
            "generator"
        } else {
            "memory"
        },
    })
}

/// Places of columns that speak of the generator, and of those that stand in for them.
mod at {
    pub(super) const PRIOR: usize = 0;
    pub(super) const RATE: usize = 7;
    pub(super) const GENERATOR_RATE: usize = 54;
    pub(super) const GENERATOR_RATE_LANGUAGE: usize = 55;
    pub(super) const GENERATOR_RATE_HERE: usize = 56;
    pub(super) const GENERATOR_KNOWN_HERE: usize = 57;
    pub(super) const EASE: usize = 58;
    pub(super) const GENERATOR_SKILL: usize = 59;
    pub(super) const GENERATOR_EXPECTED_HERE: usize = 60;
    pub(super) const GENERATOR_SKILLED_HERE: usize = 61;
}

/// Returns the features of the same candidate from a generator that nothing is known of.
pub fn without_generator(named: &[f32; COLUMNS]) -> [f32; COLUMNS] {
    let mut unnamed = *named;
    let prior = named[at::PRIOR];
    unnamed[at::GENERATOR_RATE] = prior;
    unnamed[at::GENERATOR_RATE_LANGUAGE] = prior;
    unnamed[at::GENERATOR_RATE_HERE] = named[at::RATE];
    unnamed[at::GENERATOR_KNOWN_HERE] = 0.0;
    unnamed[at::GENERATOR_SKILL] = 0.0;
    unnamed[at::GENERATOR_EXPECTED_HERE] = prior + named[at::EASE];
    unnamed[at::GENERATOR_SKILLED_HERE] =
        named[at::GENERATOR_SKILLED_HERE] - named[at::GENERATOR_SKILL];
    unnamed
}

/// A mean of verdicts, each with a weight.
#[derive(Debug, Clone, Copy, Default)]
struct Weighted {
    sum: f32,
    weight: f32,
}

impl Weighted {
    fn add(&mut self, weight: f32, good: f32) {
        self.sum += weight * good;
        self.weight += weight;
    }

    fn mean(self) -> f32 {
        if self.weight > 0.0 {
            self.sum / self.weight
        } else {
            -1.0
        }
    }

    fn drawn(self, prior: f32, weight: f32) -> f32 {
        (self.sum + weight * prior) / (self.weight + weight)
    }
}

/// The largest of something, for good ones and for bad ones.
#[derive(Debug, Clone, Copy, Default)]
struct Nearest {
    good: f32,
    bad: f32,
}

impl Nearest {
    fn see(&mut self, good: bool, value: f32) {
        let side = if good { &mut self.good } else { &mut self.bad };
        *side = side.max(value);
    }

    fn three(self) -> [f32; 3] {
        [self.good, self.bad, self.good - self.bad]
    }
}

/// Mean and largest over all.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    sum: f32,
    max: f32,
}

impl Spread {
    fn see(&mut self, value: f32) {
        self.sum += value;
        self.max = self.max.max(value);
    }
}

/// The three nearest, nearest first: how near, and whether good.
#[derive(Debug, Clone, Copy, Default)]
struct Three([(f32, f32); 3]);

impl Three {
    fn see(&mut self, near: f32, good: f32) {
        let mut next = (near, good);
        for slot in &mut self.0 {
            if next.0 > slot.0 {
                std::mem::swap(slot, &mut next);
            }
        }
    }
}

/// Returns the features of a candidate beside its precedents, oldest first. `generator` is the hash of who
/// made it, if that is told and counts.
pub fn features(
    candidate: &Sketch,
    generator: Option<u64>,
    precedents: &[Precedent<'_>],
    background: &Background,
) -> [f32; COLUMNS] {
    let newest = precedents.len().saturating_sub(MOST);
    let past = precedents.get(newest..).unwrap_or_default();
    let (prior_all, prior) = (background.prior(), background.prior_language());
    let size = log_length(candidate);
    let distinct = candidate.added.distinct();

    let (mut here, mut generator_here) = (Experience::default(), Experience::default());
    let mut generator_known = 0_u32;
    let (mut near_tokens, mut near_overall) = (Weighted::default(), Weighted::default());
    let mut soft = [Weighted::default(); 8];
    let mut nearest = [Nearest::default(); 5];
    let mut three = Three::default();
    let (mut same_good, mut same_bad, mut same) = (0_u32, 0_u32, 0_u32);
    let mut others: Vec<u64> = Vec::new();
    let (mut covers, mut in_good, mut known_part) = (0.0_f32, 0.0_f32, 0.0_f32);
    let mut sizes = [Weighted::default(); 2];
    let mut all_sizes = 0.0_f32;
    let mut spreads = [Spread::default(); 5];
    let mut top = Three::default();
    let (mut close_tokens, mut close_regions) = (0_u32, 0_u32);
    let mut beyond = 0.0_f32;

    for one in past {
        let like = candidate.likeness(one.sketch);
        let by = [
            like.tokens,
            like.trigrams,
            like.regions,
            like.lines,
            like.files,
        ];
        for (spread, value) in spreads.iter_mut().zip(by) {
            spread.see(value);
        }
        top.see(like.tokens, 0.0);
        close_tokens += u32::from(like.tokens > 0.6);
        close_regions += u32::from(like.regions > 0.3);
        let [of_candidate, of_one] = covered(like.added, [distinct, one.distinct]);
        known_part = known_part.max(of_candidate);
        all_sizes += one.log_length;
        same += u32::from(like.same_edit);
        let own = generator.is_some() && one.generator == generator;
        generator_known += u32::from(own);
        if like.same_edit
            && !own
            && let Some(other) = one.generator
            && !others.contains(&other)
        {
            others.push(other);
        }
        let Some(good) = one.mitigated else { continue };
        let y = f32::from(u8::from(good));
        beyond += y - one.expected;
        let overall = like.overall();
        here.count(good);
        if own {
            generator_here.count(good);
        }
        near_tokens.add(like.tokens.powi(4), y);
        near_overall.add(overall.powi(3), y);
        for (mean, weight) in soft.iter_mut().zip(kernels(&like)) {
            mean.add(weight, y);
        }
        for (best, value) in nearest.iter_mut().zip(by) {
            best.see(good, value);
        }
        three.see(overall.max(f32::MIN_POSITIVE), y);
        if like.same_edit {
            same_good += u32::from(good);
            same_bad += u32::from(!good);
        }
        if good {
            covers = covers.max(of_one);
            in_good = in_good.max(of_candidate);
        }
        if let Some(mean) = sizes.get_mut(usize::from(good)) {
            mean.add(1.0, one.log_length);
        }
    }

    let count = past.len() as f32;
    let of = count.max(1.0);
    let bad = here.n - here.mitigated;
    let [tokens, trigrams, regions, lines, files] = nearest;
    let [s_tokens, s_trigrams, s_regions, s_lines, s_files] = spreads;
    let [size_bad, size_good] = sizes.map(|mean| {
        if mean.weight > 0.0 {
            size - mean.mean()
        } else {
            0.0
        }
    });
    let Three([(near, near_good), (_, second), (_, third)]) = three;
    let of_three = here.n.min(3) as f32;
    let rate = here.rate(prior, 4.0);
    let ease = beyond / (here.n as f32 + 2.0);
    let skill = background.skill();
    let Three([(top_1, _), (top_2, _), (top_3, _)]) = top;
    let [g_tokens, b_tokens, m_tokens] = tokens.three();
    let [g_trigrams, b_trigrams, m_trigrams] = trigrams.three();
    let [g_regions, b_regions, m_regions] = regions.three();
    let [
        soft_4,
        soft_6,
        soft_10,
        soft_tri,
        soft_line,
        soft_region,
        soft_file,
        soft_all,
    ] = soft.map(Weighted::mean);
    [
        prior_all,
        prior,
        count.min(10.0),
        here.n.min(10) as f32,
        here.mitigated.min(6) as f32,
        bad.min(12) as f32,
        here.rate(prior, 1.0),
        rate,
        near_tokens.drawn(prior, 0.3),
        near_overall.drawn(prior, 0.4),
        soft_4,
        soft_6,
        soft_10,
        soft_tri,
        soft_line,
        soft_region,
        soft_file,
        soft_all,
        g_tokens,
        b_tokens,
        m_tokens,
        g_trigrams,
        b_trigrams,
        m_trigrams,
        g_regions,
        b_regions,
        m_regions,
        lines.good - lines.bad,
        files.good,
        files.bad,
        if here.n > 0 { near_good } else { -1.0 },
        near,
        (near_good + second + third + prior) / (of_three + 1.0),
        same_good.min(3) as f32,
        same_bad.min(5) as f32,
        covers,
        in_good,
        size_good.abs(),
        size_bad,
        s_tokens.sum / of,
        s_tokens.max,
        (top_1 + top_2 + top_3) / count.clamp(1.0, 3.0),
        close_tokens as f32 / of,
        s_regions.sum / of,
        s_regions.max,
        close_regions as f32 / of,
        s_trigrams.sum / of,
        s_trigrams.max,
        s_files.sum / of,
        s_lines.max,
        same.min(5) as f32,
        others.len().min(4) as f32,
        1.0 - known_part,
        if past.is_empty() {
            0.0
        } else {
            size - all_sizes / of
        },
        background.of_generator(),
        background.expected(),
        generator_here.rate(rate, 1.5),
        generator_known.min(3) as f32,
        ease,
        skill,
        background.expected() + ease,
        here.rate(prior, 2.0) + skill,
    ]
}

/// Returns the logarithm of a patch's length in tokens.
pub(super) fn log_length(sketch: &Sketch) -> f32 {
    (1.0 + sketch.length as f32).ln()
}

/// Returns how much a precedent counts, the more alike the more: e to the 4, 6 and 10 times how alike tokens are,
/// 6 times trigrams, 6 times lines, 4 times regions, 3 times files, and to all of them together.
fn kernels(like: &Likeness) -> [f32; 8] {
    // Powers of five, because each costs as much as comparing a set.
    let by_tokens = (2.0 * like.tokens).exp();
    let by_trigrams = (3.0 * like.trigrams).exp();
    let by_regions = (2.0 * like.regions).exp();
    let by_files = like.files.exp();
    let by_tokens_4 = by_tokens * by_tokens;
    let by_tokens_6 = by_tokens_4 * by_tokens;
    [
        by_tokens_4,
        by_tokens_6,
        by_tokens_6 * by_tokens_4,
        by_trigrams * by_trigrams,
        (6.0 * like.lines).exp(),
        by_regions * by_regions,
        by_files * by_files * by_files,
        by_tokens_4 * by_trigrams * by_regions * by_files,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::features::Language;
    use crate::judge::precedent::{Candidate, Casebook};

    #[test]
    fn a_name_taken_away_leaves_what_a_stranger_would_have() {
        let mut book = Casebook::default();
        let mut sketch = Sketch::default();
        sketch.tokens.insert(0x1234_5678_9abc_def0);
        for n in 0..20_u8 {
            let candidate = Candidate {
                sketch: sketch.clone(),
                language: Language::C,
                generator: Some(u64::from(n % 2)),
                mitigated: Some(n % 3 == 0),
            };
            book.learn(&format!("CVE-{}", n % 4), [n; 32], candidate);
        }
        let of = |generator| book.recall("CVE-1", &[99; 32], &sketch, Language::C, generator);
        let (named, stranger) = (of(Some(1)), of(Some(7)));
        assert_ne!(named, stranger);
        let unnamed = without_generator(&named);
        for ((name, _), (a, b)) in NAMES.iter().zip(unnamed.iter().zip(&stranger)) {
            // How many other makers made the same edit is true of this one, whoever it is.
            assert!(
                (a - b).abs() < 1e-6 || *name == "same_of_others",
                "{name}: {a} {b}"
            );
        }
        for (at, name) in [
            (at::PRIOR, "prior"),
            (at::RATE, "rate"),
            (at::EASE, "ease"),
            (at::GENERATOR_RATE, "generator_rate"),
            (at::GENERATOR_SKILL, "generator_skill"),
            (at::GENERATOR_SKILLED_HERE, "generator_skilled_here"),
        ] {
            assert_eq!(NAMES[at].0, name);
        }
    }
}
