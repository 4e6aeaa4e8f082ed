//! The server: one thread with its own small runtime, so that a busy engine never starves a probe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use prometheus::Registry;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::http::health::{self, Probes};
use crate::http::metrics;
use crate::http::operations::{self, Operations};
use crate::http::token::Token;

/// Where the sidecar listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port; port 0 takes any free one.
    pub listen: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8026".to_owned(),
        }
    }
}

/// An address that cannot be listened on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("http.listen {0:?} is not an address and port such as 127.0.0.1:8026")]
pub struct InvalidHttpConfig(String);

impl HttpConfig {
    /// Returns the address.
    ///
    /// # Errors
    /// [`InvalidHttpConfig`] if it is none.
    pub fn address(&self) -> Result<SocketAddr, InvalidHttpConfig> {
        self.listen
            .parse()
            .map_err(|_| InvalidHttpConfig(self.listen.clone()))
    }

    /// Checks the address.
    ///
    /// # Errors
    /// [`InvalidHttpConfig`] if it is none.
    pub fn validate(&self) -> Result<(), InvalidHttpConfig> {
        self.address().map(|_| ())
    }
}

/// What every handler reads.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) probes: Arc<dyn Probes>,
    pub(super) operations: Arc<dyn Operations>,
    pub(super) token: Token,
    pub(super) registry: Registry,
}

/// What a sidecar serves.
pub struct Serving {
    /// What probes ask.
    pub probes: Arc<dyn Probes>,
    /// What operators may do.
    pub operations: Arc<dyn Operations>,
    /// What tells the token of operators.
    pub token: Token,
    /// What is measured.
    pub registry: Registry,
}

/// The largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 4_096;

/// A running sidecar; dropping it stops it.
pub struct Sidecar {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sidecar {
    /// Starts to listen and answers from a thread of its own.
    ///
    /// # Errors
    /// What the system says if the address is taken or a thread cannot start.
    pub fn start(address: SocketAddr, serving: Serving) -> Result<Self, std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new()
            .route("/livez", get(health::livez))
            .route("/readyz", get(health::readyz))
            .route("/health", get(health::health))
            .route("/metrics", get(metrics::metrics))
            .route("/health/detailed", get(operations::detailed))
            .route("/circuit-breakers", get(operations::breakers))
            .route(
                "/circuit-breakers/{name}/reset",
                post(operations::reset_breaker),
            )
            .route("/wargaming/cache/stats", get(operations::cache))
            .route("/wargaming/cache/invalidate", post(operations::invalidate))
            .route("/wargaming/ab-testing/status", get(operations::ab_status))
            .route("/wargaming/ab-testing/results", get(operations::ab_results))
            .route("/wargaming/ab-testing/enable", post(operations::ab_enable))
            .route(
                "/wargaming/ab-testing/disable",
                post(operations::ab_disable),
            )
            .route(
                "/kill-switch",
                get(operations::kill_switch).post(operations::set_kill_switch),
            )
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Shared {
                probes: serving.probes,
                operations: serving.operations,
                token: serving.token,
                registry: serving.registry,
            });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let thread = std::thread::Builder::new()
            .name("sidecar".to_owned())
            .spawn(move || {
                let served = runtime.block_on(async {
                    axum::serve(listener, service)
                        .with_graceful_shutdown(async {
                            // A dropped sender means stop as well.
                            let _ = stopped.await;
                        })
                        .await
                });
                if let Err(error) = served {
                    error!(%error, "sidecar ended");
                }
            })?;
        info!(%address, "sidecar listening");
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Open connections end with the process; waiting for them would let a client hold it.
        drop(self.thread.take());
    }
}
