//! Why the forest said what it said: from an event and its diff, or from a diff alone.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::explain::{bars, svg};
use crate::cli::input::{Source, cannot_read};
use crate::cli::recorded::Recorded;
use crate::cli::{Exit, Failure, output};
use crate::diff::parse;
use crate::event::codec::printable;
use crate::event::decision::ForestRecord;
use crate::event::id::sha256_hex;
use crate::judge::code::Loaded;
use crate::judge::explain::{Reasons, explain};
use crate::judge::row::Row;
use crate::judge::shipped::{read, shipped};
use crate::role::Settings;

/// Where the parts come from.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// An event of hitl or decisions (JSON) to explain, from a file; - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "patch_id")]
    event: Option<PathBuf>,
    /// The diff, where the event does not carry it; alone, a diff of which nothing is known.
    #[arg(long, value_name = "FILE", conflicts_with = "patch_id")]
    diff: Option<PathBuf>,
    /// The model that judged, if it is not the one in force here.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Draw the reasons into this file (SVG).
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Why a patch got its p, and by which model.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    /// The digest of the model's file.
    model: String,
    /// Whether p is the one on the event, to the bit; absent where there is no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_recorded: Option<bool>,
    /// The model approves from here.
    accept: f64,
    /// The model refuses up to here.
    refuse: f64,
    #[serde(flatten)]
    reasons: Reasons,
}

/// What an event of either topic says of a judgement.
struct Told {
    forest: ForestRecord,
    p: f64,
    generator: Option<String>,
    digest: String,
    diff: Option<String>,
}

impl WhyArgs {
    /// Whether a file is asked about, rather than a topic.
    pub(super) fn is_of_files(&self) -> bool {
        self.event.is_some() || self.diff.is_some()
    }

    /// Explains what the files hold.
    pub(super) fn of_files(&self, settings: &Settings, as_json: bool) -> Result<Exit, Failure> {
        let limit = settings.judging.max_output_bytes;
        let diff = match &self.diff {
            Some(path) => Some(text(path, limit)?),
            None => None,
        };
        let why = match (&self.event, diff) {
            (Some(path), diff) => {
                let event = text(path, limit)?;
                let told = told(event.as_bytes(), diff).map_err(|problem| {
                    Failure::new(Exit::Usage, format!("{}: {problem}", path.display()))
                })?;
                self.of_told(settings, &told)?
            }
            (None, Some(diff)) => self.of_stranger(settings, &diff)?,
            (None, None) => {
                return Err(Failure::new(
                    Exit::Usage,
                    "name a patch, or --event or --diff",
                ));
            }
        };
        if as_json {
            output::json(&why)?;
        } else {
            print!("{}", self.words(&why));
        }
        self.draw(&why)?;
        Ok(Exit::Done)
    }

    /// Explains an event of a topic; `None` if no forest judged it.
    pub(super) fn of_event(
        &self,
        settings: &Settings,
        event: &[u8],
    ) -> Result<Option<Why>, String> {
        match told(event, None) {
            Ok(told) => {
                let why = self
                    .of_told(settings, &told)
                    .map_err(|failure| failure.to_string())?;
                self.draw(&why).map_err(|failure| failure.to_string())?;
                Ok(Some(why))
            }
            Err(Untold::NoForest) => Ok(None),
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn of_told(&self, settings: &Settings, told: &Told) -> Result<Why, Failure> {
        let loaded = self.load(settings)?;
        if loaded.digest() != told.forest.model {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "it was judged by the model {}, and this one is {}; name the file of that one with --model",
                    printable(&told.forest.model),
                    loaded.digest()
                ),
            ));
        }
        let usage = |problem: String| Failure::new(Exit::Usage, problem);
        let diff = told.diff.as_deref().ok_or_else(|| {
            usage("the event does not carry the diff; name its file with --diff".to_owned())
        })?;
        if sha256_hex(diff.as_bytes()) != told.digest {
            return Err(usage(
                "the diff is not the one that was judged: its SHA-256 is another".to_owned(),
            ));
        }
        let parsed = parse(diff, &settings.diff).map_err(|error| usage(error.to_string()))?;
        let row = Row::recorded(
            loaded.priors(),
            &parsed,
            &told.forest,
            told.generator.as_deref(),
        )
        .ok_or_else(|| usage("what was recalled is not of this build's columns".to_owned()))?;
        let reasons = explain(&loaded.model().first, row.values());
        Ok(Why {
            model: told.forest.model.clone(),
            as_recorded: Some(reasons.p.to_bits() == told.p.to_bits()),
            accept: told.forest.accept,
            refuse: told.forest.refuse,
            reasons,
        })
    }

    fn of_stranger(&self, settings: &Settings, diff: &str) -> Result<Why, Failure> {
        let loaded = self.load(settings)?;
        let parsed =
            parse(diff, &settings.diff).map_err(|error| Failure::new(Exit::Usage, error))?;
        let look = &loaded.model().first;
        Ok(Why {
            model: loaded.digest().to_owned(),
            as_recorded: None,
            accept: look.accept,
            refuse: look.refuse,
            reasons: explain(look, Row::of_stranger(loaded.priors(), &parsed).values()),
        })
    }

    fn load(&self, settings: &Settings) -> Result<Loaded, Failure> {
        let named = self.model.as_ref().or(settings.model.path.as_ref());
        let loaded = named.map_or_else(shipped, |path| read(path));
        loaded.map_err(|error| Failure::new(Exit::Config, error))
    }

    /// Returns the reasons for a terminal.
    pub(super) fn words(&self, why: &Why) -> String {
        let Why {
            model,
            as_recorded,
            accept,
            refuse,
            reasons,
        } = why;
        let same = match as_recorded {
            Some(true) => ", the same p as on the event, to the bit",
            Some(false) => ", NOT the p that stands on the event",
            None => ", with nothing known of the CVE",
        };
        format!(
            "p = {:.4} by the model {}{same}\n  it approves from {accept} and refuses up to {refuse}\n{}",
            reasons.p,
            model.get(..12).unwrap_or(model),
            bars::drawn(reasons),
        )
    }

    fn draw(&self, why: &Why) -> Result<(), Failure> {
        let Some(path) = &self.svg else {
            return Ok(());
        };
        std::fs::write(path, svg::drawn(&why.reasons)).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("cannot write {}: {error}", path.display()),
            )
        })
    }
}

/// Why an event tells of no forest.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error("no event of hitl or decisions: {0}")]
    Event(serde_json::Error),
    #[error("no forest judged it: its facts say what did")]
    NoForest,
}

fn told(event: &[u8], diff: Option<String>) -> Result<Told, Untold> {
    let recorded = Recorded::read(event).map_err(Untold::Event)?;
    let judgement = recorded.facts.judgement.into_owned();
    let generator = recorded.facts.generator.map(Cow::into_owned);
    let (Some(forest), Some(p)) = (judgement.forest, judgement.p) else {
        return Err(Untold::NoForest);
    };
    Ok(Told {
        forest,
        p,
        generator,
        digest: recorded.digest,
        diff: diff.or(recorded.diff),
    })
}

fn text(path: &Path, limit: usize) -> Result<String, Failure> {
    let bytes = Source::of(path).read_bounded(limit)?;
    String::from_utf8(bytes).map_err(|error| {
        cannot_read(
            path,
            &std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        )
    })
}
