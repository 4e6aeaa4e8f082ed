//! The attacks of both phases: which is tried when, how often, and with what.

use std::time::Duration;

use super::{Ending, Game, Tried};
use crate::arena::attempt::Attempt;
use crate::arena::report::{Outcome, Phase, RunReport};
use crate::arena::target::Tree;
use crate::exploit::{Condition, Drawn, Variant};

/// How often each variant is tried on the patched tree.
const ROUNDS: usize = 3;
/// How often it may be tried on the vulnerable tree until it works.
const TRIES: usize = 3;
/// How long evidence is waited for after an attack: at least, and so much more as is drawn.
const LINGER_MS: (u64, u64) = (10, 50);
/// The same for the one attack of a phase that is looked at for longer; a patch cannot know which that is.
const LONG_LINGER_MS: (u64, u64) = (1_200, 1_300);

impl Game<'_> {
    /// Returns things in an order that is drawn.
    pub(super) fn shuffled<'t, T>(
        &self,
        things: &'t [T],
        label: impl Fn(&T) -> String,
    ) -> Vec<&'t T> {
        let mut all: Vec<&T> = things.iter().collect();
        all.sort_by_key(|thing| {
            let drawn = self
                .exploit
                .draw(&self.seed, &["order/", &label(thing)].concat());
            drawn.canary().to_owned()
        });
        all
    }

    /// Returns how long to wait for evidence that comes late.
    fn linger(&self, label: &str, is_long: bool) -> Duration {
        let drawn = self.exploit.draw(&self.seed, &["linger/", label].concat());
        let random = u64::from_str_radix(drawn.canary().get(..8).unwrap_or("0"), 16).unwrap_or(0);
        let (least, more) = if is_long { LONG_LINGER_MS } else { LINGER_MS };
        Duration::from_millis(least + random % more)
    }

    fn attack_as<'p>(&'p self, variant: &'p Variant, linger: Duration) -> Attempt<'p> {
        let attack = &self.exploit.attack;
        Attempt {
            means: &attack.means,
            variant,
            condition: attack.matchers_condition,
            matchers: &attack.matchers,
            complete: attack.complete.as_ref(),
            steps: Condition::Or,
            linger: Some(linger),
        }
    }

    /// Runs every variant of the attack on the vulnerable tree, until it works or has failed too often.
    pub(super) fn attack_vulnerable(
        &mut self,
        tree: &Tree,
        progress: &mut dyn FnMut(&str) -> Result<(), Ending>,
    ) -> Result<Vec<Tried>, Ending> {
        let exploit = self.exploit;
        let mut all = Vec::new();
        for variant in self.shuffled(&exploit.attack.variants, |one| one.name.clone()) {
            progress(&variant.name)?;
            for nth in 0..TRIES {
                let label = format!("phase1/{}/{nth}", variant.name);
                let drawn = exploit.draw(&self.seed, &label);
                let tried = self.attempt(
                    Phase::Phase1,
                    tree,
                    variant,
                    &drawn,
                    self.linger(&label, false),
                )?;
                let works = tried.outcome == Outcome::Exploited;
                if works || nth + 1 == TRIES {
                    all.push(tried);
                }
                if works {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Runs every variant of the attack on the patched tree, in rounds, until it works.
    pub(super) fn attack_patched(
        &mut self,
        tree: &Tree,
        progress: &mut dyn FnMut(&str) -> Result<(), Ending>,
    ) -> Result<Vec<Tried>, Ending> {
        let exploit = self.exploit;
        let mut all = Vec::new();
        let variants = self.shuffled(&exploit.attack.variants, |one| format!("2/{}", one.name));
        let looked_at = variants.first().map(|one| one.name.clone());
        for variant in variants {
            progress(&variant.name)?;
            let first = format!("phase2/{}", variant.name);
            let mut last: Option<Tried> = None;
            for round in 0..ROUNDS {
                let label = format!("{first}/{round}");
                let drawn = match round {
                    // The same attack in other surroundings.
                    1 => exploit.draw_in(&self.seed, &first, &label),
                    0 => exploit.draw(&self.seed, &first),
                    _ => exploit.draw(&self.seed, &label),
                };
                let is_long = round == 1 && looked_at.as_ref() == Some(&variant.name);
                let linger = self.linger(&label, is_long);
                let mut tried = self.attempt(Phase::Phase2, tree, variant, &drawn, linger)?;
                if round == 1 && tried.outcome == Outcome::Exploited {
                    tried.outcome = Outcome::Blocked;
                    tried.tampered =
                        Some("it is blocked in some surroundings and works in others".to_owned());
                }
                let marks = last.as_ref().map_or(0, |last| last.marks);
                tried.marks = tried.marks.max(marks);
                // Only what is blocked has to be blocked again.
                let is_settled = tried.outcome != Outcome::Blocked || tried.tampered.is_some();
                last = Some(tried);
                if is_settled {
                    break;
                }
            }
            all.extend(last);
        }
        Ok(all)
    }

    /// Runs one variant of the attack once.
    fn attempt(
        &mut self,
        phase: Phase,
        tree: &Tree,
        variant: &Variant,
        drawn: &Drawn,
        linger: Duration,
    ) -> Result<Tried, Ending> {
        let kept = self.kept(phase, &variant.name);
        let place = self.place(tree, kept.as_deref());
        let seen = place.attempt(&self.attack_as(variant, linger), drawn)?;
        let outcome = if seen.found {
            Outcome::Exploited
        } else if seen.complete {
            Outcome::Blocked
        } else {
            Outcome::Inconclusive
        };
        let strength = seen.strength.filter(|_| seen.found);
        let means = &self.exploit.attack.means;
        let run = RunReport::of(phase, &variant.name, means, outcome, strength, &seen.ran);
        self.runs.push(run);
        Ok(Tried {
            variant: variant.name.clone(),
            outcome,
            marks: seen.marks,
            tampered: seen.tampered.filter(|_| outcome == Outcome::Blocked),
            watched: seen.watched,
        })
    }
}
