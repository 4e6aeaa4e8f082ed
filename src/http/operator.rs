//! Whoever may change something. A handler that takes an [`Operator`] is only reached with the token,
//! and before the body is read.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::response::Response;
use tracing::{info, warn};

use crate::http::problem::problem;
use crate::http::server::Shared;
use crate::http::token::Barred;

/// The caller carries the token; that it calls is in the log.
pub(super) struct Operator;

impl FromRequestParts<Shared> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Response> {
        // The route and not the path: a path is foreign text.
        let operation = parts.extensions.get::<MatchedPath>();
        let operation = operation.map_or("", MatchedPath::as_str);
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer);
        match shared.token.check(&parts.headers) {
            Ok(()) => {
                info!(?peer, operation, "operation asked for");
                Ok(Self)
            }
            Err(barred) => {
                warn!(?peer, operation, %barred, "operation refused");
                Err(refusal(barred))
            }
        }
    }
}

fn refusal(barred: Barred) -> Response {
    match barred {
        Barred::NoToken => problem(StatusCode::FORBIDDEN, &barred.to_string()),
        Barred::Unauthorized => {
            let mut response = problem(StatusCode::UNAUTHORIZED, &barred.to_string());
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
            response
        }
    }
}
