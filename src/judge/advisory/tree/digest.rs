//! Digests as lock files write them.

/// The digests of one entry.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    /// Each as it is written.
    pub all: Vec<String>,
    /// Whether there are some and none is better than SHA-1.
    pub weak: bool,
}

impl Digests {
    /// Returns them with one more, that does not make them any better.
    pub fn with(mut self, more: Option<String>) -> Self {
        self.all.extend(more);
        self
    }
}

/// Reads subresource integrity: `sha512-...`, several separated by spaces. `None` if one is none.
pub(super) fn integrity(text: &str) -> Option<Digests> {
    let mut digests = Digests {
        weak: true,
        ..Digests::default()
    };
    for one in text.split_ascii_whitespace() {
        let (algorithm, digest) = one.split_once('-')?;
        let bytes = match algorithm {
            "sha1" => 20,
            "sha256" => 32,
            "sha384" => 48,
            "sha512" => 64,
            _ => return None,
        };
        if !is_base64(digest, bytes) {
            return None;
        }
        digests.weak &= algorithm == "sha1";
        digests.all.push(one.to_owned());
    }
    (!digests.all.is_empty()).then_some(digests)
}

/// Whether the text is `sha256:hex` or longer.
pub(super) fn is_named(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digest)| {
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return false,
        };
        is_hex(digest, length)
    })
}

/// Whether the text is this many hexadecimal digits.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the text is Base64 of this many bytes.
pub(super) fn is_base64(text: &str, bytes: usize) -> bool {
    let plain = text.trim_end_matches('=');
    text.len() == bytes.div_ceil(3) * 4
        && plain.len() == (bytes * 8).div_ceil(6)
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
