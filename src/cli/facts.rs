//! Facts from files: vulnerabilities and settings, read into tables that no topic feeds.

use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::control::{parse_key, parse_value};
use crate::cli::input::{Line, Lines, cannot_read, open};
use crate::cli::{Exit, Failure};
use crate::event::codec::{CodecError, printable};
use crate::event::limits::EventLimits;
use crate::log::source::Coordinates;
use crate::role::Settings;
use crate::table::{ApvTable, ControlTable, Tables};

/// The most bad records that are told one by one.
const MAX_TOLD: usize = 5;
/// The longest line of a file of facts that is held: a file of one long line is an array or object.
const MAX_LINE_BYTES: usize = /* 64 MiB */ 64 * 1_024 * 1_024;

/// What judging looks things up in, and what was found on the way.
pub(super) struct FileFacts {
    /// The tables.
    pub tables: Tables,
    /// The CVEs that the file names, in its order.
    pub cves: Vec<String>,
}

/// One line of a control file.
#[derive(Deserialize)]
struct Setting<'a> {
    key: String,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// The one field that a record must have to be counted against its CVE.
#[derive(Deserialize)]
struct Named {
    cve_id: String,
}

/// Reads both files into detached tables. Bad APV records are told on standard error: as on the
/// topic, their CVE counts as invalid, so a person sees its patches.
pub(super) fn read(
    settings: &Settings,
    apv: &Path,
    control: Option<&Path>,
) -> Result<FileFacts, Failure> {
    let tables = Tables::detached(&settings.tables(), &settings.limits);
    if let Some(path) = control {
        read_control(path, &tables.control)?;
    }
    let read = read_apv(apv, &tables.apv, &settings.limits)?;
    for bad in read.bad.iter().take(MAX_TOLD) {
        eprintln!(
            "crisol: {}, {bad}; its CVE counts as invalid",
            apv.display()
        );
    }
    if let Some(more) = read
        .bad
        .len()
        .checked_sub(MAX_TOLD)
        .filter(|more| *more > 0)
    {
        eprintln!("crisol: {}: {more} further bad records", apv.display());
    }
    if read.cves.is_empty() && read.bad.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{}: holds no record", apv.display()),
        ));
    }
    Ok(FileFacts {
        tables,
        cves: read.cves,
    })
}

/// What a file of vulnerabilities held.
#[derive(Debug, Default, PartialEq, Eq)]
struct ApvFile {
    cves: Vec<String>,
    bad: Vec<String>,
}

/// Reads an APV file: one object, an array, or one object a line.
fn read_apv(path: &Path, table: &ApvTable, limits: &EventLimits) -> Result<ApvFile, Failure> {
    let file = open(path)?;
    let mut lines = Lines::new(
        BufReader::new(file),
        MAX_LINE_BYTES.max(limits.max_record_bytes),
    );
    let mut found = ApvFile::default();
    let mut first = true;
    while let Some((number, line)) = lines
        .next_line()
        .map_err(|error| cannot_read(path, &error))?
    {
        let bytes = match line {
            Line::Whole(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Whole(bytes) if first && !is_record(&bytes) => return read_whole(path, table),
            Line::Whole(bytes) => bytes,
            Line::TooLong { .. } if first => return read_whole(path, table),
            Line::TooLong { bytes, .. } => {
                found.bad.push(format!(
                    "line {number}: {bytes} bytes, the limit is {MAX_LINE_BYTES}"
                ));
                continue;
            }
        };
        first = false;
        if let Err(error) = serde_json::from_slice::<&RawValue>(&bytes) {
            let problem = CodecError::Json(printable(&error.to_string()));
            return Err(in_file(path, &format!("line {number}"), &problem));
        }
        found.take(table, &format!("line {number}"), &bytes);
    }
    Ok(found)
}

/// Whether a line is a whole record; if not, the file is an array or one object on many lines.
fn is_record(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
        && serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

fn read_whole(path: &Path, table: &ApvTable) -> Result<ApvFile, Failure> {
    let mut bytes = Vec::new();
    open(path)?
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(path, &error))?;
    let broken = |error: serde_json::Error| {
        // The position stands in the client's words already.
        let problem = CodecError::Json(printable(&error.to_string()));
        in_file(path, &format!("line {}", error.line()), &problem)
    };
    let mut found = ApvFile::default();
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let records: Vec<&RawValue> = serde_json::from_slice(&bytes).map_err(broken)?;
        for (at, record) in records.into_iter().enumerate() {
            found.take(table, &format!("entry {}", at + 1), record.get().as_bytes());
        }
    } else {
        let record: &RawValue = serde_json::from_slice(&bytes).map_err(broken)?;
        found.take(table, "line 1", record.get().as_bytes());
    }
    Ok(found)
}

