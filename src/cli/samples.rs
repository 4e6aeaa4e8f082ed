//! Labelled patches from a file, plain or gzip.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::cli::input::{Line, Lines, cannot_read, open};
use crate::cli::{Exit, Failure};
use crate::event::codec::printable;
use crate::event::id::hex;
use crate::judge::features::Extractor;
use crate::judge::train::{LabelledPatch, RowError, Sample};

/// The longest line, in bytes: a record's limit, and room for what is told beside the diff.
const LINE_BYTES: usize = 2 << 20;
/// Patches that are left out and told one by one.
const MAX_TOLD: usize = 5;
/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Which labelled patches to take.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Wanted {
    /// Only patches of these collections (`source`); all without it.
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    sources: Vec<String>,
    /// No patch of a tool whose name begins so.
    #[arg(long, value_delimiter = ',', value_name = "PREFIX,...")]
    without_tools: Vec<String>,
}

impl Wanted {
    fn holds(&self, patch: &LabelledPatch) -> bool {
        let named = self.sources.is_empty() || self.sources.contains(&patch.source);
        let without = |prefix: &String| patch.tool.starts_with(prefix.as_str());
        named && !self.without_tools.iter().any(without)
    }
}

/// What was read.
pub(super) struct Loaded {
    /// The patches.
    pub samples: Vec<Sample>,
    /// The SHA-256 over their lines in order, 64 hexadecimal digits.
    pub digest: String,
}

/// Returns the samples of a file that count for learning and measuring. A line that is none ends it with the
/// line's number: a model must not be made from a part of what was meant. A diff that cannot be read is left
/// out and told, as it would be a dead letter in service.
pub(super) fn load(path: &Path, wanted: &Wanted) -> Result<Loaded, Failure> {
    let mut input = BufReader::new(open(path)?);
    let head = input
        .fill_buf()
        .map_err(|error| cannot_read(path, &error))?;
    let input: Box<dyn Read> = if head.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(input))
    } else {
        Box::new(input)
    };
    let mut lines = Lines::new(BufReader::new(input), LINE_BYTES);
    let mut extractor = Extractor::default();
    let mut samples = Vec::new();
    let mut digest = Sha256::new();
    let mut left_out = 0_usize;
    let wrong = |number: usize, what: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Usage,
            format!("{}, line {number}: {what}", path.display()),
        )
    };
    while let Some((number, line)) = lines
        .next_line()
        .map_err(|error| cannot_read(path, &error))?
    {
        let line = match line {
            Line::Whole(line) if line.is_empty() => continue,
            Line::Whole(line) => line,
            Line::TooLong { bytes, .. } => {
                let what = format!("{bytes} bytes; a line has {LINE_BYTES} at most");
                return Err(wrong(number, &what));
            }
        };
        let patch: LabelledPatch =
            serde_json::from_slice(&line).map_err(|error| wrong(number, &RowError::from(error)))?;
        if patch.counts() && wanted.holds(&patch) {
            digest.update(&line);
            digest.update(b"\n");
            match patch.sample(&mut extractor) {
                Ok(sample) => samples.push(sample),
                Err(error) => {
                    left_out += 1;
                    if left_out <= MAX_TOLD {
                        let error = printable(&error.to_string());
                        eprintln!("{}, line {number}: left out: {error}", path.display());
                    }
                }
            }
        }
    }
    if let Some(more) = left_out.checked_sub(MAX_TOLD).filter(|more| *more > 0) {
        eprintln!("{}: {more} further patches left out", path.display());
    }
    let digest: [u8; 32] = digest.finalize().into();
    Ok(Loaded {
        samples,
        digest: hex(&digest),
    })
}
