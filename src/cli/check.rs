//! `crisol check`: one diff against one CVE, answered on the terminal.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::answer::{Answer, Body, may_color, telling};
use crate::cli::facts::{self, nearest};
use crate::cli::input::Source;
use crate::cli::{Exit, Failure, logging, models, output, sources, words};
use crate::event::decision::KnownBy;
use crate::event::id::{PatchDigest, check_cve_id, check_package, check_patch_id};
use crate::event::reason::Disposition;
use crate::event::record::{Batch, Record};
use crate::event::topic::Topic;
use crate::pipeline::Pipeline;
use crate::role::Settings;
use crate::role::process::{catalogue, wall_clock_ms};

/// How many ids are told where the one asked for is not in the file.
const NEAREST: usize = 3;
/// How much of the digest names a patch that nobody named.
const NAME_DIGITS: usize = 16;

/// Options of `check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CheckArgs {
    /// The unified diff; `-` reads standard input.
    #[arg(value_name = "DIFF")]
    diff: PathBuf,
    /// The CVE that the diff claims to remedy.
    #[arg(long, value_name = "ID")]
    cve: String,
    /// What is known of the CVE: one APV object, an array of them, or one a line.
    #[arg(long, value_name = "FILE")]
    apv: PathBuf,
    /// Settings and evidence: `{"key": "auto_approve", "value": true}` a line, keys as of `control set`.
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// A checkout of what the diff is of: bumps are judged on its whole files. No link is followed.
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// The package that the diff is for, where the APV names several.
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The patch's id on the event; made from its digest if absent.
    #[arg(long, value_name = "ID")]
    patch_id: Option<String>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 approved, 1 a person must see it, 2 cannot be taken as a patch,
64 the command line or a file is wrong.

Approvals are off unless AUTO_APPROVE_ENABLED=true or the control file says so.";

pub(super) fn check(args: &CheckArgs, settings: &Settings, as_json: bool) -> Result<Exit, Failure> {
    logging::start(&settings.log)?;
    let usage = |error: crate::event::id::InvalidId| Failure::new(Exit::Usage, error);
    check_cve_id(&args.cve).map_err(usage)?;
    args.package
        .as_deref()
        .map_or(Ok(()), |name| check_package("package", name))
        .map_err(usage)?;
    args.patch_id
        .as_deref()
        .map_or(Ok(()), check_patch_id)
        .map_err(usage)?;
    let source = Source::of(&args.diff);
    let diff = source.read_bounded(settings.limits.max_record_bytes)?;
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
    let record = Record {
        value: Some(event(args, diff)),
        timestamp_ms: wall_clock_ms(),
        ..Record::default()
    };
    let batch = Batch {
        topic: Arc::from(source.name()),
        partition: 0,
        records: vec![record],
    };
    let internal = |problem: String| Failure::new(Exit::Internal, problem);
    let handled = pipeline
        .handle(&batch)
        .pop()
        .ok_or_else(|| internal("the pipeline gave no answer".to_owned()))?;
    let answer = Answer::of_outputs(&handled.outputs).map_err(internal)?;
    if as_json {
        output::json(&to_json(&answer, &handled.outputs))?;
    } else {
        print!("{}", words::tell(&answer, may_color()));
        if let Some(hint) = hint(&answer, args, &known.cves) {
            println!("{hint}");
        }
    }
    Ok(match answer.disposition {
        Disposition::Decided => Exit::Done,
        Disposition::Queued | Disposition::Wargame | Disposition::Compared => Exit::Found,
        Disposition::Dead => Exit::Dead,
    })
}

/// Returns the patch event of the diff. Bytes that are no text cannot stand in an event, so they go
/// in as they are: the codec refuses them and tells where they cease to be text.
fn event(args: &CheckArgs, diff: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(diff) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    let patch_id = args.patch_id.clone().unwrap_or_else(|| {
        let digest = PatchDigest::of(&text).to_hex();
        format!("check:{}", digest.get(..NAME_DIGITS).unwrap_or(&digest))
    });
    json!({
        "patch_id": patch_id,
        "cve_id": args.cve,
        "diff_content": text,
        "package": args.package,
    })
    .to_string()
    .into_bytes()
}

/// Returns the event that would be published; for a letter, what its headers say.
fn to_json(answer: &Answer, outputs: &[crate::event::record::Output]) -> Value {
    telling(outputs)
        .filter(|told| told.topic != Topic::Dlq)
        .and_then(|told| serde_json::from_slice(told.value.as_deref()?).ok())
        .unwrap_or_else(|| answer.to_json())
}

/// Says which ids the file has where it does not have the one asked for.
fn hint(answer: &Answer, args: &CheckArgs, cves: &[String]) -> Option<String> {
    match &answer.body {
        Body::Judged(judged) if judged.facts.known_by == KnownBy::Unknown => {}
        _ => return None,
    }
    let near = nearest(&args.cve, cves, NEAREST).join(", ");
    Some(format!(
        "{} is not in {}; the nearest of its {} {}",
        args.cve,
        args.apv.display(),
        cves.len(),
        if near.is_empty() {
            "records: none".to_owned()
        } else {
            format!("records are {near}")
        },
    ))
}
