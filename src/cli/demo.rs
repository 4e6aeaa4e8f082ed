//! `crisol demo`: the whole main job on an embedded broker, with real CVEs and sample patches.

mod feed;
mod judged;
mod report;
mod samples;
mod service;

use std::io::IsTerminal;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{Exit, Failure, logging, plan, run};
use crate::event::topic::Topic;
use crate::log::embedded::EmbeddedBroker;
use crate::log::topics::TopicNames;
use crate::role::Settings;
use crate::role::settings::LogConfig;

use feed::Feed;
use judged::Outcomes;
use report::Report;
use samples::Sample;
use service::Service;

/// How many patches are under way at once. The embedded broker drops what its readers have not read
/// when a partition passes 5 MiB or 100,000 records; a portion of samples is a few kilobytes.
const PORTION: usize = 12;
/// How long the service may take to be ready: the embedded broker lets a group wait 3 s for members.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// How long a portion may take to be judged, wargames among it.
const PORTION_LIMIT: Duration = Duration::from_secs(60);
/// How long a second outcome of a patch is listened for after the last first one.
const LINGER: Duration = Duration::from_millis(150);
/// How often something awaited is looked at.
const STEP: Duration = Duration::from_millis(20);
/// How long outcomes wait for their commit: somebody looks on, and there are few.
const COMMIT_INTERVAL_MS: u64 = 20;
/// What warnings alone are called; used unless the log level was set.
const QUIET: &str = "warn";

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DemoArgs {
    /// Keep broker and sidecar up until Ctrl-C, and print how to look in.
    #[arg(long)]
    hold: bool,
}

const AFTER_HELP: &str = "\
Needs no server: the broker is librdkafka's mock cluster, inside this process. It applies no
transactions, so what it shows is the main job, never a proof.

Exit codes: 0 each patch has exactly one outcome, 70 one has none or two.";

pub(super) fn demo(args: &DemoArgs, settings: &Settings, as_json: bool) -> Result<Exit, Failure> {
    let began = Instant::now();
    let plan = plan(settings)?;
    let names = plan.names(&settings.kafka.topic_prefix);
    // Some of the service's readers outlive the role by a moment. The broker ends with the process,
    // so that none of them finds it gone.
    let broker = ManuallyDrop::new(EmbeddedBroker::start(&names).map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("the embedded broker cannot start: {error}"),
        )
    })?);
    let settings = for_demo(settings, &broker)?;
    logging::start(&settings.log)?;
    let stop = run::stop_on_signals()?;
    let samples = samples::patches();
    let progress = Progress::start(samples.len());

    // What is known stands on its topics before anything is judged.
    let feed = Feed::start(&settings.kafka)?;
    feed_facts(&feed, &names)?;
    // The service is ready once its tables have read all of it.
    let service = Service::start(&settings, &plan, &stop)?;
    let mut outcomes = Outcomes::start(&settings.kafka, &names)?;
    wait_until_ready(&service, &stop)?;
    // Patches go in by portions, and outcomes are read back as any consumer would.
    progress.judging();
    for portion in samples.chunks(PORTION) {
        let sent = feed_patches(&feed, &names, portion)?;
        outcomes.expect(portion, sent);
        wait_for_outcomes(&mut outcomes, &service, &stop, &progress)?;
    }
    outcomes.poll_for(LINGER)?;
    let is_whole = outcomes.is_whole();
    let report = Report {
        outcomes: &outcomes,
        took: began.elapsed(),
        sidecar: service.listen(),
        bootstrap: &broker.bootstrap(),
        names: &names,
    };
    progress.clear();
    report.print(as_json, args.hold)?;
    if args.hold {
        while !stop.load(Ordering::Relaxed) && !service.has_ended() {
            std::thread::sleep(STEP);
        }
    }
    let counts = service.stop(&stop)?;
    // While it is held, others may send patches of their own.
    let sent = u64::try_from(samples.len()).unwrap_or(u64::MAX);
    if !is_whole || counts.taken < sent || (counts.taken > sent && !args.hold) {
        let problem = format!(
            "{} patches went in, {} were taken and {} outcomes came out; please report this",
            samples.len(),
            counts.taken,
            outcomes.count()
        );
        return Err(Failure::new(Exit::Internal, problem));
    }
    Ok(Exit::Done)
}

