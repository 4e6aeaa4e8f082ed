//! Wheels: what a built Python package says that it needs, read without unpacking it.
//!
//! A zip archive can be read in two ways by those who want it so; here only one that is written plainly is read: its
//! directory stands right before its end, and nothing is of the large form.

use std::io::{self, Read, Seek, SeekFrom};

use flate2::read::DeflateDecoder;

use crate::event::codec::printable;

/// The most that a wheel may unpack to, by its own words, in bytes.
const MAX_UNPACKED_BYTES: u64 = 512 << 20;
/// The most that its directory may have, in bytes.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
/// The most that is read of a wheel's metadata, in bytes.
const MAX_METADATA_BYTES: u64 = 4 << 20;
/// The end of an archive, without its comment.
const END_BYTES: u64 = 22;
const END: [u8; 4] = *b"PK\x05\x06";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LARGE: [u8; 4] = *b"PK\x06\x07";

/// A wheel that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no plain zip archive.
    #[error("not a plain zip archive: {0}")]
    Archive(&'static str),
    /// A member has a name that leads elsewhere.
    #[error("it has a member {0:?}")]
    Name(String),
    /// It unpacks to too much.
    #[error("it unpacks to more than {} MiB", MAX_UNPACKED_BYTES >> 20)]
    TooLarge,
}

/// A member of an archive.
struct Entry {
    name: Vec<u8>,
    method: u16,
    packed: u64,
    local: u64,
}

/// Returns the requirements of a wheel that name a place in the place of a version, as they stand there.
///
/// # Errors
/// [`WheelError`] if it is no wheel that may be unpacked.
pub fn direct_references<F: Read + Seek>(file: &mut F) -> Result<Vec<String>, WheelError> {
    let mut found = Vec::new();
    let mut is_wheel = false;
    for entry in entries(file)? {
        if agreesadata(&entry.name) {
            is_wheel = true;
            found.extend(references_in(&text_of(file, &entry)?));
        }
    }
    if is_wheel {
        Ok(found)
    } else {
        Err(WheelError::Archive("it has no metadata"))
    }
}

