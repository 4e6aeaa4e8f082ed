//! Identity: ids from outside, bounded in length and characters, and the ids Crisol derives.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The longest `patch_id`, in bytes.
pub const MAX_PATCH_ID_BYTES: usize = 256;
/// The longest `cve_id`, in bytes.
pub const MAX_CVE_ID_BYTES: usize = 64;
/// The longest package name, in bytes: twice what any known registry allows.
pub const MAX_PACKAGE_BYTES: usize = 512;

/// Namespace of the ids that Crisol derives: a random UUID drawn once for the project.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_4a55_9a4e_4b0c_9d1e_2f6c_77b1_c0de);

/// Why an id from outside is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The id has no character.
    #[error("{field} is empty")]
    Empty {
        /// The field that holds the id.
        field: &'static str,
    },
    /// The id is too long.
    #[error("{field} has {bytes} bytes, the limit is {limit}")]
    TooLong {
        /// The field that holds the id.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The most it may have.
        limit: usize,
    },
    /// The id holds a character outside the allowed set.
    #[error("{field} holds '{character}' at byte {at}; allowed are letters, digits and {allowed}")]
    Character {
        /// The field that holds the id.
        field: &'static str,
        /// The character, escaped.
        character: String,
        /// Its position.
        at: usize,
        /// What is allowed beside ASCII letters and digits.
        allowed: &'static str,
    },
}

/// Checks a `patch_id`: 1 to 256 bytes of ASCII letters, digits and `._:/@+=#,-`.
///
/// # Errors
/// [`InvalidId`] names what is wrong and where.
pub fn check_patch_id(id: &str) -> Result<(), InvalidId> {
    check("patch_id", id, MAX_PATCH_ID_BYTES, "._:/@+=#,-")
}

/// Checks a `cve_id`: 1 to 64 bytes of ASCII letters, digits and `._:-`.
///
/// # Errors
/// [`InvalidId`] names what is wrong and where.
pub fn check_cve_id(id: &str) -> Result<(), InvalidId> {
    check("cve_id", id, MAX_CVE_ID_BYTES, "._:-")
}

/// Checks a package name: 1 to 512 bytes of ASCII letters, digits and `._:/@+~-`.
///
/// # Errors
/// [`InvalidId`] names `field`, what is wrong and where.
pub fn check_package(field: &'static str, name: &str) -> Result<(), InvalidId> {
    check(field, name, MAX_PACKAGE_BYTES, "._:/@+~-")
}

fn check(
    field: &'static str,
    id: &str,
    limit: usize,
    allowed: &'static str,
) -> Result<(), InvalidId> {
    if id.is_empty() {
        return Err(InvalidId::Empty { field });
    }
    if id.len() > limit {
        return Err(InvalidId::TooLong {
            field,
            bytes: id.len(),
            limit,
        });
    }
    let foreign = id
        .char_indices()
        .find(|(_, c)| !c.is_ascii_alphanumeric() && !allowed.contains(*c));
    match foreign {
        None => Ok(()),
        Some((at, c)) => Err(InvalidId::Character {
            field,
            character: c.escape_default().to_string(),
            at,
            allowed,
        }),
    }
}

/// The sha-256 of a patch's diff.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatchDigest([u8; 32]);

impl PatchDigest {
    /// Returns the digest of `diff`.
    pub fn of(diff: &str) -> Self {
        Self(Sha256::digest(diff.as_bytes()).into())
    }

    /// Returns the bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the digest as 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

impl fmt::Display for PatchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for PatchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Returns the sha-256 of any bytes as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect();
    // All of it is ASCII; looking once more costs less than pushing characters one by one.
    String::from_utf8(digits).unwrap_or_default()
}

/// Returns the 32 bytes of 64 hexadecimal digits in lower case; `None` for any other text.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Returns the id of the question "may this patch ship?": UUIDv5 of patch id and digest.
///
/// The same patch sent twice asks the same question.
pub fn decision_id(patch_id: &str, digest_hex: &str) -> Uuid {
    // A newline cannot occur in either part, so no two pairs share a name.
    derived_id(&[patch_id, "\n", digest_hex])
}

/// Returns the CloudEvents id of one event: UUIDv5 of where its cause stands and what stage made it.
///
/// A redone batch gives its events the same ids.
pub fn event_id(topic: &str, partition: i32, offset: i64, stage: &str) -> Uuid {
    let place = format!("\n{partition}\n{offset}\n");
    derived_id(&[topic, &place, stage])
}

/// Returns the UUIDv5 of the name that the parts make together.
fn derived_id(name: &[&str]) -> Uuid {
    // The `uuid` crate's own SHA-1 does not use what the processor has for it.
    let mut hash = Sha1::new_with_prefix(NAMESPACE.as_bytes());
    for part in name {
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    uuid::Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_ids_are_accepted() {
        for id in [
            "llm-vul:eb1c10aa9a6a4a0d",
            "patch-CVE-2014-6394-bump",
            "req:00ff",
            "org/repo@1+2",
        ] {
            check_patch_id(id).unwrap();
        }
        check_cve_id("CVE-2021-44228").unwrap();
        check_cve_id("GHSA-qcx9-j53g-ccgf").unwrap();
        check_package("package", "@scope/name").unwrap();
        check_package("package", "org.apache:log4j-core").unwrap();
    }

    #[test]
    fn an_id_with_a_control_character_names_field_character_and_place() {
        let error = check_patch_id("ab\u{1b}[2J").unwrap_err();
        assert_eq!(
            error.to_string(),
            "patch_id holds '\\u{1b}' at byte 2; allowed are letters, digits and ._:/@+=#,-"
        );
    }

    #[test]
    fn length_is_bounded_inclusively() {
        check_cve_id(&"x".repeat(MAX_CVE_ID_BYTES)).unwrap();
        let error = check_cve_id(&"x".repeat(MAX_CVE_ID_BYTES + 1)).unwrap_err();
        assert_eq!(error.to_string(), "cve_id has 65 bytes, the limit is 64");
        assert!(check_cve_id("").is_err());
    }

    #[test]
    fn the_digest_is_sha_256() {
        assert_eq!(
            PatchDigest::of("abc").to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn derived_ids_are_the_ones_on_events_written_so_far() {
        assert_eq!(
            decision_id("bench-0", &"0".repeat(64)).to_string(),
            "4ee8ad73-daa8-5991-845b-82bfa0d92587"
        );
        assert_eq!(
            event_id("patches", 3, 0, "decisions").to_string(),
            "642105fd-8c42-541d-9bbb-8ada9d702e58"
        );
    }

    #[test]
    fn identity_depends_on_every_part() {
        let id = decision_id("p", "d");
        assert_eq!(id, decision_id("p", "d"));
        assert_ne!(id, decision_id("p", "e"));
        assert_ne!(id, decision_id("q", "d"));
        let event = event_id("t", 1, 2, "route");
        for other in [
            event_id("u", 1, 2, "route"),
            event_id("t", 2, 2, "route"),
            event_id("t", 1, 3, "route"),
            event_id("t", 1, 2, "x"),
        ] {
            assert_ne!(event, other);
        }
    }
}