/// Returns the settings of the demo: its own broker, approvals on, a sidecar that finds a port.
fn for_demo(settings: &Settings, broker: &EmbeddedBroker) -> Result<Settings, Failure> {
    let mut settings = settings.clone();
    settings.kafka.brokers = broker.bootstrap();
    // TLS and logins are for other brokers.
    settings.kafka.client.clear();
    settings.judging.auto_approve = true;
    // What is compared would be another one's patches each time.
    settings.ab.enabled = false;
    // Targets of the catalogue's own need no registry.
    settings.exploits.directory.push("range");
    settings.engine.commit_interval_ms = COMMIT_INTERVAL_MS;
    if settings.log.level == LogConfig::default().level {
        settings.log.level = QUIET.to_owned();
    }
    let wanted = settings
        .http
        .address()
        .map_err(|e| Failure::new(Exit::Config, e))?;
    settings.http.listen = free_address(wanted)?.to_string();
    Ok(settings)
}

/// Returns the address if nobody listens there, else one of the same host with a free port.
fn free_address(wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let any_port = SocketAddr::new(wanted.ip(), 0);
    TcpListener::bind(wanted)
        .or_else(|_| TcpListener::bind(any_port))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| {
            Failure::new(
                Exit::Unavailable,
                format!("cannot listen on {}: {error}", wanted.ip()),
            )
        })
}

fn feed_facts(feed: &Feed, names: &TopicNames) -> Result<(), Failure> {
    for (key, value) in samples::vulnerabilities() {
        feed.send(names.of(Topic::Apv), key.as_deref(), value, 0)?;
    }
    for (key, value) in samples::assumed_settings()? {
        feed.send(names.of(Topic::Control), Some(&key), &value, 0)?;
    }
    feed.delivered().map(|_| ())
}

fn feed_patches(
    feed: &Feed,
    names: &TopicNames,
    portion: &[Sample],
) -> Result<Vec<feed::Delivered>, Failure> {
    for (at, sample) in portion.iter().enumerate() {
        feed.send(
            names.of(Topic::Patches),
            sample.cve_id.as_deref(),
            sample.value,
            at,
        )?;
    }
    feed.delivered()
}

fn wait_until_ready(service: &Service, stop: &AtomicBool) -> Result<(), Failure> {
    let deadline = Instant::now() + READY_LIMIT;
    while !service.is_ready() {
        if stop.load(Ordering::Relaxed) || service.has_ended() {
            return Err(interrupted());
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Exit::Unavailable,
                format!(
                    "the service was not ready within {READY_LIMIT:?}; run with LOG_LEVEL=debug to see why"
                ),
            ));
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// Polls until each patch sent so far has an outcome. One that stays without is told by the report.
fn wait_for_outcomes(
    outcomes: &mut Outcomes,
    service: &Service,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<(), Failure> {
    let deadline = Instant::now() + PORTION_LIMIT;
    while outcomes.are_awaited() && Instant::now() < deadline {
        if stop.load(Ordering::Relaxed) || service.has_ended() {
            return Err(interrupted());
        }
        outcomes.poll_for(STEP)?;
        progress.reached(outcomes.count());
    }
    Ok(())
}

fn interrupted() -> Failure {
    Failure::new(
        Exit::Unavailable,
        "stopped before every patch was judged; run with LOG_LEVEL=debug to see why if it was not you",
    )
}

/// A bar on standard error, if that is a terminal.
struct Progress(ProgressBar);

impl Progress {
    fn start(patches: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let length = u64::try_from(patches).ok();
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.set_message("the embedded broker lets the consumer group wait 3 s for further members");
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    fn judging(&self) {
        self.0.disable_steady_tick();
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} patches judged") {
            self.0.set_style(style);
        }
    }

    fn reached(&self, judged: usize) {
        self.0
            .set_position(u64::try_from(judged).unwrap_or(u64::MAX));
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}
