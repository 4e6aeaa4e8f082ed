//! The referee: runs the phases of a wargame and judges them from outside.
//!
//! Apply, build, phase 1 on the vulnerable tree, benign checks before, phase 2 on the patched tree, benign checks
//! after. Each run has a sandbox and a canary of its own, so that nothing of one run can be evidence in another.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use uuid::Uuid;

use super::excerpt::end_of;
use super::sandbox::{ArenaError, Ended, Ran, Run, Sandbox, Work};
use super::target::{TargetError, Targets, Tree};
use crate::diff::{DiffLimits, parse};
use crate::event::codec::printable;
use crate::event::verdict::WargameVerdict;
use crate::exploit::{Exploit, Matcher, Observed, Strength};

/// How much of an output stands in a report, in bytes.
const EXCERPT_BYTES: usize = 400;

/// What a run showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The attack worked.
    Exploited,
    /// It was delivered, came to its end and left no evidence.
    Blocked,
    /// A benign check passed.
    Passed,
    /// A benign check failed.
    Failed,
    /// It came to no end that can be judged.
    Inconclusive,
}

/// When a run took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The attack on the vulnerable tree.
    Phase1,
    /// Benign checks on it.
    BenignBefore,
    /// The attack on the patched tree.
    Phase2,
    /// Benign checks on it.
    BenignAfter,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// When.
    pub phase: Phase,
    /// The variant of the attack, or the benign check.
    pub name: String,
    /// What it showed.
    pub outcome: Outcome,
    /// What the evidence is worth, if there is any.
    pub strength: Option<Strength>,
    /// How it ended.
    pub ended: Ended,
    /// Milliseconds, walls included.
    pub took_ms: u64,
    /// Bounds that it met.
    pub met: Vec<&'static str>,
    /// The end of what it printed, escaped.
    pub stdout: String,
    /// The end of what it printed as errors, escaped.
    pub stderr: String,
}

/// What a wargame found, with its evidence.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The exploit.
    pub exploit: String,
    /// The verdict.
    pub verdict: WargameVerdict,
    /// The variant that still works, the check that broke, or why it came to no end.
    pub detail: Option<String>,
    /// What was built, before and after.
    pub targets: Vec<String>,
    /// What bounded the runs.
    pub bounds: super::cgroup::Bounds,
    /// Milliseconds that building took.
    pub build_ms: u64,
    /// Milliseconds in all.
    pub took_ms: u64,
    /// Whether phase 1 and the checks before it are those of an earlier wargame of the same exploit and target.
    pub reused: bool,
    /// The runs, in order.
    pub runs: Vec<RunReport>,
}

/// Runs wargames.
#[derive(Debug)]
pub struct Referee<'a> {
    /// Where runs take place.
    pub sandbox: &'a Sandbox,
    /// What is attacked.
    pub targets: &'a Targets,
}

/// Hears what begins; a break ends the wargame there.
pub type Progress<'p> = dyn FnMut(&str) -> ControlFlow<()> + 'p;

/// Why a wargame came to no verdict.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error(transparent)]
    Arena(#[from] ArenaError),
    #[error("ended before its end")]
    Stopped,
}

/// A wargame under way.
struct Game<'a> {
    referee: &'a Referee<'a>,
    exploit: &'a Exploit,
    /// Where the exploit's files are for the sandbox.
    case: PathBuf,
    runs: Vec<RunReport>,
    targets: Vec<String>,
    build_ms: u64,
    reused: bool,
}

/// A verdict with what there is to say of it.
type Found = (WargameVerdict, Option<String>);

impl Referee<'_> {
    /// Tries a patch; `progress` hears what begins, and may end it there as `error`.
    pub fn fight(&self, exploit: &Exploit, patch: &str, progress: &mut Progress<'_>) -> Report {
        let began = Instant::now();
        let mut game = Game {
            referee: self,
            exploit,
            case: PathBuf::new(),
            runs: Vec::new(),
            targets: Vec::new(),
            build_ms: 0,
            reused: false,
        };
        let (verdict, detail) = match game.play(patch, progress) {
            Ok(found) => found,
            Err(error) => (WargameVerdict::Error, Some(printable(&error.to_string()))),
        };
        Report {
            exploit: exploit.id.clone(),
            verdict,
            detail,
            targets: game.targets,
            bounds: self.sandbox.bounds(),
            build_ms: game.build_ms,
            took_ms: millis(began.elapsed()),
            reused: game.reused,
            runs: game.runs,
        }
    }
}

