//! Probes: alive, ready, healthy. They tell states by name and never an error's text.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::server::Shared;

/// One thing the process depends on, as the probes see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Its name, such as `engine` or `tables`.
    pub name: &'static str,
    /// What keeps it from being ready; empty if nothing does.
    pub not_ready: Vec<&'static str>,
}

/// What a role tells its probes.
pub trait Probes: Send + Sync + 'static {
    /// Returns whether the process does its work at all; if not, it should be started anew.
    fn is_live(&self) -> bool;
    /// Returns the state of each part.
    fn parts(&self) -> Vec<Probe>;
    /// Returns the seconds since the start.
    fn uptime_seconds(&self) -> u64;
    /// Sets gauges that are only worth computing when somebody looks.
    fn refresh_metrics(&self);
}

pub(super) async fn livez(State(shared): State<Shared>) -> Response {
    if shared.probes.is_live() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not polling\n").into_response()
    }
}

pub(super) async fn readyz(State(shared): State<Shared>) -> Response {
    let waiting: Vec<String> = shared
        .probes
        .parts()
        .iter()
        .filter(|part| !part.not_ready.is_empty())
        .map(|part| format!("{}: {}", part.name, part.not_ready.join(", ")))
        .collect();
    if waiting.is_empty() {
        (StatusCode::OK, "ok\n".to_owned()).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, waiting.join("\n") + "\n").into_response()
    }
}

/// Returns how the service stands in one word, and the code that says so to a load balancer.
pub(super) fn standing(live: bool, all_well: bool) -> (&'static str, StatusCode) {
    match (live, all_well) {
        (false, _) => ("unhealthy", StatusCode::SERVICE_UNAVAILABLE),
        (true, false) => ("degraded", StatusCode::OK),
        (true, true) => ("healthy", StatusCode::OK),
    }
}

pub(super) async fn health(State(shared): State<Shared>) -> Response {
    let parts = shared.probes.parts();
    let live = shared.probes.is_live();
    let ready = parts.iter().all(|part| part.not_ready.is_empty());
    let (status, code) = standing(live, ready);
    let components: serde_json::Map<String, serde_json::Value> = parts
        .iter()
        .map(|part| {
            let state = if part.not_ready.is_empty() {
                "up"
            } else {
                "waiting"
            };
            (
                part.name.to_owned(),
                json!({"status": state, "waiting_for": part.not_ready}),
            )
        })
        .collect();
    let body = json!({
        "status": status,
        "service": "crisol",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": shared.probes.uptime_seconds(),
        "components": components,
    });
    (code, Json(body)).into_response()
}
