//! The secret key of an installation: the same on all replicas, never on an event.

use std::fmt;
use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::config::secret::{InvalidSecret, Secret, secret_of};

/// Where the secret key comes from: the environment (`CRISOL_SECRET_KEY`) or a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretKeyConfig {
    /// The key itself, at least 16 bytes.
    pub key: Option<Secret>,
    /// A file that holds it; white space around it does not count.
    pub key_file: Option<PathBuf>,
}

/// A secret key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSecretKey {
    /// There is none.
    #[error(
        "no secret key: set CRISOL_SECRET_KEY (or secret.key_file) to the same on all replicas, such as the output of: openssl rand -hex 32"
    )]
    Missing,
    /// There is one that cannot be used.
    #[error(transparent)]
    Secret(#[from] InvalidSecret),
}

impl SecretKeyConfig {
    /// Returns the key.
    ///
    /// # Errors
    /// [`InvalidSecretKey`] tells what to mend.
    pub fn load(&self) -> Result<SecretKey, InvalidSecretKey> {
        secret_of("secret.key", self.key.as_ref(), self.key_file.as_deref())?
            .map(SecretKey)
            .ok_or(InvalidSecretKey::Missing)
    }
}

/// A secret key. Nobody uses it itself: each use derives a key of its own.
#[derive(Clone)]
pub struct SecretKey(Secret);

impl SecretKey {
    /// Returns a key for values that never leave this process, where there is nobody to keep out.
    pub fn of_this_process() -> Self {
        Self(Secret::new("values that never leave the process"))
    }

    /// Returns the keyed hash of one use, named by `label`: HMAC-SHA-256 under a key that is itself
    /// the HMAC of the label, so that no use can forge for another.
    pub fn keyed(&self, label: &str) -> KeyedHash {
        let derived = KeyedHash::new(self.0.expose().as_bytes()).of(&[label.as_bytes()]);
        KeyedHash::new(&derived)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A keyed hash, HMAC-SHA-256 (RFC 2104).
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    fn new(key: &[u8]) -> Self {
        // HMAC takes a key of any length, so the other arm never runs; it would be another key, not none.
        let hmac = Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self(hmac)
    }

    /// Returns the hash of the parts. Their lengths are hashed too, so moving a byte from one part to
    /// the next gives another hash.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Returns whether `hash` is the hash of the parts; takes the same time wherever they differ.
    pub fn is_of(&self, parts: &[&[u8]], hash: &[u8]) -> bool {
        self.over(parts).verify_slice(hash).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut hmac = self.0.clone();
        for part in parts {
            hmac.update(&(part.len() as u64).to_le_bytes());
            hmac.update(part);
        }
        hmac
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(key: Option<&str>) -> SecretKeyConfig {
        SecretKeyConfig {
            key: key.map(Secret::new),
            key_file: None,
        }
    }

    #[test]
    fn a_key_is_needed_and_must_not_be_short() {
        let error = config(None).load().unwrap_err().to_string();
        assert!(error.contains("CRISOL_SECRET_KEY"), "{error}");
        let error = config(Some("hunter2")).load().unwrap_err().to_string();
        assert!(
            error.contains("7 bytes") && !error.contains("hunter2"),
            "{error}"
        );
        let key = config(Some("0123456789abcdef")).load().unwrap();
        assert_eq!(format!("{key:?}"), "[redacted]");
    }

    #[test]
    fn uses_parts_and_keys_are_told_apart() {
        let key = config(Some("0123456789abcdef")).load().unwrap();
        let hash = key.keyed("memory").of(&[b"ab", b"c"]);
        assert!(key.keyed("memory").is_of(&[b"ab", b"c"], &hash));
        assert!(!key.keyed("memory").is_of(&[b"a", b"bc"], &hash));
        assert!(!key.keyed("sampling").is_of(&[b"ab", b"c"], &hash));
        let other = config(Some("0123456789abcdeF")).load().unwrap();
        assert!(!other.keyed("memory").is_of(&[b"ab", b"c"], &hash));
        assert!(!key.keyed("memory").is_of(&[b"ab", b"c"], &hash[..31]));
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // Key and text of RFC 4231, test case 2, the text's length before it; computed by Python's hmac.
        let hash = KeyedHash::new(b"Jefe").of(&[b"what do ya want for nothing?"]);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "c0b77cf99718fc7f09c8727ff74305bde25761b2db20b1081cfcc82a3ec6029e"
        );
    }
}
