//! Where the sidecar listens, and how much of it strangers may take.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where the sidecar listens, and the bounds on who connects.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port; port 0 takes any free one.
    pub listen: String,
    /// Connections at once. Past it the one that has asked for nothing for longest makes room.
    pub max_connections: usize,
    /// Connections at once from one address; past it that address makes room itself.
    pub max_connections_per_peer: usize,
    /// Milliseconds from a connection's start, or from a request's first byte, to the end of its header.
    pub header_ms: u64,
    /// Milliseconds from the end of the header to the end of the body.
    pub body_ms: u64,
    /// Milliseconds in which a client must take an answer.
    pub answer_ms: u64,
    /// Milliseconds for which a connection may stay open without another request.
    pub idle_ms: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8026".to_owned(),
            max_connections: 128,
            max_connections_per_peer: 32,
            header_ms: 5_000,
            body_ms: 5_000,
            answer_ms: 10_000,
            idle_ms: 60_000,
        }
    }
}

/// Why the sidecar cannot be set up like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHttpConfig {
    /// An address that cannot be listened on.
    #[error("http.listen {0:?} is not an address and port such as 127.0.0.1:8026")]
    Listen(String),
    /// A bound that would let nothing through.
    #[error("http.{0} must be at least 1")]
    Zero(&'static str),
    /// One address may hold more than there is.
    #[error("http.max_connections_per_peer must not exceed http.max_connections")]
    PeerAboveAll,
}

impl HttpConfig {
    /// Returns the address.
    ///
    /// # Errors
    /// [`InvalidHttpConfig::Listen`] if it is none.
    pub fn address(&self) -> Result<SocketAddr, InvalidHttpConfig> {
        self.listen
            .parse()
            .map_err(|_| InvalidHttpConfig::Listen(self.listen.clone()))
    }

    /// Checks the address and the bounds.
    ///
    /// # Errors
    /// [`InvalidHttpConfig`] names the field.
    pub fn validate(&self) -> Result<(), InvalidHttpConfig> {
        let one_or_more = [
            ("max_connections", self.max_connections > 0),
            (
                "max_connections_per_peer",
                self.max_connections_per_peer > 0,
            ),
            ("header_ms", self.header_ms > 0),
            ("body_ms", self.body_ms > 0),
            ("answer_ms", self.answer_ms > 0),
            ("idle_ms", self.idle_ms > 0),
        ];
        if let Some((name, _)) = one_or_more.into_iter().find(|(_, holds)| !holds) {
            return Err(InvalidHttpConfig::Zero(name));
        }
        if self.max_connections_per_peer > self.max_connections {
            return Err(InvalidHttpConfig::PeerAboveAll);
        }
        self.address().map(|_| ())
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            connections: self.max_connections,
            of_one_peer: self.max_connections_per_peer,
            header: Duration::from_millis(self.header_ms),
            body: Duration::from_millis(self.body_ms),
            answer: Duration::from_millis(self.answer_ms),
            idle: Duration::from_millis(self.idle_ms),
        }
    }
}

/// The bounds on connections, as they are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    pub(super) of_one_peer: usize,
    pub(super) header: Duration,
    pub(super) body: Duration,
    pub(super) answer: Duration,
    pub(super) idle: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_let_nothing_through_are_refused_by_name() {
        let with = |change: fn(&mut HttpConfig)| {
            let mut config = HttpConfig::default();
            change(&mut config);
            config.validate().map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| {}), Ok(()));
        for (change, name) in [
            (
                (|c| c.header_ms = 0) as fn(&mut HttpConfig),
                "http.header_ms",
            ),
            (|c| c.max_connections = 0, "http.max_connections"),
            (
                |c| c.max_connections_per_peer = 129,
                "http.max_connections_per_peer",
            ),
            (|c| c.listen = "8026".to_owned(), "http.listen"),
        ] {
            let error = with(change).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
