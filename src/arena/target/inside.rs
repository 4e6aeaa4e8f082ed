//! Steps of a build that run foreign code or read foreign files: in the arena, on a bounded file system of their own.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::BuildError;
use crate::arena::excerpt::end_of;
use crate::arena::identity::as_nobody;
use crate::arena::registry::{FORWARD, Findings, Gateway, Registry, SOCKET_INSIDE};
use crate::arena::sandbox::{Ended, Ran, Run, Sandbox, Work};
use crate::arena::trees::{self, Most, Otherwise, TreeError};
use crate::exploit::Limits;

/// The most that is told of what a step printed, in bytes.
const SAID_BYTES: usize = 600;
/// Where a step finds its script, and what hands on what it asks of a registry.
const SCRIPT: &str = "/crisol/steps.sh";
const FORWARDER: &str = "/crisol/forward.py";
const ALONE: &str = "exec /bin/sh /crisol/steps.sh";
const BESIDE_REGISTRY: &str = "exec /usr/bin/python3 -I /crisol/forward.py /crisol/steps.sh";

/// Where something is built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// A directory of this build alone, which belongs to who works on foreign bytes.
    pub(super) scratch: &'a Path,
    pub(super) sandbox: &'a Sandbox,
    pub(super) registry: &'a Arc<Registry>,
}

/// A step: a script, and what it finds.
#[derive(Debug, Clone)]
pub(super) struct Step<'a> {
    /// What it does, for people.
    pub(super) doing: &'a str,
    pub(super) script: &'a str,
    /// Files and directories that it may read: from, and where it sees them.
    pub(super) reads: Vec<(PathBuf, &'a str)>,
    /// Texts that stand at absolute paths.
    pub(super) texts: Vec<(&'a str, String)>,
    pub(super) limits: Limits,
    /// What is taken out in the end: from below its work directory, to where.
    pub(super) takes: (&'a str, &'a Path),
    pub(super) most: Most,
}

impl Step<'_> {
    /// Runs it without any network.
    ///
    /// # Errors
    /// [`BuildError::Refused`] with what it printed, which bound it met, or what it left behind that may not be; or that
    /// the arena failed.
    pub(super) fn alone(&self, site: &Site<'_>) -> Result<(), BuildError> {
        let (ran, taken) = self.run(site, ALONE, None)?;
        if ran.ended == Ended::Exited(0) {
            return taken;
        }
        Err(self.refused(self.said(&ran)))
    }

    /// Runs it beside a registry; returns what came of asking that. No code of a package may run in it.
    ///
    /// # Errors
    /// As for [`Step::alone`]; [`BuildError::Refused`] for what the registry has not or may not be taken, too, and
    /// [`BuildError::Download`] if a registry did not answer.
    pub(super) fn beside_registry(
        &self,
        site: &Site<'_>,
    ) -> Result<Findings, (BuildError, Findings)> {
        let gateway = Gateway::open(site.registry, site.scratch).map_err(|error| {
            let error = BuildError::Io {
                doing: "open a way to the registries".to_owned(),
                error,
            };
            (error, Findings::default())
        })?;
        let ran = self.run(site, BESIDE_REGISTRY, Some(gateway.socket()));
        let found = gateway.findings();
        let result = match ran {
            Err(error) => Err(error),
            Ok((ran, taken)) => self.judged(&ran, taken, &found),
        };
        match result {
            Ok(()) => Ok(found),
            Err(error) => Err((error, found)),
        }
    }

    fn judged(
        &self,
        ran: &Ran,
        taken: Result<(), BuildError>,
        found: &Findings,
    ) -> Result<(), BuildError> {
        // Though it may have been left out as optional: a package that names it is not what it says.
        if let Some(refused) = &found.refused {
            return Err(self.refused(refused.clone()));
        }
        if ran.ended == Ended::Exited(0) {
            return taken;
        }
        let away = |said: String| BuildError::Download {
            doing: self.doing.to_owned(),
            said,
        };
        match (&found.away, ran.ended) {
            (Some(said), _) => Err(away(said.clone())),
            (None, Ended::TimedOut) => Err(away(self.said(ran))),
            (None, _) => Err(self.refused(self.said(ran))),
        }
    }

    fn run(
        &self,
        site: &Site<'_>,
        line: &str,
        socket: Option<&Path>,
    ) -> Result<(Ran, Result<(), BuildError>), BuildError> {
        let mut fixtures = BTreeMap::from([(SCRIPT.to_owned(), self.script.to_owned())]);
        for (path, text) in &self.texts {
            fixtures.insert((*path).to_owned(), text.clone());
        }
        let mut reads = self.reads.clone();
        if let Some(socket) = socket {
            fixtures.insert(FORWARDER.to_owned(), FORWARD.to_owned());
            reads.push((socket.to_owned(), SOCKET_INSIDE));
        }
        let run = Run {
            line,
            environment: Vec::new(),
            reads,
            fixtures: &fixtures,
            limits: self.limits,
        };
        let ran = site.sandbox.run(&run, |ran, work| match ran.ended {
            Ended::Exited(0) => self.take(work),
            _ => Ok(()),
        });
        Ok(ran?)
    }

    /// Copies what the step made out of its work directory.
    fn take(&self, work: &Work) -> Result<(), BuildError> {
        let (from, to) = self.takes;
        let failed = |error| BuildError::Io {
            doing: format!("{}: take its result", self.doing),
            error,
        };
        let opened = match work.open(Path::new(from), OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(opened) => opened,
            Err(error) => return Err(self.refused(format!("it left no {from} behind: {error}"))),
        };
        let copied = as_nobody(|| trees::copy(opened.as_fd(), to, self.most, Otherwise::Fail));
        match copied.map_err(failed)? {
            Ok(()) => Ok(()),
            Err(TreeError::Io { path, error }) => Err(BuildError::Io {
                doing: format!("{}: take {path}", self.doing),
                error,
            }),
            Err(error) => Err(self.refused(error.to_string())),
        }
    }

    fn said(&self, ran: &Ran) -> String {
        match ran.ended {
            Ended::Exited(_) => end_of(ran.stderr.trim(), SAID_BYTES),
            Ended::TimedOut => format!("took longer than {} s", self.limits.time_s),
            Ended::TooMuchOutput => format!("printed more than {} KiB", self.limits.output_kb),
        }
    }

    pub(super) fn refused(&self, said: String) -> BuildError {
        BuildError::Refused {
            doing: self.doing.to_owned(),
            said,
        }
    }
}

/// Returns the script that ends where a command fails, with its files on the work directory.
pub(super) fn script(steps: &str) -> String {
    [
        "set -e\nmkdir /arena/tmp\nexport TMPDIR=/arena/tmp\n",
        steps,
    ]
    .concat()
}