fn entries<F: Read + Seek>(file: &mut F) -> Result<Vec<Entry>, WheelError> {
    let size = file.seek(SeekFrom::End(0))?;
    let tail_bytes = size.min(END_BYTES + u64::from(u16::MAX));
    file.seek(SeekFrom::Start(size - tail_bytes))?;
    let mut tail = Vec::new();
    file.by_ref().take(tail_bytes).read_to_end(&mut tail)?;
    let at = memchr::memmem::rfind(&tail, &END).ok_or(WheelError::Archive("it has no end"))?;
    let end = Fields(tail.get(at..).unwrap_or_default());
    let comment = u64::from(end.u16(20)?);
    let at = size - tail_bytes + at as u64;
    if at + END_BYTES + comment != size {
        return Err(WheelError::Archive("something follows its end"));
    }
    let before = (at - (size - tail_bytes))
        .checked_sub(20)
        .map(|at| at as usize);
    if before.and_then(|at| tail.get(at..at + 4)) == Some(&LARGE) {
        return Err(WheelError::Archive("it is of the large form"));
    }
    let count = end.u16(10)?;
    let (length, offset) = (u64::from(end.u32(12)?), u64::from(end.u32(16)?));
    if offset + length != at || length > MAX_DIRECTORY_BYTES {
        return Err(WheelError::Archive("its directory is not where it says"));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut directory = Vec::new();
    file.by_ref().take(length).read_to_end(&mut directory)?;
    let mut rest = directory.as_slice();
    let mut all = Vec::new();
    let mut unpacked = 0;
    for _ in 0..count {
        let fields = Fields(rest);
        if rest.get(..4) != Some(&ENTRY) {
            return Err(WheelError::Archive("its directory is broken"));
        }
        unpacked += u64::from(fields.u32(24)?);
        let [name, extra, comment] =
            [fields.u16(28)?, fields.u16(30)?, fields.u16(32)?].map(usize::from);
        let text = rest
            .get(46..46 + name)
            .ok_or(WheelError::Archive("it is cut off"))?;
        if !is_member(text) {
            let name = String::from_utf8_lossy(text);
            return Err(WheelError::Name(printable(&name)));
        }
        all.push(Entry {
            name: text.to_owned(),
            method: fields.u16(10)?,
            packed: u64::from(fields.u32(20)?),
            local: u64::from(fields.u32(42)?),
        });
        rest = rest.get(46 + name + extra + comment..).unwrap_or_default();
    }
    if unpacked > MAX_UNPACKED_BYTES {
        return Err(WheelError::TooLarge);
    }
    if !rest.is_empty() {
        return Err(WheelError::Archive(
            "its directory holds more than it counts",
        ));
    }
    Ok(all)
}

/// Returns what a member unpacks to, as much as may be read.
fn text_of<F: Read + Seek>(file: &mut F, entry: &Entry) -> Result<Vec<u8>, WheelError> {
    file.seek(SeekFrom::Start(entry.local))?;
    let mut head = [0; 30];
    file.read_exact(&mut head)?;
    let fields = Fields(&head);
    if head.get(..4) != Some(&LOCAL) {
        return Err(WheelError::Archive("a member is not where it says"));
    }
    let skip = i64::from(fields.u16(26)?) + i64::from(fields.u16(28)?);
    file.seek(SeekFrom::Current(skip))?;
    let packed = file.by_ref().take(entry.packed);
    let mut text = Vec::new();
    let read = match entry.method {
        0 => packed.take(MAX_METADATA_BYTES + 1).read_to_end(&mut text),
        8 => DeflateDecoder::new(packed)
            .take(MAX_METADATA_BYTES + 1)
            .read_to_end(&mut text),
        _ => {
            return Err(WheelError::Archive(
                "its metadata are packed in another way",
            ));
        }
    };
    read?;
    if text.len() as u64 > MAX_METADATA_BYTES {
        return Err(WheelError::TooLarge);
    }
    Ok(text)
}

/// Numbers of an archive, smallest byte first.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, at: usize) -> Result<u16, WheelError> {
        match self.0.get(at..at + 2) {
            Some(&[a, b]) => Ok(u16::from_le_bytes([a, b])),
            _ => Err(WheelError::Archive("it is cut off")),
        }
    }

    fn u32(&self, at: usize) -> Result<u32, WheelError> {
        match self.0.get(at..at + 4) {
            Some(&[a, b, c, d]) => Ok(u32::from_le_bytes([a, b, c, d])),
            _ => Err(WheelError::Archive("it is cut off")),
        }
    }
}

/// Whether a member's name stays below where an archive is unpacked.
pub fn is_member(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| matches!(byte, b'/' | b'\\'));
    let absolute = matches!(name.first(), None | Some(b'/' | b'\\'));
    !absolute && name.len() <= 1_024 && !name.contains(&0) && !parts.any(|part| part == b"..")
}

fn agreesadata(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let directory = name.strip_suffix(b".dist-info/metadata");
    directory.is_some_and(|directory| !directory.contains(&b'/'))
}

/// Returns the requirements of a `METADATA` or `PKG-INFO` that name a place in the place of a version.
pub fn references_in(metadata: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(metadata)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut fields: Vec<String> = Vec::new();
    for line in text.split('\n') {
        // What follows an empty line describes the package.
        if line.is_empty() {
            break;
        }
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => field.push_str(line),
            _ => fields.push(line.to_owned()),
        }
    }
    let required = fields.iter().filter_map(|field| {
        let (name, value) = field.split_once(':')?;
        let is_requirement = name.trim().eq_ignore_ascii_case("requires-dist");
        is_requirement.then(|| value.trim().to_owned())
    });
    required
        .filter(|requirement| is_direct(requirement))
        .collect()
}

