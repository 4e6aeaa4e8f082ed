//! The referee: runs the phases of a wargame and judges them from outside.
//!
//! Apply, build, phase 1 on the vulnerable tree, benign checks before, phase 2 on the patched tree, benign checks
//! after. Each run has a sandbox and a canary of its own, so that nothing of one run can be evidence in another; names,
//! words, ports and the order of runs are drawn anew, so that a patch has nothing to fit to.
//!
//! On the patched tree each variant is tried `limits.repeats` times: with other payloads each time but the second, which
//! has the first one's in other surroundings. What is blocked in one place and works in another is not mended.
//!
//! Runs of a phase take place side by side ([`super::SandboxConfig::runs_at_once`]); phases follow each other.

mod checks;
mod rounds;
mod side_by_side;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use uuid::Uuid;

use super::attempt::Place;
use super::baseline::{self, Baseline, Baselines};
use super::guard::{Watched, meddling};
use super::report::{Outcome, Phase, Report, RunReport, millis};
use super::sandbox::{ArenaError, Ended, Sandbox};
use super::tamper::names_harness;
use super::target::{TargetError, Targets, Tree};
use crate::diff::{Diff, DiffLimits, parse};
use crate::event::codec::printable;
use crate::event::verdict::WargameVerdict;
use crate::exploit::{Exploit, Seed};

/// Runs wargames.
#[derive(Debug, Clone, Copy)]
pub struct Referee<'a> {
    sandbox: &'a Sandbox,
    targets: &'a Targets,
    baselines: Option<&'a Baselines>,
    keep: Option<&'a Path>,
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
    #[error("keep {}: {}", .0.display(), .1)]
    Kept(PathBuf, std::io::Error),
}

/// A wargame under way.
struct Game<'a> {
    referee: Referee<'a>,
    exploit: &'a Exploit,
    /// Where the exploit's files are for the sandbox.
    case: PathBuf,
    runs: Vec<RunReport>,
    targets: Vec<String>,
    build_ms: u64,
    reused: bool,
    /// What a baseline of this game is kept by.
    key: Option<String>,
    /// What everything is drawn from.
    seed: Seed,
    /// Whether both targets are of a registry.
    is_bump: bool,
}

/// Hears what begins; an error ends the wargame there.
type Step<'s> = dyn FnMut(&str) -> Result<(), Ending> + 's;

/// What came of a variant.
struct Tried {
    run: RunReport,
    /// What counts of it: not that of the run where it works only in some surroundings.
    outcome: Outcome,
    /// Whether it took all the time that it had.
    hangs: bool,
    marks: usize,
    /// How the patch kept evidence from coming to be, or told surroundings apart.
    tampered: Option<String>,
    /// What the guard saw in the last run.
    watched: Option<Watched>,
}

impl Tried {
    fn variant(&self) -> &str {
        &self.run.name
    }

    /// Whether the attack was kept from its aim, by fair means as far as is known.
    fn is_blocked(&self) -> bool {
        self.outcome == Outcome::Blocked && self.tampered.is_none()
    }
}

/// What an exploit does to its vulnerable target.
struct Shown {
    /// A variant that does not work there, if another does.
    silent: Option<String>,
    /// How often each variant said that it was delivered.
    marks: BTreeMap<String, usize>,
    /// What the guard saw of each variant.
    watched: BTreeMap<String, Watched>,
}

/// A verdict with what there is to say of it.
type Found = (WargameVerdict, Option<String>);

impl<'a> Referee<'a> {
    /// Returns one who has everything shown to him.
    pub fn new(sandbox: &'a Sandbox, targets: &'a Targets) -> Self {
        Self {
            sandbox,
            targets,
            baselines: None,
            keep: None,
        }
    }

    /// Returns one who copies what each run leaves behind, and both trees, to a directory.
    #[must_use]
    pub fn keeping(self, keep: &'a Path) -> Self {
        Self {
            keep: Some(keep),
            ..self
        }
    }

