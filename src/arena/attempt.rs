//! One run of an attack or a benign check, and what was seen of it from outside.

use std::collections::BTreeMap;
use std::path::Path;

use tracing::warn;

use super::relay::{self, Answer};
use super::sandbox::{ArenaError, Ended, Ran, Run, Sandbox, Work};
use super::target::Tree;
use crate::exploit::{
    Complete, Condition, Drawn, Exploit, Matcher, Means, Observed, Step, Strength, Variant,
};

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) means: &'a Means,
    pub(super) variant: &'a Variant,
    pub(super) condition: Condition,
    pub(super) matchers: &'a [Matcher],
    /// How a line tells its end, where it must.
    pub(super) complete: Option<&'a Complete>,
    /// Whether every step must see what it looks for, or one is enough.
    pub(super) steps: Condition,
}

/// What was seen of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) ran: Ran,
    /// Whether what was looked for was there.
    pub(super) found: bool,
    /// What that is worth.
    pub(super) strength: Option<Strength>,
    /// Whether it was delivered and came to the end that it must come to.
    pub(super) complete: bool,
    /// How often it said that it was delivered.
    pub(super) marks: usize,
}

/// Where something is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) exploit: &'a Exploit,
    pub(super) case: &'a Path,
    pub(super) tree: &'a Tree,
    /// Where what a run leaves behind is copied to, if anybody wants to look.
    pub(super) keep: Option<&'a Path>,
}

impl Place<'_> {
    /// Tries it once, with what was drawn for it.
    ///
    /// # Errors
    /// [`ArenaError`] if it could not be run at all.
    pub(super) fn attempt(&self, attempt: &Attempt<'_>, drawn: &Drawn) -> Result<Seen, ArenaError> {
        match attempt.means {
            Means::Run(line) => self.line(attempt, line, drawn),
            Means::Http(steps) => self.steps(attempt, steps, drawn),
        }
    }

    fn line(&self, attempt: &Attempt<'_>, line: &str, drawn: &Drawn) -> Result<Seen, ArenaError> {
        let fixtures = &self.exploit.fixtures(drawn);
        let (ran, looked) = self.run(line, attempt.variant, drawn, fixtures, |ran, work| {
            look(&observed(ran, drawn), work, attempt)
        })?;
        let (complete, marks) = match attempt.complete {
            Some(complete) => (is_complete(complete, &ran), marks(complete, &ran)),
            None => (matches!(ran.ended, Ended::Exited(_)), 0),
        };
        Ok(Seen {
            found: looked.is_some(),
            strength: looked.flatten(),
            complete,
            marks,
            ran,
        })
    }

    fn steps(
        &self,
        attempt: &Attempt<'_>,
        steps: &[Step],
        drawn: &Drawn,
    ) -> Result<Seen, ArenaError> {
        let mut fixtures = self.exploit.fixtures(drawn);
        if let Some(service) = &self.exploit.service {
            let limits = self.exploit.limits;
            let plan = relay::plan(service, steps, attempt.variant, drawn, limits);
            fixtures.insert(relay::PLAN_PATH.to_owned(), plan);
        }
        fixtures.insert(relay::SCRIPT_PATH.to_owned(), relay::SCRIPT.to_owned());
        let (ran, beside) = self.run(
            relay::LINE,
            attempt.variant,
            drawn,
            &fixtures,
            |ran, work| {
                if attempt.matchers.is_empty() {
                    return None;
                }
                look(&observed(ran, drawn), work, attempt)
            },
        )?;
        let exchange = relay::exchange(&ran.stdout, steps);
        let answers = exchange.answers.iter().map(Option::as_ref);
        let answers = answers.chain(std::iter::repeat(None));
        let each: Vec<Option<Option<Strength>>> = steps
            .iter()
            .zip(answers)
            .filter(|(step, _)| !step.matchers.is_empty())
            .map(|(step, answer)| answered(step, answer?, drawn))
            .collect();
        let of_steps = attempt.steps.holds(each.iter().map(Option::is_some));
        let found = match attempt.steps {
            Condition::Or => of_steps || beside.is_some(),
            Condition::And => of_steps && (attempt.matchers.is_empty() || beside.is_some()),
        };
        Ok(Seen {
            found,
            strength: each
                .into_iter()
                .flatten()
                .flatten()
                .chain(beside.flatten())
                .max(),
            complete: exchange.is_complete && ran.ended == Ended::Exited(0),
            marks: 0,
            ran,
        })
    }

    fn run<T>(
        &self,
        line: &str,
        variant: &Variant,
        drawn: &Drawn,
        fixtures: &BTreeMap<String, String>,
        look: impl FnOnce(&Ran, &Work) -> T,
    ) -> Result<(Ran, T), ArenaError> {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let run = Run {
            line,
            environment: vec![
                named("CRISOL_CANARY", drawn.canary()),
                named("CRISOL_DRAWN", &drawn.json()),
                named("CRISOL_VARIANT", &variant.name),
                named("NODE_PATH", "/target/node_modules"),
                named("PYTHONPATH", "/target"),
                named("PYTHONDONTWRITEBYTECODE", "1"),
            ],
            reads: vec![
                (self.case.to_owned(), "/case"),
                (self.tree.directory.clone(), "/target"),
            ],
            writes: Vec::new(),
            fixtures,
            limits: self.exploit.limits,
        };
        self.sandbox.run(&run, |ran, work| {
            if let Some(keep) = self.keep
                && let Err(error) = work.copy_to(keep)
            {
                warn!(%error, to = %keep.display(), "what a run left behind cannot be kept");
            }
            look(ran, work)
        })
    }
}

