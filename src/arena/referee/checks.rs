//! The benign checks of both phases: what worked before the patch must work after it.

use std::collections::BTreeMap;

use super::side_by_side::side_by_side;
use super::{Ending, Game, Step};
use crate::arena::attempt::Attempt;
use crate::arena::report::{Outcome, Phase, RunReport};
use crate::arena::target::Tree;
use crate::exploit::{Benign, Condition, Variant};

/// A benign check that failed.
pub(super) struct Broken {
    pub(super) check: String,
    /// Whether it took all the time that it had.
    pub(super) hangs: bool,
}

impl Game<'_> {
    /// Runs every benign check; returns the first that fails, and of those one that hangs last.
    pub(super) fn check(
        &mut self,
        phase: Phase,
        tree: &Tree,
        progress: &mut Step<'_>,
    ) -> Result<Option<Broken>, Ending> {
        let order = match phase {
            Phase::BenignAfter => "after/",
            _ => "before/",
        };
        let checks = self.shuffled(&self.exploit.benign, |one| [order, &one.id].concat());
        let game = &*self;
        let all = side_by_side(
            self.threads(),
            &checks,
            |check| &check.id,
            progress,
            |check| game.check_once(phase, tree, check, order),
        )?;
        let mut broken: Option<Broken> = None;
        for (check, (run, hangs)) in checks.iter().zip(all) {
            let fails = run.outcome == Outcome::Failed;
            if fails && broken.as_ref().is_none_or(|known| known.hangs && !hangs) {
                broken = Some(Broken {
                    check: check.id.clone(),
                    hangs,
                });
            }
            self.runs.push(run);
        }
        Ok(broken)
    }

    /// Runs a benign check, and once more where it hangs; returns what came of it, and whether it hangs.
    fn check_once(
        &self,
        phase: Phase,
        tree: &Tree,
        check: &Benign,
        order: &str,
    ) -> Result<(RunReport, bool), Ending> {
        let named = Variant {
            name: check.id.clone(),
            values: BTreeMap::new(),
        };
        let attempt = Attempt {
            means: &check.means,
            variant: &named,
            condition: check.matchers_condition,
            matchers: &check.matchers,
            complete: None,
            steps: Condition::And,
            linger: None,
        };
        let kept = self.kept(phase, &check.id);
        let place = self.place(tree, kept.as_deref());
        let tries = |again: &str| {
            let drawn = self
                .exploit
                .draw(&self.seed, &[order, &check.id, again].concat());
            place.attempt(&attempt, &drawn)
        };
        let mut seen = tries("")?;
        if seen.hangs {
            seen = tries("/again")?;
        }
        let passes = seen.found && seen.complete;
        let outcome = match passes {
            true => Outcome::Passed,
            false => Outcome::Failed,
        };
        let run = RunReport::of(phase, &check.id, &check.means, outcome, None, &seen.ran);
        Ok((run, seen.hangs && !passes))
    }
}
