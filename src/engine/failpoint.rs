//! Failpoints: where the proofs stop, freeze or break the process.
//!
//! They are armed by [`FAILPOINT_ENV`] alone, so that the binary that is tested is the one that is
//! shipped. An armed failpoint is announced loudly at the start.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use signal_hook::consts::{SIGKILL, SIGSTOP};
use signal_hook::low_level::raise;

/// Names the environment variable: `<point>:<kill|freeze|hang>[:<nth hit>]`, `abort-on:<text>` or
/// `offsets-outside-transaction`, several joined by commas. With `once:<file>` among them, hits count
/// only once that file exists.
pub const FAILPOINT_ENV: &str = "CRISOL_FAILPOINT";

/// A boundary between two steps of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Records were polled and not yet dispatched.
    AfterPoll,
    /// A worker has judged a batch.
    AfterJudge,
    /// A step of a wargame is about to begin.
    DuringWargame,
    /// Outputs are at the broker, in an open transaction.
    AfterProduce,
    /// Offsets are in the open transaction.
    AfterSendOffsets,
    /// Everything is in the open transaction.
    BeforeCommit,
    /// The transaction is committed.
    AfterCommit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Freeze,
    /// The thread that passes never goes on; the process does.
    Hang,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Armed {
    At {
        point: Point,
        action: Action,
        nth: u32,
    },
    Once(PathBuf),
    AbortOn(Vec<u8>),
    OffsetsOutsideTransaction,
}

/// The failpoints in force.
#[derive(Debug, Default)]
pub struct Failpoints {
    armed: Vec<Armed>,
    hits: AtomicU32,
}

/// A failpoint that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "CRISOL_FAILPOINT={0:?} is not <point>:<kill|freeze|hang>[:<nth>], abort-on:<text>, once:<file> or offsets-outside-transaction"
)]
pub struct InvalidFailpoint(String);

impl FromStr for Failpoints {
    type Err = InvalidFailpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let armed = text
            .split(',')
            .map(|one| armed(one).ok_or_else(|| InvalidFailpoint(text.to_owned())))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            armed,
            hits: AtomicU32::new(0),
        })
    }
}

fn armed(text: &str) -> Option<Armed> {
    if text == "offsets-outside-transaction" {
        return Some(Armed::OffsetsOutsideTransaction);
    }
    if let Some(needle) = text.strip_prefix("abort-on:") {
        return Some(Armed::AbortOn(needle.as_bytes().to_vec()));
    }
    if let Some(file) = text.strip_prefix("once:") {
        return Some(Armed::Once(PathBuf::from(file)));
    }
    let mut parts = text.split(':');
    let point = match parts.next()? {
        "after-poll" => Point::AfterPoll,
        "after-judge" => Point::AfterJudge,
        "during-wargame" => Point::DuringWargame,
        "after-produce" => Point::AfterProduce,
        "after-send-offsets" => Point::AfterSendOffsets,
        "before-commit" => Point::BeforeCommit,
        "after-commit" => Point::AfterCommit,
        _ => return None,
    };
    let action = match parts.next()? {
        "kill" => Action::Kill,
        "freeze" => Action::Freeze,
        "hang" => Action::Hang,
        _ => return None,
    };
    let nth = match parts.next() {
        None => 1,
        Some(nth) => nth.parse().ok()?,
    };
    Some(Armed::At { point, action, nth })
}

impl Failpoints {
    /// Returns whether one is armed.
    pub fn is_armed(&self) -> bool {
        !self.armed.is_empty()
    }

    /// Passes a boundary; does not return if the failpoint there kills.
    pub fn pass(&self, here: Point) {
        if self.is_early() {
            return;
        }
        for armed in &self.armed {
            let Armed::At { point, action, nth } = *armed else {
                continue;
            };
            if point != here || self.hits.fetch_add(1, Ordering::Relaxed) + 1 != nth {
                continue;
            }
            let signal = match action {
                Action::Kill => SIGKILL,
                Action::Freeze => SIGSTOP,
                Action::Hang => loop {
                    std::thread::park();
                },
            };
            // Raising either signal cannot fail in a way that could be handled here.
            let _ = raise(signal);
        }
    }

    fn is_early(&self) -> bool {
        self.armed
            .iter()
            .any(|armed| matches!(armed, Armed::Once(file) if !file.exists()))
    }

    /// Aborts the process if a record holds the text that the failpoint names.
    pub fn abort_on(&self, value: &[u8]) {
        for armed in &self.armed {
            if let Armed::AbortOn(needle) = armed
                && memchr::memmem::find(value, needle).is_some()
            {
                std::process::abort();
            }
        }
    }

    /// Returns whether offsets are to be committed outside the transaction: the negative control of
    /// the exactly-once proof.
    pub fn offsets_outside_transaction(&self) -> bool {
        self.armed.contains(&Armed::OffsetsOutsideTransaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_read() {
        for text in [
            "after-poll:kill",
            "before-commit:freeze:3",
            "after-send-offsets:hang",
            "abort-on:xyz",
            "after-poll:kill:2,once:/somewhere",
            "offsets-outside-transaction,before-commit:kill",
        ] {
            assert!(text.parse::<Failpoints>().unwrap().is_armed(), "{text}");
        }
        for text in [
            "",
            "after-poll",
            "after-poll:maim",
            "nowhere:kill",
            "after-poll:kill:x",
        ] {
            assert!(text.parse::<Failpoints>().is_err(), "{text}");
        }
        assert!(!Failpoints::default().is_armed());
    }
}
