//! `crisol validate`: a stream of patch events in, outcomes out, without any server.

mod outcomes;
mod summary;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;
use prometheus::Registry;

use crate::cli::input::{Lines, Source, cannot_read, open};
use crate::cli::{Exit, Failure, facts, logging, models, progress, sources};
use crate::memory::{ExactMemory, MemoryMetrics};
use crate::pipeline::Pipeline;
use crate::role::Settings;
use crate::role::process::{catalogue, wall_clock_ms};

use outcomes::Portion;
use summary::Summary;

/// Options of `validate`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ValidateArgs {
    /// Patch events or validation requests, one a line; standard input without it, or for `-`.
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    events: PathBuf,
    /// What is known of the CVEs: one APV object, an array of them, or one a line.
    #[arg(long, value_name = "FILE")]
    apv: PathBuf,
    /// Settings and evidence: `{"key": "auto_approve", "value": true}` a line, keys as of `control set`.
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// A checkout of what all patches are of: bumps are judged on its whole files. No link is followed.
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// Where outcomes go; standard output without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
One line comes out for each line that goes in, in order, an empty line included:
  {\"line\": 1, \"disposition\": \"queued\", \"reason\": \"no_exploit\",
   \"topic\": \"hitl\", \"key\": \"...\", \"event\": {...}}
A line that is no patch has \"message\" and \"digest\" in place of \"event\".

Exit codes: 0 every line has its outcome, dead ones included, 64 the command line or a file
is wrong, 69 outcomes cannot be written.";

pub(super) fn validate(
    args: &ValidateArgs,
    settings: &Settings,
    as_json: bool,
) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let source = Source::of(&args.events);
    let known = facts::read(settings, &args.apv, args.control.as_deref())?;
    let pipeline = Pipeline::new(
        Arc::new(known.tables),
        settings.judging.clone(),
        settings.limits.clone(),
        settings.diff.clone(),
        settings.risk.clone(),
        wall_clock_ms,
    )
    .with_models(models(settings)?)
    .with_exploits(Arc::new(catalogue(settings)))
    .with_sources(sources(settings, args.tree.as_deref())?);
    let metrics = MemoryMetrics::register(&Registry::new()).map_err(internal)?;
    let memory = ExactMemory::in_process(&settings.memory, metrics);
    let pipeline = pipeline.with_memory(Arc::new(memory));
    let (input, bar): (Box<dyn BufRead>, ProgressBar) = match &source {
        Source::Stdin => (Box::new(std::io::stdin().lock()), ProgressBar::hidden()),
        Source::File(path) => {
            let file = open(path)?;
            let bar = bar(&file, args.out.is_some());
            (Box::new(BufReader::new(bar.wrap_read(file))), bar)
        }
    };
    let mut out = Outcomes::create(args.out.as_deref(), &source)?;
    let mut lines = Lines::new(input, settings.limits.max_record_bytes);
    let mut summary = Summary::default();
    let topic: Arc<str> = Arc::from(source.name());
    let path = match &source {
        Source::Stdin => Path::new("standard input"),
        Source::File(path) => path,
    };
    while let Some(portion) =
        Portion::read(&mut lines).map_err(|error| cannot_read(path, &error))?
    {
        for outcome in portion.judge(&pipeline, &topic, settings.limits.max_record_bytes)? {
            summary.count(outcome.disposition, outcome.reason);
            out.write(&outcome.line)?;
        }
    }
    out.flush()?;
    bar.finish_and_clear();
    summary.print(as_json)?;
    Ok(Exit::Done)
}

fn internal(error: prometheus::Error) -> Failure {
    Failure::new(Exit::Internal, error)
}

/// A bar over the bytes of a file, where somebody looks and outcomes do not scroll past it.
fn bar(file: &File, elsewhere: bool) -> ProgressBar {
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    if std::io::stdout().is_terminal() && !elsewhere {
        return ProgressBar::hidden();
    }
    progress::bar(bytes, "{bar:30} {bytes} of {total_bytes}, {eta} left")
}

/// Where outcomes are written.
struct Outcomes {
    to: BufWriter<Box<dyn Write>>,
    name: String,
}

impl Outcomes {
    fn create(path: Option<&Path>, input: &Source) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self {
                to: BufWriter::new(Box::new(std::io::stdout().lock())),
                name: "standard output".to_owned(),
            });
        };
        if let Source::File(events) = input
            && let (Ok(one), Ok(other)) = (events.canonicalize(), path.canonicalize())
            && one == other
        {
            let problem = format!(
                "--out {}: is the input; outcomes need a file of their own",
                path.display()
            );
            return Err(Failure::new(Exit::Usage, problem));
        }
        let file = File::create(path).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
        Ok(Self {
            to: BufWriter::new(Box::new(file)),
            name: path.display().to_string(),
        })
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        let written = self
            .to
            .write_all(line)
            .and_then(|()| self.to.write_all(b"\n"));
        written.map_err(|error| self.failed(&error))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            Exit::Unavailable,
            format!(
                "cannot write to {}: {error}; not every line has its outcome there",
                self.name
            ),
        )
    }
}
