//! The pipeline: what happens to a batch, as one sentence. It knows no Kafka.

pub mod wargame;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::error;

use crate::diff::DiffLimits;
use crate::event::limits::EventLimits;
use crate::event::reason::Reason;
use crate::event::record::{Batch, Handled, Memo, Record};
use crate::event::timestamp::format_rfc3339;
use crate::exploit::Catalogue;
use crate::judge::code::Loaded;
use crate::judge::models::Models;
use crate::log::client::MAX_OUTPUT_BYTES;
use crate::memory::ExactMemory;
use crate::policy::{AbConfig, Policy, RiskConfig, Sampler};
use crate::stage::judge::Judges;
use crate::stage::recall::{Rules, recall};
use crate::stage::route::{Case, Routing};
use crate::stage::sources::Sources;
use crate::stage::{Refused, decode::decode, join::join, read::read};
use crate::table::Tables;

/// What the stages are told by configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineConfig {
    /// Whether approvals are on where `control` says nothing.
    pub auto_approve: bool,
    /// How long the APV table may take to catch up with a batch, in milliseconds.
    pub join_wait_ms: u64,
    /// The largest record that may be written, in bytes.
    pub max_output_bytes: usize,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            auto_approve: false,
            join_wait_ms: 5_000,
            max_output_bytes: MAX_OUTPUT_BYTES,
        }
    }
}

/// The wall clock, in milliseconds since the epoch; it enters headers alone.
pub type Clock = fn() -> i64;

/// Everything a batch goes through.
pub struct Pipeline {
    tables: Arc<Tables>,
    config: PipelineConfig,
    events: EventLimits,
    diffs: DiffLimits,
    risk: RiskConfig,
    clock: Clock,
    memory: Option<Arc<ExactMemory>>,
    sampling: Option<(Sampler, AbConfig)>,
    models: Option<Arc<Models>>,
    exploits: Option<Arc<Catalogue>>,
    sources: Arc<Sources>,
    rules: [u8; 32],
}

impl Pipeline {
    /// Returns the pipeline over these tables.
    pub fn new(
        tables: Arc<Tables>,
        config: PipelineConfig,
        events: EventLimits,
        diffs: DiffLimits,
        risk: RiskConfig,
        clock: Clock,
    ) -> Self {
        let rules = rules(&diffs, &risk);
        Self {
            tables,
            config,
            events,
            diffs,
            risk,
            clock,
            memory: None,
            sampling: None,
            models: None,
            exploits: None,
            sources: Arc::default(),
            rules,
        }
    }

    /// Returns the pipeline with a memory.
    pub fn with_memory(self, memory: Arc<ExactMemory>) -> Self {
        Self {
            memory: Some(memory),
            ..self
        }
    }

    /// Returns the pipeline with a judge of code.
    pub fn with_models(self, models: Arc<Models>) -> Self {
        Self {
            models: Some(models),
            ..self
        }
    }

    /// Returns the pipeline with exploits that patches can be tried with.
    pub fn with_exploits(self, exploits: Arc<Catalogue>) -> Self {
        Self {
            exploits: Some(exploits),
            ..self
        }
    }

    /// Returns the pipeline with places where files of patches are looked up.
    pub fn with_sources(self, sources: Arc<Sources>) -> Self {
        // Another place, another judgement.
        let mut rules = Sha256::new_with_prefix(self.rules);
        rules.update(sources.rule());
        Self {
            rules: rules.finalize().into(),
            sources,
            ..self
        }
    }

    /// Returns the pipeline with a sample for A/B comparisons, of this size where `control` says nothing.
    pub fn with_sampling(self, sampler: Sampler, default: AbConfig) -> Self {
        Self {
            sampling: Some((sampler, default)),
            ..self
        }
    }

    /// Lets memory keep what it may of outcomes that are committed. Never waits.
    pub fn remember(&self, memos: Vec<Memo>) {
        if let Some(memory) = &self.memory {
            memory.remember(memos);
        }
    }

    /// Returns the tables that the pipeline looks things up in.
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// Returns exactly one outcome for each record of the batch, in order.
    ///
    /// A panic is a defect of Crisol's, not the stream's end: the batch is taken again record by
    /// record, and the one that panics becomes a dead letter `panicked`.
    pub fn handle(&self, batch: &Batch) -> Vec<Handled> {
        if let Ok(handled) = catch_unwind(AssertUnwindSafe(|| self.run(batch, &batch.records))) {
            return handled;
        }
        if let (Some(first), Some(_)) = (batch.records.first(), batch.records.last()) {
            self.tables
                .open_items
                .forget_proposed(batch.partition, first.offset);
        }
        batch
            .records
            .iter()
            .map(|record| {
                let alone = std::slice::from_ref(record);
                catch_unwind(AssertUnwindSafe(|| self.run(batch, alone)))
                    .ok()
                    .and_then(|mut handled| handled.pop())
                    .unwrap_or_else(|| {
                        self.give_up(
                            batch,
                            record,
                            Reason::Panicked,
                            "judging this record panicked",
                        )
                    })
            })
            .collect()
    }