/// Returns what the evidence of a run is worth, if there is any.
fn look(observed: &Observed<'_>, work: &Work, attempt: &Attempt<'_>) -> Option<Option<Strength>> {
    holds(attempt.condition, attempt.matchers, observed, |path| {
        work.file(path)
    })
}

/// Returns what is worth what a step sees in an answer, if it sees what it looks for.
fn answered(step: &Step, answer: &Answer, drawn: &Drawn) -> Option<Option<Strength>> {
    let observed = Observed {
        stdout: &answer.body,
        stderr: &answer.head,
        status: answer.status,
        timed_out: false,
        drawn,
    };
    holds(step.matchers_condition, &step.matchers, &observed, |_| None)
}

fn holds(
    condition: Condition,
    matchers: &[Matcher],
    observed: &Observed<'_>,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Option<Option<Strength>> {
    let each: Vec<(bool, Strength)> = matchers
        .iter()
        .map(|matcher| (matcher.sees(observed, &file), matcher.strength()))
        .collect();
    let seen = each.iter().filter(|(seen, _)| *seen);
    condition
        .holds(each.iter().map(|(seen, _)| *seen))
        .then(|| seen.map(|(_, strength)| *strength).max())
}

/// Whether an attack was delivered and came to the end that it announces.
fn is_complete(complete: &Complete, ran: &Ran) -> bool {
    let said = |wanted: &str| ran.stdout.lines().any(|line| line.trim_end() == wanted);
    let Ended::Exited(status) = ran.ended else {
        return false;
    };
    complete.status.contains(&status) && said(&complete.delivered) && said(&complete.done)
}

fn marks(complete: &Complete, ran: &Ran) -> usize {
    let lines = ran.stdout.lines().map(str::trim_end);
    lines.filter(|line| *line == complete.delivered).count()
}

fn observed<'r>(ran: &'r Ran, drawn: &'r Drawn) -> Observed<'r> {
    Observed {
        stdout: &ran.stdout,
        stderr: &ran.stderr,
        status: match ran.ended {
            Ended::Exited(status) => Some(status),
            Ended::TimedOut | Ended::TooMuchOutput => None,
        },
        timed_out: ran.ended == Ended::TimedOut,
        drawn,
    }
}
