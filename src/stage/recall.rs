//! Recall: what memory knows of this very patch under these very facts.
//!
//! It is asked once a batch. What it knows spares the judge's work and tells a repeat; policy is
//! evaluated anew all the same.

use crate::event::decision::KnownBy;
use crate::event::patch::Patch;
use crate::event::record::{Batch, Memo, Record};
use crate::judge::Opinion;
use crate::judge::precedent::Casebook;
use crate::judge::precedent::generator_hash;
use crate::memory::{ExactMemory, First, Inputs, Remembered, key_of};
use crate::stage::Refused;
use crate::stage::join::Joined;
use crate::stage::judge::Judged;
use crate::table::VerdictTable;

/// A patch that memory was asked for.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// What it was asked with.
    pub key: String,
    /// What it knows.
    pub known: Option<Remembered>,
}

/// What a judgement depends on beside patch and facts.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The digest of judges and settings.
    pub digest: [u8; 32],
    /// The version of the policy in force.
    pub policy: u32,
}

/// Returns what memory knows of each patch; `None` for what was refused, and for cases that no facts
/// of the table are known of, which are never settled for long.
pub fn recall(
    patches: &[Result<Patch<'_>, Refused>],
    joined: &[Option<Joined>],
    memory: Option<&ExactMemory>,
    verdicts: &VerdictTable,
    rules: &Rules,
) -> Vec<Option<Recalled>> {
    let Some(memory) = memory else {
        return patches.iter().map(|_| None).collect();
    };
    let book = verdicts.read();
    let asked: Vec<Option<String>> = patches
        .iter()
        .zip(joined)
        .map(|(patch, joined)| key(patch.as_ref().ok()?, joined.as_ref()?, &book, rules))
        .collect();
    drop(book);
    let keys: Vec<&str> = asked.iter().flatten().map(String::as_str).collect();
    let mut known = memory.recall(&keys).into_iter();
    asked
        .into_iter()
        .map(|key| {
            Some(Recalled {
                key: key?,
                known: known.next().flatten(),
            })
        })
        .collect()
}

fn key(patch: &Patch<'_>, joined: &Joined, book: &Casebook, rules: &Rules) -> Option<String> {
    let advisory = joined.advisory.as_ref()?;
    (joined.known_by == KnownBy::Table).then(|| {
        key_of(&Inputs {
            patch_id: &patch.patch_id,
            patch_digest: patch.digest,
            cve_id: &patch.cve_id,
            facts: advisory.digest(),
            rules: rules.digest,
            policy: rules.policy,
            verdicts: book.version(&patch.cve_id),
            generator: patch.generator.as_deref().map(generator_hash),
            sources: patch.sources_digest(),
        })
    })
}

impl Recalled {
    /// Returns the record of which this one is a repeat; `None` for the record itself and those before
    /// it, which a replay brings again.
    pub fn repeats(&self, batch: &Batch, record: &Record) -> Option<&First> {
        let first = &self.known.as_ref()?.first;
        let later = first.partition != batch.partition || first.offset < record.offset;
        (*first.topic == *batch.topic && later).then_some(first)
    }

    /// Returns what memory may keep of a judgement once its outcome is committed; `None` for one that
    /// it knows already, and for one that no judge has made.
    pub fn memo(
        &self,
        memory: &ExactMemory,
        judged: &Judged,
        batch: &Batch,
        record: &Record,
    ) -> Option<Memo> {
        let settled = judged.judgement.opinion != Opinion::Unavailable && !judged.is_provisional;
        if self.known.is_some() || !settled {
            return None;
        }
        let remembered = Remembered {
            judgement: judged.judgement.lasting(),
            risk: judged.risk.clone(),
            first: First {
                topic: batch.topic.to_string(),
                partition: batch.partition,
                offset: record.offset,
            },
        };
        Some(memory.memo(self.key.clone(), &remembered))
    }
}