    /// Returns one who relies for a while on what an exploit was seen to do to its vulnerable target.
    pub(super) fn relying_on(self, baselines: &'a Baselines) -> Self {
        Self {
            baselines: Some(baselines),
            ..self
        }
    }

    /// Tries a patch; `progress` hears what begins, and may end it there as `error`.
    pub fn fight(&self, exploit: &Exploit, patch: &str, progress: &mut Progress<'_>) -> Report {
        let began = Instant::now();
        let mut game = Game {
            referee: *self,
            exploit,
            case: PathBuf::new(),
            runs: Vec::new(),
            targets: Vec::new(),
            build_ms: 0,
            reused: false,
            key: None,
            seed: Seed::new(Uuid::new_v4().into_bytes()),
            is_bump: false,
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
            seed: game.seed.to_string(),
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
        let Referee {
            sandbox, targets, ..
        } = self.referee;
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
            Err(TargetError::Vulnerable(error) | TargetError::Away(error)) => {
                return Ok(told(WargameVerdict::Error, error));
            }
            Err(error @ TargetError::Tampering(_)) => {
                return Ok(told(WargameVerdict::HarnessTampered, error));
            }
            Err(TargetError::Arena(error)) => return Err(error.into()),
        };
        self.is_bump = pair.is_bump;
        self.targets = vec![pair.vulnerable.name.clone(), pair.patched.name.clone()];

        if let Some(keep) = self.referee.keep {
            let copied = pair.copy_to(keep);
            copied.map_err(|error| Ending::Kept(keep.to_owned(), error))?;
        }
        let vulnerable = &pair.vulnerable;
        let baseline = match self.baseline(&vulnerable.name, &mut progress)? {
            Some(known) => known,
            None => match self.shown(vulnerable, &mut progress)? {
                Ok(shown) => shown,
                Err(found) => return Ok(found),
            },
        };
        let silent = baseline.silent.clone();

        progress("phase 2: the attack on the patched target")?;
        let after = self.attack_patched(&pair.patched, &mut progress)?;
        let with = |wanted: Outcome| {
            let found = after.iter().find(|one| one.outcome == wanted);
            found.map(|one| one.variant().to_owned())
        };
        if let Some(variant) = with(Outcome::Exploited) {
            return Ok((WargameVerdict::StillExploitable, Some(variant)));
        }
        progress("benign checks on the patched target")?;
        // A patched target that does not even load makes an attack inconclusive; what broke tells more.
        if let Some(broken) = self.check(Phase::BenignAfter, &pair.patched, &mut progress)? {
            let verdict = match broken.hangs {
                true => WargameVerdict::PatchedHangs,
                false => WargameVerdict::Regression,
            };
            return Ok((verdict, Some(broken.check)));
        }
        if let Some(how) = self.tampering(&diff, &baseline, &after) {
            return Ok((WargameVerdict::HarnessTampered, Some(how)));
        }
        let has_come_to_hang =
            |one: &&Tried| one.hangs && !one.is_blocked() && !self.hung_before(one.variant());
        if let Some(hung) = after.iter().find(has_come_to_hang) {
            return Ok((
                WargameVerdict::PatchedHangs,
                Some(hung.variant().to_owned()),
            ));
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

    /// Returns what an earlier wargame showed of this vulnerable target, and takes its runs over.
    fn baseline(
        &mut self,
        vulnerable: &str,
        progress: &mut Step<'_>,
    ) -> Result<Option<Shown>, Ending> {
        let Some(baselines) = self.referee.baselines else {
            return Ok(None);
        };
        self.key = baseline::key(&self.case, vulnerable).ok();
        let Some(known) = self.key.as_deref().and_then(|key| baselines.get(key)) else {
            return Ok(None);
        };
        progress("phase 1 as it was shown before")?;
        self.reused = true;
        self.runs.clone_from(&known.runs);
        Ok(Some(Shown {
            silent: None,
            marks: known.marks,
            watched: known.watched,
        }))
    }

    /// Has it shown what the exploit does to the vulnerable target, or returns what makes that impossible.
    fn shown(
        &mut self,
        vulnerable: &Tree,
        progress: &mut Step<'_>,
    ) -> Result<Result<Shown, Found>, Ending> {
        progress("phase 1: the attack on the vulnerable target")?;
        let before = self.attack_vulnerable(vulnerable, progress)?;
        let works = |one: &&Tried| one.outcome == Outcome::Exploited;
        let silent = before.iter().find(|one| !works(one));
        let silent = silent.map(|one| one.variant().to_owned());
        if !before.iter().any(|one| works(&one)) {
            return Ok(Err((WargameVerdict::NotReproduced, silent)));
        }
        progress("benign checks on the vulnerable target")?;
        if let Some(broken) = self.check(Phase::BenignBefore, vulnerable, progress)? {
            return Ok(Err((WargameVerdict::BaselineBroken, Some(broken.check))));
        }
        let shown = Shown {
            silent,
            marks: before
                .iter()
                .map(|one| (one.variant().to_owned(), one.marks))
                .collect(),
            watched: before
                .iter()
                .filter_map(|one| Some((one.variant().to_owned(), one.watched.clone()?)))
                .collect(),
        };
        if shown.silent.is_none()
            && let (Some(baselines), Some(key)) = (self.referee.baselines, self.key.take())
        {
            let baseline = Baseline {
                runs: self.runs.clone(),
                marks: shown.marks.clone(),
                watched: shown.watched.clone(),
            };
            baselines.keep(key, baseline);
        }
        Ok(Ok(shown))
    }

    /// Whether a variant took all of its time on the vulnerable target already.
    fn hung_before(&self, variant: &str) -> bool {
        let mut runs = self.runs.iter();
        runs.any(|run| {
            run.phase == Phase::Phase1 && run.name == variant && run.ended == Ended::TimedOut
        })
    }

    /// Returns how a patch meddles with what is to judge it, if it does.
    fn tampering(&self, diff: &Diff<'_>, before: &Shown, after: &[Tried]) -> Option<String> {
        if let Some(name) = names_harness(diff, self.exploit) {
            return Some(format!("the patch names {name}"));
        }
        let more = after.iter().find(|one| {
            let known = before.marks.get(one.variant()).copied();
            one.marks > known.unwrap_or(0)
        });
        let more = more.map(|one| {
            format!(
                "{} reports its delivery more often than before",
                one.variant()
            )
        });
        let told = |one: &Tried| {
            let known = before.watched.get(one.variant());
            // What a registry has of a package is not the patch's doing.
            let meddling = || meddling(known, one.watched.as_ref()).filter(|_| !self.is_bump);
            let how = one.tampered.clone().or_else(meddling)?;
            Some(format!("{}: {how}", one.variant()))
        };
        more.or_else(|| after.iter().find_map(told))
    }

    /// Where a run's work directory is kept, if anybody wants to look.
    fn kept(&self, phase: Phase, name: &str) -> Option<PathBuf> {
        let phase = match phase {
            Phase::Phase1 => "phase1",
            Phase::BenignBefore => "benign_before",
            Phase::Phase2 => "phase2",
            Phase::BenignAfter => "benign_after",
        };
        let name = name.replace('/', "_");
        Some(self.referee.keep?.join(format!("{phase}-{name}")))
    }

    fn place<'p>(&'p self, tree: &'p Tree, keep: Option<&'p Path>) -> Place<'p> {
        Place {
            sandbox: self.referee.sandbox,
            exploit: self.exploit,
            case: &self.case,
            tree,
            keep,
        }
    }
}

fn told(verdict: WargameVerdict, error: impl std::fmt::Display) -> Found {
    (verdict, Some(printable(&error.to_string())))
}