impl Game<'_> {
    fn play(&mut self, patch: &str, progress: &mut Progress<'_>) -> Result<Found, Ending> {
        let mut progress = |step: &str| match progress(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Ending::Stopped),
        };
        let limits = DiffLimits::default();
        let diff = match parse(patch, &limits) {
            Ok(diff) => diff,
            Err(error) => return Ok(told(WargameVerdict::ApplyFailed, error)),
        };
        progress("building the vulnerable and the patched target")?;
        let began = Instant::now();
        let Referee { sandbox, targets } = *self.referee;
        let case = match targets.case(self.exploit) {
            Ok(case) => case,
            Err(error) => return Ok(told(WargameVerdict::Error, error)),
        };
        let built = targets.pair(sandbox, self.exploit, &case, &diff, patch);
        self.case = case.directory.clone();
        self.build_ms = millis(began.elapsed());
        let pair = match built {
            Ok(pair) => pair,
            Err(TargetError::Apply(error)) => return Ok(told(WargameVerdict::ApplyFailed, error)),
            Err(TargetError::Patched(error)) => {
                return Ok(told(WargameVerdict::BuildFailed, error));
            }
            Err(TargetError::Vulnerable(error)) => return Ok(told(WargameVerdict::Error, error)),
            Err(TargetError::Arena(error)) => return Err(error.into()),
        };
        self.targets = vec![pair.vulnerable.name.clone(), pair.patched.name.clone()];

        progress("phase 1: the attack on the vulnerable target")?;
        let before = self.attack(Phase::Phase1, &pair.vulnerable, &mut progress)?;
        let silent = before
            .iter()
            .find(|(_, outcome)| *outcome != Outcome::Exploited);
        let silent = silent.map(|(variant, _)| variant.clone());
        if before
            .iter()
            .all(|(_, outcome)| *outcome != Outcome::Exploited)
        {
            return Ok((WargameVerdict::NotReproduced, silent));
        }
        progress("benign checks on the vulnerable target")?;
        if let Some(broken) = self.check(Phase::BenignBefore, &pair.vulnerable, &mut progress)? {
            return Ok((WargameVerdict::BaselineBroken, Some(broken)));
        }
        progress("phase 2: the attack on the patched target")?;
        let after = self.attack(Phase::Phase2, &pair.patched, &mut progress)?;
        let with = |wanted: Outcome| {
            let found = after.iter().find(|(_, outcome)| *outcome == wanted);
            found.map(|(variant, _)| variant.clone())
        };
        if let Some(variant) = with(Outcome::Exploited) {
            return Ok((WargameVerdict::StillExploitable, Some(variant)));
        }
        progress("benign checks on the patched target")?;
        // A patched target that does not even load makes an attack inconclusive; what broke tells more.
        if let Some(broken) = self.check(Phase::BenignAfter, &pair.patched, &mut progress)? {
            return Ok((WargameVerdict::Regression, Some(broken)));
        }
        if let Some(variant) = with(Outcome::Inconclusive) {
            return Ok((WargameVerdict::Inconclusive, Some(variant)));
        }
        // A bump may begin at a version on which a variant does not work yet. What still works on the patched target
        // tells against it all the same; but that all is blocked tells for it only if all worked before.
        if silent.is_some() {
            return Ok((WargameVerdict::NotReproduced, silent));
        }
        Ok((WargameVerdict::Mitigated, None))
    }

    /// Runs every variant of the attack.
    fn attack(
        &mut self,
        phase: Phase,
        tree: &Tree,
        progress: &mut dyn FnMut(&str) -> Result<(), Ending>,
    ) -> Result<Vec<(String, Outcome)>, Ending> {
        let exploit = self.exploit;
        let attack = &exploit.attack;
        let mut all = Vec::new();
        for variant in &attack.variants {
            progress(variant)?;
            let canary = Uuid::new_v4().simple().to_string();
            let (ran, (seen, strength)) = self.run(&attack.run, tree, variant, &canary, {
                |ran, work| {
                    let observed = observed(ran, &canary);
                    let matchers = attack.matchers.iter();
                    let each: Vec<(bool, Strength)> = matchers
                        .map(|one| (one.sees(&observed, |path| work.file(path)), one.strength()))
                        .collect();
                    let seen = each.iter().map(|(seen, _)| *seen);
                    let worth = each.iter().filter(|(seen, _)| *seen);
                    (
                        attack.matchers_condition.holds(seen),
                        worth.map(|(_, strength)| *strength).max(),
                    )
                }
            })?;
            let outcome = if seen {
                Outcome::Exploited
            } else if is_complete(exploit, &ran) {
                Outcome::Blocked
            } else {
                Outcome::Inconclusive
            };
            self.note(phase, variant, outcome, strength.filter(|_| seen), &ran);
            all.push((variant.clone(), outcome));
        }
        Ok(all)
    }

    /// Runs every benign check; returns the first that fails.
    fn check(
        &mut self,
        phase: Phase,
        tree: &Tree,
        progress: &mut dyn FnMut(&str) -> Result<(), Ending>,
    ) -> Result<Option<String>, Ending> {
        let mut broken = None;
        for check in &self.exploit.benign {
            progress(&check.id)?;
            let canary = Uuid::new_v4().simple().to_string();
            let (ran, passes) = self.run(&check.run, tree, &check.id, &canary, |ran, work| {
                let observed = observed(ran, &canary);
                let sees = |matcher: &Matcher| matcher.sees(&observed, |path| work.file(path));
                let ended = matches!(ran.ended, Ended::Exited(_));
                ended
                    && check
                        .matchers_condition
                        .holds(check.matchers.iter().map(sees))
            })?;
            let outcome = if passes {
                Outcome::Passed
            } else {
                broken = broken.or_else(|| Some(check.id.clone()));
                Outcome::Failed
            };
            self.note(phase, &check.id, outcome, None, &ran);
        }
        Ok(broken)
    }

    fn run<T>(
        &self,
        line: &str,
        tree: &Tree,
        variant: &str,
        canary: &str,
        look: impl FnOnce(&Ran, &Work) -> T,
    ) -> Result<(Ran, T), ArenaError> {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let run = Run {
            line,
            environment: vec![
                named("CRISOL_CANARY", canary),
                named("CRISOL_VARIANT", variant),
                named("NODE_PATH", "/target/node_modules"),
                named("PYTHONPATH", "/target"),
                named("PYTHONDONTWRITEBYTECODE", "1"),
            ],
            reads: vec![
                (self.case.clone(), "/case"),
                (tree.directory.clone(), "/target"),
            ],
            writes: Vec::new(),
            fixtures: &self.exploit.target.fixtures,
            limits: self.exploit.limits,
        };
        self.referee.sandbox.run(&run, look)
    }

    fn note(
        &mut self,
        phase: Phase,
        name: &str,
        outcome: Outcome,
        strength: Option<Strength>,
        ran: &Ran,
    ) {
        self.runs.push(RunReport {
            phase,
            name: name.to_owned(),
            outcome,
            strength,
            ended: ran.ended,
            took_ms: millis(ran.took),
            met: ran.met.clone(),
            stdout: end_of(&ran.stdout, EXCERPT_BYTES),
            stderr: end_of(&ran.stderr, EXCERPT_BYTES),
        });
    }
}

/// Whether an attack was delivered and came to the end that it announces.
fn is_complete(exploit: &Exploit, ran: &Ran) -> bool {
    let complete = &exploit.attack.complete;
    let said = |wanted: &str| ran.stdout.lines().any(|line| line.trim_end() == wanted);
    let Ended::Exited(status) = ran.ended else {
        return false;
    };
    complete.status.contains(&status) && said(&complete.delivered) && said(&complete.done)
}

fn observed<'r>(ran: &'r Ran, canary: &'r str) -> Observed<'r> {
    Observed {
        stdout: &ran.stdout,
        stderr: &ran.stderr,
        status: match ran.ended {
            Ended::Exited(status) => Some(status),
            Ended::TimedOut | Ended::TooMuchOutput => None,
        },
        timed_out: ran.ended == Ended::TimedOut,
        canary,
    }
}

fn told(verdict: WargameVerdict, error: impl std::fmt::Display) -> Found {
    (verdict, Some(printable(&error.to_string())))
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