/// Whether a requirement says `name @ place`, with or without extras.
pub fn is_direct(requirement: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let after = requirement
        .trim_start()
        .trim_start_matches(name)
        .trim_start();
    let after = match after.strip_prefix('[') {
        Some(extras) => extras
            .split_once(']')
            .map_or("", |(_, after)| after.trim_start()),
        None => after,
    };
    after.starts_with(['@', '(']) && after.trim_start_matches(['(', ' ']).starts_with('@')
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;

    /// Returns a zip archive of stored members.
    pub(in crate::arena::registry) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, text) in members {
            let local = bytes.len() as u32;
            let size = (text.len() as u32).to_le_bytes();
            let length = (name.len() as u16).to_le_bytes();
            let common = [
                &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
                &size,
                &size,
                &length,
                &[0, 0],
            ]
            .concat();
            bytes.extend([&LOCAL[..], &common, name.as_bytes(), text].concat());
            directory.extend(
                [
                    &ENTRY[..],
                    &[20, 0],
                    &common,
                    &[0; 10],
                    &local.to_le_bytes(),
                    name.as_bytes(),
                ]
                .concat(),
            );
        }
        let count = (members.len() as u16).to_le_bytes();
        let (length, offset) = (directory.len() as u32, bytes.len() as u32);
        let end = [
            &END[..],
            &[0; 4],
            &count,
            &count,
            &length.to_le_bytes(),
            &offset.to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        [bytes, directory, end].concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, WheelError> {
        direct_references(&mut Cursor::new(bytes))
    }

    const PLAIN: &[u8] = b"Metadata-Version: 2.1\nName: a\nRequires-Dist: b (>=1)\nRequires-Dist: c[x]>2 ; python_version > '3'\n\nRequires-Dist: d @ http://x\n";
    const DIRECT: &[u8] =
        b"Metadata-Version: 2.1\r\nrequires-dist: b [x, y]\r\n  @ file:///etc ; extra == 'z'\r\n";

    #[test]
    fn a_requirement_that_names_a_place_is_found_and_others_are_not() {
        let member = "a-1.dist-info/METADATA";
        assert_eq!(
            read(&archive(&[("a.py", b""), (member, PLAIN)])).unwrap(),
            Vec::<String>::new()
        );
        let found = read(&archive(&[
            (member, PLAIN),
            ("b-1.dist-info/METADATA", DIRECT),
        ]))
        .unwrap();
        assert_eq!(found, ["b [x, y]  @ file:///etc ; extra == 'z'"]);
        for (requirement, direct) in [
            ("x @ http://h/x.tar.gz", true),
            ("x@git+https://h/x", true),
            ("x[a,b]@ file:x", true),
            ("x (@ http://h)", true),
            ("x", false),
            ("x>=1", false),
            ("x ; extra == '@'", false),
            ("x (>=1)", false),
        ] {
            assert_eq!(is_direct(requirement), direct, "{requirement}");
        }
    }

    #[test]
    fn an_archive_that_can_be_read_in_two_ways_or_leads_elsewhere_is_refused() {
        let member = "a-1.dist-info/METADATA";
        let good = archive(&[(member, PLAIN)]);
        assert!(read(&good).is_ok());
        for name in ["../x", "/etc/passwd", "a/../../b", "..\\x", "a\0b"] {
            let error = read(&archive(&[(member, PLAIN), (name, b"")])).unwrap_err();
            assert!(matches!(error, WheelError::Name(_)), "{name}: {error}");
        }
        let mut bomb = good.clone();
        let at = memchr::memmem::find(&bomb, &ENTRY).unwrap();
        bomb[at + 24..at + 28].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(read(&bomb), Err(WheelError::TooLarge)));
        let prefixed = [b"#!/bin/sh\n", &good[..]].concat();
        let followed = [&good[..], b"x"].concat();
        let empty = archive(&[("a.py", b"")]);
        for bytes in [
            &prefixed,
            &followed,
            &empty,
            &good[..good.len() - 3].to_vec(),
            &Vec::new(),
        ] {
            assert!(
                matches!(read(bytes), Err(WheelError::Archive(_))),
                "{bytes:?}"
            );
        }
    }
}
