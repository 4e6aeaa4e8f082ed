//! What happens to a request on `wargames`, as one sentence in two halves: the fight, which takes its time, and the
//! conclusion, which looks at everything as it stands then.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use crate::arena::Ring;
use crate::diff::{Diff, DiffLimits, parse};
use crate::event::codec::{CodecError, read_json};
use crate::event::control::Control;
use crate::event::id::{PatchDigest, check_cve_id, check_package, check_patch_id, decision_id};
use crate::event::limits::EventLimits;
use crate::event::patch::{ClaimedPackage, FileBefore, Origin, Patch};
use crate::event::reason::Reason;
use crate::event::record::{Batch, Handled, Record};
use crate::event::timestamp::format_rfc3339;
use crate::event::verdict::WargameVerdict;
use crate::event::wargame::{Unheld, WargameRequest};
use crate::exploit::{Catalogue, Exploit};
use crate::judge::models::Models;
use crate::pipeline::{Clock, PipelineConfig};
use crate::policy::RiskConfig;
use crate::stage::conclude::{Concluding, Contest};
use crate::stage::fight::Fought;
use crate::stage::join::join;
use crate::stage::judge::Judges;
use crate::stage::sources::Sources;
use crate::stage::{self, Refused};
use crate::table::Tables;

/// The longest that the wargame of one case may take, as the breaker counts it.
const LONGEST: Duration = Duration::from_secs(300);

/// Everything a request goes through.
pub struct WargamePipeline {
    parts: WargameParts,
    /// A request holds more than the patch that it is about.
    limits: EventLimits,
}

/// What the pipeline is made of.
pub struct WargameParts {
    /// What it looks things up in.
    pub tables: Arc<Tables>,
    /// What the stages are told.
    pub config: PipelineConfig,
    /// Bounds on a record.
    pub limits: EventLimits,
    /// Bounds on a diff.
    pub diffs: DiffLimits,
    /// Bounds between levels of patch risk.
    pub risk: RiskConfig,
    /// The wall clock; it enters headers alone.
    pub clock: Clock,
    /// Where files of patches are looked up.
    pub sources: Arc<Sources>,
    /// The models in force.
    pub models: Arc<Models>,
    /// What is replayed.
    pub catalogue: Arc<Catalogue>,
    /// Where.
    pub ring: Arc<Ring>,
}

impl WargamePipeline {
    /// Returns the pipeline of these parts.
    pub fn new(parts: WargameParts) -> Self {
        let limits = EventLimits {
            max_record_bytes: parts.config.max_output_bytes,
            ..parts.limits.clone()
        };
        Self { parts, limits }
    }

    /// Returns the tables that the pipeline looks things up in.
    pub fn tables(&self) -> &Arc<Tables> {
        &self.parts.tables
    }

    /// Holds the wargame of a request. `goes_on` is asked before each step and may end it there.
    pub fn fight(&self, record: &Record, goes_on: &dyn Fn() -> bool) -> Fought {
        let Ok(request) = self.decode(record) else {
            // Concluding refuses it.
            return Fought::Unheld(Unheld::Unavailable);
        };
        let exploits: Vec<&Exploit> = request
            .exploits
            .iter()
            .filter_map(|id| self.parts.catalogue.get(id))
            .collect();
        if exploits.is_empty() || exploits.len() < request.exploits.len() {
            warn!(exploits = ?request.exploits, "a wargame asks for exploits that this catalogue does not have");
            return Fought::Unheld(Unheld::Unavailable);
        }
        let now = Instant::now();
        let Ok(permit) = self.parts.ring.breaker().ask(now) else {
            return Fought::Unheld(Unheld::Unavailable);
        };
        let held = catch_unwind(AssertUnwindSafe(|| {
            let arena = match self.parts.ring.arena() {
                Ok(arena) => arena,
                Err(error) => {
                    error!(%error, "no wargame can be held here: people decide");
                    return None;
                }
            };
            let mut reports = Vec::new();
            for exploit in exploits {
                let report = arena
                    .relying_referee()
                    .fight(exploit, &request.diff, &mut |_| {
                        if goes_on() && now.elapsed() < LONGEST {
                            ControlFlow::Continue(())
                        } else {
                            ControlFlow::Break(())
                        }
                    });
                reports.push(report);
            }
            Some(reports)
        }));
        let failed = match &held {
            Ok(Some(reports)) => reports
                .iter()
                .any(|report| report.verdict == WargameVerdict::Error),
            Ok(None) | Err(_) => true,
        };
        if failed && goes_on() {
            permit.failed(Instant::now());
        } else {
            permit.succeeded();
        }
        match held {
            Ok(Some(reports)) => Fought::Held(reports),
            Ok(None) => Fought::Unheld(Unheld::Unavailable),
            Err(_) => {
                error!(cve_id = %request.cve_id, "a wargame panicked");
                Fought::Unheld(Unheld::Unavailable)
            }
        }
    }

