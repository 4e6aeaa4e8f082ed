//! Taking connections in: within bounds, and on when the system runs out of files.

use std::io::{Error, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tracing::{debug, warn};

use crate::http::connection;
use crate::http::connections::Connections;

/// How long it waits where the system has no room and no connection can make any.
const PAUSE: Duration = Duration::from_millis(50);
/// One failure in so many is told where they come one after the other.
const TOLD_EVERY: u32 = 200;
/// What a connection is told for which there is no room.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/// Takes in what `accept` returns, for as long as the future is polled.
pub(super) async fn serve(
    mut accept: impl AsyncFnMut() -> Result<(TcpStream, SocketAddr), Error>,
    connections: &Arc<Connections>,
    routes: &Router,
) {
    let mut failures = 0_u32;
    loop {
        match accept().await {
            Ok((stream, peer)) => {
                failures = 0;
                match connections.admit(peer.ip().to_canonical()) {
                    Some(slot) => {
                        let served =
                            connection::serve(stream, peer, Arc::clone(&slot), routes.clone());
                        slot.served_by(tokio::spawn(served).abort_handle());
                    }
                    None => refuse(stream),
                }
                // What was taken in is read before more is taken in: under a flood nobody makes room unheard.
                tokio::task::yield_now().await;
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(%error, "a connection ended before it was taken in");
            }
            Err(error) => {
                if failures.is_multiple_of(TOLD_EVERY) {
                    let open = connections.len();
                    warn!(%error, open, "sidecar: no connection can be taken in; waiting ones make room");
                }
                failures = failures.wrapping_add(1);
                if connections.make_room() {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn is_of_one_connection(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

/// Says that there is no room; what a fresh socket does not take at once is not said.
fn refuse(stream: TcpStream) {
    let told = stream.into_std().and_then(|mut socket| socket.write(FULL));
    if let Err(error) = told {
        debug!(%error, "a connection for which there is no room was closed unheard");
    }
}