    /// Returns a record as a dead letter without looking at it.
    pub fn give_up(
        &self,
        batch: &Batch,
        record: &Record,
        reason: Reason,
        message: &str,
    ) -> Handled {
        error!(
            topic = %batch.topic,
            partition = batch.partition,
            offset = record.offset,
            %reason,
            "record given up"
        );
        let control = self.tables.control_snapshot();
        let refused = Refused {
            reason,
            message: message.to_owned(),
        };
        self.routing(&control).dead(batch, record, &refused)
    }

    /// The sentence.
    fn run(&self, batch: &Batch, records: &[Record]) -> Vec<Handled> {
        // A batch sees one snapshot of the settings.
        let control = self.tables.control_snapshot();
        // Bytes become patches, or dead letters.
        let patches = decode(records, &self.events);
        // Patches become diffs, or dead letters.
        let diffs = read(&patches, &self.diffs);
        // Each patch meets what is known of its CVE.
        let joined = join(
            &patches,
            &self.tables,
            Duration::from_millis(self.config.join_wait_ms),
        );
        // A batch sees one model.
        let models = self.models.as_deref();
        let picked = models.map(Models::in_force).unwrap_or_default();
        // Memory says what it knows of this very patch.
        let rules = Rules {
            digest: self.rules_with(picked.active.as_deref()),
            policy: Policy::in_force(&control).version,
        };
        let recalled = recall(
            &patches,
            &joined,
            self.memory.as_deref(),
            &self.tables.verdicts,
            &rules,
        );
        // Each case gets its p and its risk.
        let judges = Judges {
            control: &control,
            risk: &self.risk,
            models,
            picked: &picked,
            verdicts: &self.tables.verdicts,
            sources: &self.sources,
        };
        let judged = judges.judge(&patches, &diffs, &joined, &recalled);
        // Policy answers, and events tell of it. One after another: an item that this batch opens
        // stands against the next patch of the same CVE.
        let routing = self.routing(&control);
        let mut handled = Vec::with_capacity(records.len());
        for (((((record, patch), diff), joined), recalled), judged) in records
            .iter()
            .zip(&patches)
            .zip(&diffs)
            .zip(&joined)
            .zip(&recalled)
            .zip(&judged)
        {
            let case = Case {
                record,
                patch,
                diff,
                joined,
                recalled,
                judged,
            };
            let outcome = routing.route(batch, &case);
            handled.push(Handled {
                // What is compared is judged each time it comes.
                memo: (!outcome.ab_sampled)
                    .then(|| self.memo(batch, &case))
                    .flatten(),
                ..outcome
            });
        }
        handled
    }

    /// The digest of what judging goes by in this batch.
    fn rules_with(&self, model: Option<&Loaded>) -> [u8; 32] {
        let Some(model) = model else {
            return self.rules;
        };
        let mut rules = Sha256::new_with_prefix(self.rules);
        rules.update(model.digest());
        rules.finalize().into()
    }

    /// What memory may keep of a case.
    fn memo(&self, batch: &Batch, case: &Case<'_>) -> Option<Memo> {
        let memory = self.memory.as_deref()?;
        let (recalled, judged) = (case.recalled.as_ref()?, case.judged.as_ref()?);
        recalled.memo(memory, judged, batch, case.record)
    }

    fn routing<'a>(&'a self, control: &'a crate::event::control::Control) -> Routing<'a> {
        let now_ms = (self.clock)();
        Routing {
            control,
            open_items: &self.tables.open_items,
            auto_approve_default: self.config.auto_approve,
            sampling: self.sampling.as_ref(),
            exploits: self.exploits.as_deref(),
            max_output_bytes: self.config.max_output_bytes,
            now_ms,
            now: format_rfc3339(now_ms),
        }
    }
}

/// Returns the digest of what judges and patch risk go by, beside the facts: this build, and settings.
fn rules(diffs: &DiffLimits, risk: &RiskConfig) -> [u8; 32] {
    let told = serde_json::json!({
        "build": env!("CARGO_PKG_VERSION"),
        "diff": diffs,
        "risk": risk,
    });
    Sha256::digest(told.to_string().as_bytes()).into()
}
