//! One run of an attack or a benign check, and what was seen of it from outside.

mod service;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tracing::warn;

use super::answer::Answer;
use super::client::{ANSWERS, ANSWERS_PATH, LATE};
use super::evidence::{Watch, limited};
use super::guard::{Guard, Watched};
use super::relay;
use super::sandbox::{ArenaError, Ended, Ran, Run, Sandbox, Work};
use super::target::Tree;
use crate::exploit::{
    Complete, Condition, Drawn, Exploit, Kind, Matcher, MatcherKind, Means, Observed, Service,
    Step, Strength, Variant,
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
    /// For an attack, how long its evidence is waited for after its end; a benign check leaves none.
    pub(super) linger: Option<Duration>,
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
    /// Whether it took all the time that it had: the run, or the service for an answer.
    pub(super) hangs: bool,
    /// How often it said that it was delivered.
    pub(super) marks: usize,
    /// Why there could have been no evidence, where there was none.
    pub(super) tampered: Option<String>,
    /// What the guard saw of an attack in one process with its library.
    pub(super) watched: Option<Watched>,
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

/// What a run left behind.
struct Left {
    ran: Ran,
    /// What evidence beside its answers is worth, if there is any.
    evidence: Option<Option<Strength>>,
    tampered: Option<String>,
    watched: Option<Watched>,
    /// Whether the service ended by itself, though nothing was asked of it any more.
    is_gone: bool,
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
        let mut fixtures = self.exploit.fixtures(drawn);
        let mut line = line.to_owned();
        if let Some(service) = &self.exploit.service {
            fixtures.insert(ANSWERS_PATH.to_owned(), ANSWERS.to_owned());
            if let Some(beside) = &service.beside {
                let places: Vec<String> = beside.ready.iter().map(|at| drawn.fill(at)).collect();
                fixtures.insert(WAIT_PATH.to_owned(), WAIT.to_owned());
                line = format!(
                    "{{ {}\n}} >/tmp/beside.log 2>&1 &\n/usr/bin/python3 -I {WAIT_PATH} {} || exit 70\n{line}",
                    drawn.fill(&beside.start),
                    places.join(" ")
                );
            }
        }
        let left = self.run(attempt, &line, drawn, &fixtures)?;
        let ran = left.ran;
        let (complete, marks) = match attempt.complete {
            Some(complete) => (is_complete(complete, &ran), marks(complete, &ran)),
            None => (matches!(ran.ended, Ended::Exited(_)), 0),
        };
        Ok(Seen {
            found: left.evidence.is_some(),
            strength: left.evidence.flatten(),
            complete,
            hangs: hangs(&ran, self.exploit),
            marks,
            tampered: left.tampered,
            watched: left.watched,
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
        let requests = relay::requests(steps, attempt.variant, drawn);
        if let Some(service) = &self.exploit.service {
            let port = port_of(service, drawn);
            let plan = relay::plan(service, port, &requests, drawn, self.exploit.limits);
            fixtures.insert(relay::PLAN_PATH.to_owned(), plan);
        }
        fixtures.insert(relay::SCRIPT_PATH.to_owned(), relay::SCRIPT.to_owned());
        fixtures.insert(ANSWERS_PATH.to_owned(), ANSWERS.to_owned());
        let left = self.run(attempt, relay::LINE, drawn, &fixtures)?;
        let (ran, beside) = (left.ran, left.evidence);
        let exchange = relay::exchange(&ran.stdout, &requests, drawn.canary());
        let answers = exchange.answers.iter().map(Option::as_ref);
        let answers = answers.chain(std::iter::repeat(None));
        let each: Vec<Option<Option<Strength>>> = steps
            .iter()
            .zip(answers)
            .filter(|(step, _)| !step.matchers.is_empty())
            .map(|(step, answer)| answered(step, answer?, drawn))
            .collect();
        let of_steps = attempt.steps.holds(each.iter().map(Option::is_some));
        let gives_away = attempt.linger.is_some() && exchange.gives_away;
        let found = match attempt.steps {
            Condition::Or => of_steps || beside.is_some() || gives_away,
            Condition::And => of_steps && (attempt.matchers.is_empty() || beside.is_some()),
        };
        let strengths = each.into_iter().flatten().flatten();
        let service = self.exploit.service.as_ref();
        let must_live = service.is_some_and(|service| service.alive_after);
        Ok(Seen {
            found,
            strength: strengths
                .chain(beside.flatten())
                .chain(gives_away.then_some(Strength::Outside))
                .max(),
            // One that the attack ends has blocked nothing, also where it ends a moment after its answer.
            complete: exchange.is_complete
                && ran.ended == Ended::Exited(0)
                && !(must_live && left.is_gone),
            hangs: exchange.is_late || ran.ended == Ended::TimedOut,
            marks: 0,
            tampered: left.tampered,
            watched: left.watched,
            ran,
        })
    }

    /// Runs a line, beside its service if it has one, and looks for evidence: after its end, once more after a while,
    /// and at last when nothing runs any more.
    fn run(
        &self,
        attempt: &Attempt<'_>,
        line: &str,
        drawn: &Drawn,
        fixtures: &BTreeMap<String, String>,
    ) -> Result<Left, ArenaError> {
        let exploit = self.exploit;
        let mut reads = vec![(self.case.to_owned(), "/case")];
        if exploit.service.is_none() {
            reads.push((self.tree.directory.clone(), "/target"));
        }
        let guard = self.is_guarded(attempt).then(Guard::new);
        let mut environment = self.environment(attempt.variant, drawn);
        let mut fixtures = fixtures.clone();
        if let Some(guard) = &guard {
            guard.add(exploit.target.runtime, &mut fixtures, &mut environment);
        }
        let run = Run {
            line,
            environment,
            reads,
            fixtures: &fixtures,
            limits: exploit.limits,
        };
        let own = exploit.fixtures(drawn);
        let waits = matches!(attempt.means, Means::Http(_));
        let start = exploit
            .service
            .as_ref()
            .map(|service| drawn.fill(&service.start));
        let service = exploit.service.as_ref().zip(start.as_deref());
        let service = service.map(|(service, start)| {
            self.service(service, start, attempt.variant, waits, drawn, &own)
        });
        let mut session = self.sandbox.start(&run, service.as_ref())?;
        let places = match attempt.linger {
            Some(_) => places(attempt.matchers, drawn),
            None => Vec::new(),
        };
        let watch = Watch::begin(session.work(), places);
        let ran = session.finish()?;
        let look = |work: &Work| match attempt.matchers.is_empty() {
            true => None,
            false => look(&observed(&ran, drawn), work, attempt),
        };
        let mut evidence = look(session.work());
        let mut limits = None;
        let mut is_gone = false;
        if let Some(linger) = attempt.linger
            && evidence.is_none()
            && service.is_some()
        {
            limits = limited(&session.processes());
            thread::sleep(linger);
            is_gone = session.service_has_ended();
        }
        session.end_service();
        if service.is_some() {
            evidence = evidence.or_else(|| look(session.work()));
        }
        let tampered = match evidence {
            None => watch.tampering(session.work()).or(limits),
            Some(_) => None,
        };
        let watched = guard.and_then(|guard| guard.watched(session.work()));
        if let Some(keep) = self.keep
            && let Err(error) = session.work().copy_to(keep)
        {
            warn!(%error, to = %keep.display(), "what a run left behind cannot be kept");
        }
        self.sandbox.leave(session);
        Ok(Left {
            ran,
            evidence,
            tampered,
            watched,
            is_gone,
        })
    }

    /// Whether an attack runs in one process with a library.
    fn is_guarded(&self, attempt: &Attempt<'_>) -> bool {
        let exploit = self.exploit;
        attempt.linger.is_some()
            && exploit.service.is_none()
            && exploit.target.kind == Kind::Library
    }
}

/// Waits until addresses take connections: each as address and port.
const WAIT: &str = "import socket, sys, time
for place in sys.argv[1:]:
    host, _, port = place.rpartition(':')
    for _ in range(500):
        try:
            socket.create_connection((host.strip('[]'), int(port)), 1).close()
            break
        except OSError:
            time.sleep(0.02)
    else:
        sys.exit('not ready: ' + place)
";
const WAIT_PATH: &str = "/crisol/wait.py";

/// Returns the port of a service; one that is none is never ready.
fn port_of(service: &Service, drawn: &Drawn) -> u16 {
    service.ready.tcp.number(drawn).unwrap_or(0)
}

/// Returns where files would be that are evidence.
fn places(matchers: &[Matcher], drawn: &Drawn) -> Vec<String> {
    let files = matchers
        .iter()
        .filter(|matcher| matcher.kind == MatcherKind::File);
    files
        .filter_map(|matcher| Some(drawn.fill(matcher.file()?)))
        .collect()
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

/// Whether a run took all of its time, or its client waited in vain for an answer.
fn hangs(ran: &Ran, exploit: &Exploit) -> bool {
    let is_late = exploit.service.is_some() && ran.ended == Ended::Exited(LATE);
    is_late || ran.ended == Ended::TimedOut
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
