//! The token that every call which changes something must carry.

use std::path::PathBuf;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use crate::config::{InvalidSecret, KeyedHash, Secret, SecretKey, secret_of};

/// Where the token comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpsConfig {
    /// The token itself, at least 16 bytes; without one, nothing can be changed over HTTP.
    pub token: Option<Secret>,
    /// A file that holds it; white space around it does not count.
    pub token_file: Option<PathBuf>,
}

impl OpsConfig {
    /// Returns what tells the token, or that there is none.
    ///
    /// # Errors
    /// [`InvalidSecret`] tells what to mend.
    pub fn load(&self) -> Result<Token, InvalidSecret> {
        let token = secret_of("ops.token", self.token.as_ref(), self.token_file.as_deref())?;
        let Some(token) = token else {
            return Ok(Token::default());
        };
        // Hashes are compared and not the tokens, so the time it takes tells nothing of the token.
        let hash = SecretKey::of_this_process().keyed("crisol/ops-token/1");
        let wanted = hash.of(&[token.expose().as_bytes()]);
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

    fn token(text: &str) -> Result<Token, InvalidSecret> {
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
