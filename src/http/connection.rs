//! One connection: requests in, answers out, and its deadline after every step.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tracing::debug;

use crate::event::codec::printable;
use crate::http::connections::{Phase, Slot};
use crate::http::problem::problem;

/// The largest header of a request, its first line included, in bytes.
const MAX_HEADER_BYTES: usize = 16_384;
/// The most lines of a header.
const MAX_HEADER_LINES: usize = 64;

/// Answers one connection until its client or a deadline ends it.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, slot: Arc<Slot>, routes: Router) {
    let routes = TowerToHyperService::new(routes);
    let asked = Arc::clone(&slot);
    let service = service_fn(move |request| {
        let slot = Arc::clone(&asked);
        let routes = routes.clone();
        async move {
            let answer = answer(request, peer, &slot, &routes).await;
            slot.enter(Phase::Answer);
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let io = TokioIo::new(Watched {
        stream,
        slot: Arc::clone(&slot),
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(MAX_HEADER_BYTES)
            .max_headers(MAX_HEADER_LINES)
            .serve_connection(io, service)
    );
    let mut alarm = pin!(tokio::time::sleep(std::time::Duration::ZERO));
    // Whatever moves the deadline runs within the connection's own poll, so it is looked at after each.
    let ended = poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        let Some(deadline) = slot.deadline() else {
            return Poll::Pending;
        };
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx).map(|()| None)
    });
    match ended.await {
        None => {
            slot.overdue();
            debug!(%peer, "connection closed: its client is too slow");
        }
        Some(Err(error)) => {
            debug!(%peer, error = %printable(&error.to_string()), "connection ended");
        }
        Some(Ok(())) => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    slot: &Arc<Slot>,
    routes: &TowerToHyperService<Router>,
) -> Response {
    // Two ways to say where a request ends are how one is hidden in another; ours need one only.
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        let mut refusal = problem(
            StatusCode::LENGTH_REQUIRED,
            "a body needs Content-Length; Transfer-Encoding is not taken",
        );
        let close = HeaderValue::from_static("close");
        refusal.headers_mut().insert(header::CONNECTION, close);
        return refusal;
    }
    slot.enter(if request.body().is_end_stream() {
        Phase::Handler
    } else {
        Phase::Body
    });
    let mut request = request.map(|incoming| {
        Body::new(WatchedBody {
            incoming,
            slot: Arc::clone(slot),
        })
    });
    request.extensions_mut().insert(ConnectInfo(peer));
    match routes.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// A body whose end is noted: from there on the client is not waited for.
struct WatchedBody {
    incoming: Incoming,
    slot: Arc<Slot>,
}

impl hyper::body::Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            self.slot.enter(Phase::Handler);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A socket that tells when bytes come in and when all are out.
struct Watched {
    stream: TcpStream,
    slot: Arc<Slot>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.slot.has_read();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.slot.has_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
