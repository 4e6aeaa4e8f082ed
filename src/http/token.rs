//! The token that every call which changes something must carry.

use std::path::PathBuf;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::config::{KeyedHash, Secret, SecretKey};

/// Fewer bytes can be guessed.
const LEAST_BYTES: usize = 16;

/// Where the token comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpsConfig {
    /// The token itself, at least 16 bytes; without one, nothing can be changed over HTTP.
    pub token: Option<Secret>,
    /// A file that holds it; white space around it does not count.
    pub token_file: Option<PathBuf>,
}

/// A token that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidToken {
    /// Two sources.
    #[error("both ops.token and ops.token_file are set; one must go")]
    Twice,
    /// Too short.
    #[error(
        "the token of ops.token (CRISOL_OPS_TOKEN) has {0} bytes; at least {LEAST_BYTES} are needed"
    )]
    Short(usize),
    /// The file cannot be read.
    #[error("cannot read ops.token_file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl OpsConfig {
    /// Returns what tells the token, or that there is none.
    ///
    /// # Errors
    /// [`InvalidToken`] tells what to mend.
    pub fn load(&self) -> Result<Token, InvalidToken> {
        let text = match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => return Err(InvalidToken::Twice),
            (Some(token), None) => token.expose().to_owned(),
            (None, Some(path)) => {
                std::fs::read_to_string(path).map_err(|source| InvalidToken::File {
                    path: path.clone(),
                    source,
                })?
            }
            (None, None) => return Ok(Token::default()),
        };
        let text = text.trim();
        if text.len() < LEAST_BYTES {
            return Err(InvalidToken::Short(text.len()));
        }
        // Hashes are compared and not the tokens, so the time it takes tells nothing of the token.
        let hash = SecretKey::of_this_process().keyed("crisol/ops-token/1");
        let wanted = hash.of(&[text.as_bytes()]);
        Ok(Token(Some((hash, wanted))))
    }
}

/// What tells the token from any other; by default there is none and no call is let through.
#[derive(Debug, Clone, Default)]
pub struct Token(Option<(KeyedHash, [u8; 32])>);

/// Why a call is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Barred {
    /// No token is configured.
    #[error(
        "no token is configured: set CRISOL_OPS_TOKEN (or ops.token_file) and send it as a bearer token"
    )]
    NoToken,
    /// The call carries none, or another.
    #[error("this call needs the token: Authorization: Bearer <CRISOL_OPS_TOKEN>")]
    Unauthorized,
}

impl Token {
    /// Lets a call through whose headers carry the token.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Barred> {
        let (hash, wanted) = self.0.as_ref().ok_or(Barred::NoToken)?;
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
            .ok_or(Barred::Unauthorized)?;
        if hash.is_of(&[given], wanted) {
            Ok(())
        } else {
            Err(Barred::Unauthorized)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(authorization: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    fn token(text: &str) -> Result<Token, InvalidToken> {
        OpsConfig {
            token: Some(Secret::new(text)),
            token_file: None,
        }
        .load()
    }

    #[test]
    fn without_a_configured_token_nothing_gets_through() {
        let none = OpsConfig::default().load().unwrap();
        assert_eq!(none.check(&with(Some("Bearer "))), Err(Barred::NoToken));
        assert_eq!(none.check(&with(None)), Err(Barred::NoToken));
    }

    #[test]
    fn only_the_token_itself_gets_through() {
        let token = token("0123456789abcdef").unwrap();
        assert_eq!(token.check(&with(Some("Bearer 0123456789abcdef"))), Ok(()));
        for other in [
            None,
            Some("Bearer "),
            Some("Bearer 0123456789abcde"),
            Some("Bearer 0123456789abcdef "),
            Some("Basic 0123456789abcdef"),
            Some("0123456789abcdef"),
        ] {
            assert_eq!(
                token.check(&with(other)),
                Err(Barred::Unauthorized),
                "{other:?}"
            );
        }
    }

    #[test]
    fn a_short_token_is_refused_and_not_told() {
        let error = token("hunter2").unwrap_err().to_string();
        assert!(
            error.contains("7 bytes") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