    /// Returns the outcome of a request.
    ///
    /// A panic is a defect of Crisol's: the request becomes a dead letter `panicked`.
    pub fn conclude(&self, batch: &Batch, record: &Record, fought: &Fought) -> Handled {
        let concluded = catch_unwind(AssertUnwindSafe(|| self.answer(batch, record, fought)));
        let refused = match concluded {
            Ok(Ok(handled)) => return handled,
            Ok(Err(refused)) => refused,
            Err(_) => Refused {
                reason: Reason::Panicked,
                message: "concluding this wargame panicked".to_owned(),
            },
        };
        error!(
            topic = %batch.topic,
            partition = batch.partition,
            offset = record.offset,
            reason = %refused.reason,
            message = refused.message,
            "request given up"
        );
        let now_ms = (self.parts.clock)();
        stage::dead(
            batch,
            record,
            &refused,
            now_ms,
            self.parts.config.max_output_bytes,
        )
    }

    /// The sentence.
    fn answer(&self, batch: &Batch, record: &Record, fought: &Fought) -> Result<Handled, Refused> {
        let control = self.parts.tables.control_snapshot();
        // Bytes become a request, and the request its patch, or a dead letter.
        let request = self.decode(record)?;
        // The patch meets what is known of its CVE now.
        let patches = [patch_of(&request)];
        let wait = Duration::from_millis(self.parts.config.join_wait_ms);
        let mut joined = join(&patches, &self.parts.tables, wait);
        let [patch] = &patches;
        let patch = patch.as_ref().map_err(Clone::clone)?;
        let diff = self.diff(patch)?;
        let Some(Some(joined)) = joined.pop() else {
            return Err(mismatch("the stages disagree about this request"));
        };
        // It is judged again.
        let picked = self.parts.models.in_force();
        let judges = Judges {
            control: &control,
            risk: &self.parts.risk,
            models: Some(&self.parts.models),
            picked: &picked,
            verdicts: &self.parts.tables.verdicts,
            sources: &self.parts.sources,
        };
        let judged = judges.judge_one(&mut Default::default(), patch, &diff, &joined);
        let known = {
            let book = self.parts.tables.verdicts.read();
            let own = book.of(&patch.cve_id, patch.digest.as_bytes());
            own.and_then(|own| own.mitigated)
        };
        // And policy answers.
        let contest = Contest {
            record,
            request: &request,
            patch,
            diff: &diff,
            joined: &joined,
            judged: &judged,
            fought,
            known,
            by_class: self.is_by_class(&request),
        };
        Ok(self.concluding(&control, &picked).conclude(batch, &contest))
    }

    fn concluding<'a>(
        &'a self,
        control: &'a Control,
        picked: &'a crate::judge::models::Picked,
    ) -> Concluding<'a> {
        Concluding {
            control,
            open_items: &self.parts.tables.open_items,
            models: Some(&self.parts.models),
            picked,
            auto_approve_default: self.parts.config.auto_approve,
            max_output_bytes: self.parts.config.max_output_bytes,
            now: format_rfc3339((self.parts.clock)()),
        }
    }

    fn is_by_class(&self, request: &WargameRequest<'_>) -> bool {
        let mut known = request
            .exploits
            .iter()
            .map(|id| self.parts.catalogue.get(id));
        known.all(|exploit| exploit.is_some_and(|exploit| exploit.info.cve.is_none()))
    }

    fn decode<'r>(&self, record: &'r Record) -> Result<WargameRequest<'r>, Refused> {
        read_json(record.value.as_deref(), &self.limits).map_err(refused)
    }

    fn diff<'p>(&self, patch: &'p Patch<'_>) -> Result<Diff<'p>, Refused> {
        parse(&patch.diff, &self.parts.diffs).map_err(|error| Refused {
            reason: Reason::DiffInvalid,
            message: format!("diff: {}: {error}", error.code()),
        })
    }
}

/// Returns the patch of a request, whose names and digests must be those of its content.
fn patch_of<'r>(request: &'r WargameRequest<'_>) -> Result<Patch<'r>, Refused> {
    check_cve_id(&request.cve_id)
        .and_then(|()| check_patch_id(&request.patch_id))
        .and_then(|()| check_package("package", &request.package))
        .map_err(|error| mismatch(&error.to_string()))?;
    let digest = PatchDigest::of(&request.diff);
    if digest.to_hex() != request.patch_digest {
        return Err(mismatch("patch_digest: is not that of the diff"));
    }
    if decision_id(&request.patch_id, &request.patch_digest) != request.decision_id {
        return Err(mismatch(
            "decision_id: is not that of patch_id and patch_digest",
        ));
    }
    Ok(Patch {
        patch_id: request.patch_id.as_ref().into(),
        cve_id: request.cve_id.as_ref().into(),
        diff: request.diff.as_borrowed(),
        digest,
        strategy: request.facts.strategy.as_deref().map(Into::into),
        generator: request.facts.generator.as_deref().map(Into::into),
        package: request.claimed.as_ref().map(|claim| ClaimedPackage {
            ecosystem: claim.ecosystem,
            name: claim.name.as_ref().into(),
        }),
        embedded: None,
        files: request
            .files
            .iter()
            .map(|file| FileBefore {
                path: file.path.as_ref().into(),
                before: file.before.as_borrowed(),
            })
            .collect(),
        origin: request.origin.as_ref().map(|origin| Origin {
            repository: origin.repository.as_ref().into(),
            commit: origin.commit.as_ref().into(),
        }),
    })
}

fn refused(error: CodecError) -> Refused {
    Refused {
        reason: error.reason(),
        message: error.to_string(),
    }
}

fn mismatch(message: &str) -> Refused {
    Refused {
        reason: Reason::SchemaViolation,
        message: message.to_owned(),
    }
}
