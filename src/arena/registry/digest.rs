//! Digests that registries state of their artifacts. What has none is not taken.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// What an artifact must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stated {
    Sha512(Vec<u8>),
    Sha256(Vec<u8>),
    Sha1(Vec<u8>),
}

impl Stated {
    /// Returns the strongest digest of an `integrity`, as npm writes it.
    pub(super) fn of_integrity(text: &str) -> Option<Self> {
        let of = |name: &str, bytes: usize| {
            text.split_whitespace().find_map(|one| {
                let encoded = one.strip_prefix(name)?.strip_prefix('-')?;
                let encoded = encoded.split('?').next().unwrap_or_default();
                let digest = STANDARD.decode(encoded).ok()?;
                (digest.len() == bytes).then_some(digest)
            })
        };
        let sha512 = of("sha512", 64).map(Self::Sha512);
        sha512
            .or_else(|| of("sha256", 32).map(Self::Sha256))
            .or_else(|| of("sha1", 20).map(Self::Sha1))
    }

    /// Returns a SHA-1 in hexadecimal digits.
    pub(super) fn of_shasum(text: &str) -> Option<Self> {
        unhex(text, 20).map(Self::Sha1)
    }

    /// Returns a SHA-256 in hexadecimal digits.
    pub(super) fn of_sha256(text: &str) -> Option<Self> {
        unhex(text, 32).map(Self::Sha256)
    }

    /// Returns it as npm writes it.
    pub(super) fn integrity(&self) -> String {
        let (name, digest) = match self {
            Self::Sha512(digest) => ("sha512-", digest),
            Self::Sha256(digest) => ("sha256-", digest),
            Self::Sha1(digest) => ("sha1-", digest),
        };
        [name, &STANDARD.encode(digest)].concat()
    }

    /// Returns what tells whether bytes have it.
    pub(super) fn check(&self) -> Checking<'_> {
        match self {
            Self::Sha512(wanted) => Checking::Sha512(Sha512::new(), wanted),
            Self::Sha256(wanted) => Checking::Sha256(Sha256::new(), wanted),
            Self::Sha1(wanted) => Checking::Sha1(Sha1::new(), wanted),
        }
    }
}

/// A digest under way.
pub(super) enum Checking<'a> {
    Sha512(Sha512, &'a [u8]),
    Sha256(Sha256, &'a [u8]),
    Sha1(Sha1, &'a [u8]),
}

impl Checking<'_> {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha512(hash, _) => hash.update(bytes),
            Self::Sha256(hash, _) => hash.update(bytes),
            Self::Sha1(hash, _) => hash.update(bytes),
        }
    }

    /// Whether the bytes are those that were stated.
    pub(super) fn agrees(self) -> bool {
        match self {
            Self::Sha512(hash, wanted) => hash.finalize()[..] == *wanted,
            Self::Sha256(hash, wanted) => hash.finalize()[..] == *wanted,
            Self::Sha1(hash, wanted) => hash.finalize()[..] == *wanted,
        }
    }
}

fn unhex(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let text = text.trim().as_bytes();
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(high)? << 4 | digit(low)?) as u8),
        _ => None,
    };
    (text.len() == 2 * bytes).then_some(())?;
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::id::{hex, sha256_hex};

    fn met(stated: &Stated, bytes: &[u8]) -> bool {
        let mut checking = stated.check();
        bytes.chunks(3).for_each(|part| checking.update(part));
        checking.agrees()
    }

    #[test]
    fn the_strongest_digest_that_is_stated_must_be_met() {
        let sha512 = STANDARD.encode(Sha512::digest(b"bytes"));
        let weak = STANDARD.encode(Sha1::digest(b"other"));
        let both = format!("sha1-{weak} sha512-{sha512}?opt sha512-AAAA");
        let stated = Stated::of_integrity(&both).unwrap();
        assert!(met(&stated, b"bytes") && !met(&stated, b"other"));
        assert_eq!(stated.integrity(), format!("sha512-{sha512}"));
        let sha1 = Stated::of_shasum(&hex(&Sha1::digest(b"bytes"))).unwrap();
        assert!(met(&sha1, b"bytes") && !met(&sha1, b"bytez"));
        let sha256 = Stated::of_sha256(&sha256_hex(b"bytes")).unwrap();
        assert!(met(&sha256, b"bytes") && !met(&sha256, b""));
    }

    #[test]
    fn what_is_no_digest_is_none() {
        for text in [
            "",
            "sha512-",
            "sha512-AAAA",
            "md5-rL0Y20zC+Fzt72VPzMSk2A==",
            "sha512",
        ] {
            assert_eq!(Stated::of_integrity(text), None, "{text}");
        }
        assert_eq!(Stated::of_shasum("00"), None);
        assert_eq!(Stated::of_sha256(&"g".repeat(64)), None);
        assert_eq!(Stated::of_sha256(&"é".repeat(32)), None);
    }
}