impl ApvFile {
    /// Applies one record, under its CVE as the key as Oráculo sends it.
    fn take(&mut self, table: &ApvTable, place: &str, bytes: &[u8]) {
        let cve_id = serde_json::from_slice::<Named>(bytes)
            .ok()
            .map(|named| named.cve_id);
        match table.apply(cve_id.as_ref().map(String::as_bytes), Some(bytes)) {
            Ok(()) => self.cves.extend(cve_id),
            Err(problem) => self.bad.push(format!("{place}: {}", printable(&problem))),
        }
    }
}

/// Reads a control file: `{"key": "...", "value": ...}` a line, later lines win, `null` unsets.
fn read_control(path: &Path, table: &ControlTable) -> Result<(), Failure> {
    let mut lines = Lines::new(
        BufReader::new(open(path)?),
        EventLimits::default().max_record_bytes,
    );
    let mut offset = 0;
    while let Some((number, line)) = lines
        .next_line()
        .map_err(|error| cannot_read(path, &error))?
    {
        let place = format!("line {number}");
        let Line::Whole(bytes) = line else {
            return Err(in_file(path, &place, &"too long for a setting"));
        };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let setting: Setting<'_> = serde_json::from_slice(&bytes).map_err(|error| {
            let example = "{\"key\": \"auto_approve\", \"value\": true}";
            in_file(
                path,
                &place,
                &format!("{}; expected {example}", printable(&error.to_string())),
            )
        })?;
        let key =
            parse_key(&setting.key).map_err(|failure| in_file(path, &place, &failure.message))?;
        key.check_known()
            .map_err(|error| in_file(path, &place, &error))?;
        let value = match setting.value {
            None => None,
            Some(value) => {
                parse_value(&key, value.get())
                    .map_err(|failure| in_file(path, &place, &failure.message))?;
                Some(value.get().as_bytes())
            }
        };
        let at = Coordinates {
            partition: 0,
            offset,
        };
        table
            .apply(at, Some(key.name().as_bytes()), value)
            .map_err(|problem| in_file(path, &place, &problem))?;
        offset += 1;
    }
    Ok(())
}

fn in_file(path: &Path, place: &str, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("{}, {place}: {problem}", path.display()),
    )
}

/// Returns the ids of `known` that look most like `wanted`, the best first, at most `limit`.
pub(super) fn nearest<'k>(wanted: &str, known: &'k [String], limit: usize) -> Vec<&'k str> {
    let mut ranked: Vec<&str> = known.iter().map(String::as_str).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.sort_by_key(|id| std::cmp::Reverse(likeness(wanted, id)));
    ranked.truncate(limit);
    ranked
}

/// How many bytes two ids share at their beginning and end: a typing error leaves most of both.
fn likeness(one: &str, other: &str) -> usize {
    let shortest = one.len().min(other.len());
    let front = one
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let back = one
        .bytes()
        .rev()
        .zip(other.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (front + back).min(shortest)
}

#[cfg(test)]
mod tests;
