//! The attacks of both phases: which is tried when, how often, and with what.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::side_by_side::side_by_side;
use super::{Ending, Game, Step, Tried};
use crate::arena::attempt::Attempt;
use crate::arena::report::{Outcome, Phase, RunReport};
use crate::arena::target::Tree;
use crate::exploit::{Condition, Drawn, Variant};

/// The round that has the payload of the first one in other surroundings.
const ELSEWHERE: u64 = 1;
/// How long evidence is waited for after an attack: at least, and so much more as is drawn.
const LINGER_MS: (u64, u64) = (10, 50);
/// The same for the one attack of a phase that is looked at for longer; a patch cannot know which that is.
const LONG_LINGER_MS: (u64, u64) = (1_200, 1_300);

/// One round of a variant on the patched tree.
struct Round<'v> {
    round: u64,
    /// Which variant it is, in the order that was drawn.
    nth: usize,
    variant: &'v Variant,
    /// Whether an earlier round has settled what comes of the variant.
    settled: &'v AtomicBool,
    /// Whether it was seen of any variant that trying again does not help.
    in_vain: &'v AtomicBool,
}

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
        step: &mut Step<'_>,
    ) -> Result<Vec<Tried>, Ending> {
        let exploit = self.exploit;
        let variants = self.shuffled(&exploit.attack.variants, |one| one.name.clone());
        let game = &*self;
        let all = side_by_side(
            self.threads(),
            &variants,
            |variant| &variant.name,
            step,
            |variant| game.until_it_works(tree, variant),
        )?;
        let mut last = Vec::new();
        for tries in all {
            self.runs
                .extend(tries.iter().map(|tried| tried.run.clone()));
            last.extend(tries.into_iter().next_back());
        }
        Ok(last)
    }

    /// Tries a variant on the vulnerable tree, until it works or has failed too often.
    fn until_it_works(&self, tree: &Tree, variant: &Variant) -> Result<Vec<Tried>, Ending> {
        let mut tries = Vec::new();
        for nth in 0..self.exploit.limits.repeats {
            let label = format!("phase1/{}/{nth}", variant.name);
            let drawn = self.exploit.draw(&self.seed, &label);
            let linger = self.linger(&label, false);
            let tried = self.attempt(Phase::Phase1, tree, variant, &drawn, linger)?;
            let works = tried.outcome == Outcome::Exploited;
            tries.push(tried);
            if works {
                break;
            }
        }
        Ok(tries)
    }

    /// Runs every variant of the attack on the patched tree, in rounds, until it works.
    ///
    /// All variants have their first round before any has its second, because most patches that are wrong are seen to be
    /// in the first; a round that is under way when an earlier one settles its variant is told, and counts for nothing.
    pub(super) fn attack_patched(
        &mut self,
        tree: &Tree,
        step: &mut Step<'_>,
    ) -> Result<Vec<Tried>, Ending> {
        let exploit = self.exploit;
        let variants = self.shuffled(&exploit.attack.variants, |one| format!("2/{}", one.name));
        let settled: Vec<AtomicBool> = variants.iter().map(|_| AtomicBool::new(false)).collect();
        let in_vain = AtomicBool::new(false);
        let mut rounds = Vec::new();
        for round in 0..exploit.limits.repeats {
            for (nth, (variant, settled)) in variants.iter().zip(&settled).enumerate() {
                rounds.push(Round {
                    round,
                    nth,
                    variant,
                    settled,
                    in_vain: &in_vain,
                });
            }
        }
        let game = &*self;
        let all = side_by_side(
            self.threads(),
            &rounds,
            |round| &round.variant.name,
            step,
            |round| {
                if round.settled.load(Ordering::Acquire) {
                    return Ok(Vec::new());
                }
                let tries = game.round(tree, round)?;
                if tries.last().is_some_and(|tried| !tried.is_blocked()) {
                    round.settled.store(true, Ordering::Release);
                }
                Ok(tries)
            },
        )?;
        let mut last: Vec<Option<Tried>> = Vec::new();
        last.resize_with(variants.len(), || None);
        for (round, tries) in rounds.iter().zip(all) {
            self.runs
                .extend(tries.iter().map(|tried| tried.run.clone()));
            let Some(known) = last.get_mut(round.nth) else {
                continue;
            };
            // Only what is blocked has to be blocked again.
            if known.as_ref().is_some_and(|tried| !tried.is_blocked()) {
                continue;
            }
            for mut tried in tries {
                let marks = known.as_ref().map_or(0, |known| known.marks);
                tried.marks = tried.marks.max(marks);
                *known = Some(tried);
            }
        }
        Ok(last.into_iter().flatten().collect())
    }

    /// Tries a variant on the patched tree, and once more where it came to no end that can be judged: a machine that is
    /// busy elsewhere must not be held against a patch, and a patch that keeps a run from its end does so again.
    fn round(&self, tree: &Tree, round: &Round<'_>) -> Result<Vec<Tried>, Ending> {
        let exploit = self.exploit;
        let Round {
            round,
            nth,
            variant,
            in_vain,
            ..
        } = *round;
        let first = format!("phase2/{}", variant.name);
        let label = format!("{first}/{round}");
        let mut tries = Vec::new();
        for again in ["", "/again"] {
            let place = [&label, again].concat();
            let drawn = match round {
                ELSEWHERE => exploit.draw_in(&self.seed, &first, &place),
                0 if again.is_empty() => exploit.draw(&self.seed, &first),
                _ => exploit.draw(&self.seed, &place),
            };
            let linger = self.linger(&place, round == ELSEWHERE && nth == 0);
            let mut tried = self.attempt(Phase::Phase2, tree, variant, &drawn, linger)?;
            if round == ELSEWHERE && tried.outcome == Outcome::Exploited {
                tried.outcome = Outcome::Blocked;
                tried.tampered =
                    Some("it is blocked in some surroundings and works in others".to_owned());
            }
            let is_judged = tried.outcome != Outcome::Inconclusive;
            tries.push(tried);
            if is_judged || in_vain.load(Ordering::Acquire) {
                break;
            }
            if !again.is_empty() {
                in_vain.store(true, Ordering::Release);
            }
        }
        Ok(tries)
    }

    /// Runs one variant of the attack once.
    fn attempt(
        &self,
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
        Ok(Tried {
            run: RunReport::of(phase, &variant.name, means, outcome, strength, &seen.ran),
            outcome,
            hangs: seen.hangs,
            marks: seen.marks,
            tampered: seen.tampered.filter(|_| outcome == Outcome::Blocked),
            watched: seen.watched,
        })
    }

    /// How many runs take place side by side.
    pub(super) fn threads(&self) -> usize {
        self.referee.sandbox.runs_at_once()
    }
}
