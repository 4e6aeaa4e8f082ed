//! The server: one thread with its own small runtime, so that a busy engine never starves a probe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use prometheus::Registry;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, oneshot};
use tracing::info;

use crate::http::accept;
use crate::http::config::HttpConfig;
use crate::http::connections::Connections;
use crate::http::health::{self, Probes};
use crate::http::metrics;
use crate::http::operations::{self, Operations};
use crate::http::token::Token;

/// What every handler reads.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) probes: Arc<dyn Probes>,
    pub(super) operations: Arc<dyn Operations>,
    pub(super) token: Token,
    pub(super) registry: Registry,
    /// How many operations may block at once.
    pub(super) blocking: Arc<Semaphore>,
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
/// Operations that may block at once. Fewer than connections, so that there always is one that can make room.
const MAX_BLOCKING: usize = 16;
/// Connections that may wait to be taken in.
const BACKLOG: u32 = 1_024;
/// How long an answer may take that is under way when the sidecar stops.
const STOP: Duration = Duration::from_secs(1);
/// How often it is looked whether it is out.
const STOP_STEP: Duration = Duration::from_millis(10);

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
    /// What the system says if the address is taken or a thread cannot start; that a name of a metric is taken.
    pub fn start(config: &HttpConfig, serving: Serving) -> Result<Self, std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let address = config.address().map_err(std::io::Error::other)?;
        let listener = runtime.block_on(async { listen(address) })?;
        let address = listener.local_addr()?;
        let connections = Connections::new(config.bounds(), &serving.registry);
        let connections = Arc::new(connections.map_err(std::io::Error::other)?);
        let routes = routes(serving);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("sidecar".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        // A dropped sender means stop as well.
                        _ = stopped => {}
                        () = accept::serve(async || listener.accept().await, &connections, &routes) => {}
                    }
                    drop(listener);
                    let answered = async {
                        while connections.are_answering() {
                            tokio::time::sleep(STOP_STEP).await;
                        }
                    };
                    // Who has not been answered by then sees the connection end.
                    let _ = tokio::time::timeout(STOP, answered).await;
                });
                runtime.shutdown_background();
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

/// Listens with room for a burst: one whose first packet is dropped asks again only a second later.
fn listen(address: SocketAddr) -> Result<TcpListener, std::io::Error> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the standard library does: a process that starts again finds its address free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns every path and what answers it.
pub(super) fn routes(serving: Serving) -> Router {
    Router::new()
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
            blocking: Arc::new(Semaphore::new(MAX_BLOCKING)),
        })
}
