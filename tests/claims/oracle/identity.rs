//! Digests and the name of the question, written anew.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Namespace of the ids that Crisol derives.
const NAMESPACE: &str = "6f0d4a55-9a4e-4b0c-9d1e-2f6c77b1c0de";

/// Returns the sha-256 of `bytes` as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns the `decision_id`: UUIDv5 of patch id, newline and the digest's digits.
pub fn decision_id(patch_id: &str, digest: &str) -> String {
    let namespace = Uuid::parse_str(NAMESPACE).expect("a well-formed namespace");
    Uuid::new_v5(&namespace, format!("{patch_id}\n{digest}").as_bytes()).to_string()
}
