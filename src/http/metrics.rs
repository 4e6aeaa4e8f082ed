//! Metrics in Prometheus' text format.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::http::server::Shared;

/// Tells which build runs, as a gauge that is always 1.
pub struct BuildInfo;

impl BuildInfo {
    /// Registers `crisol_build_info{version}`.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn register(registry: &Registry) -> Result<(), prometheus::Error> {
        let options = Opts::new("crisol_build_info", "The build that runs; always 1");
        let gauge = IntGaugeVec::new(options, &["version"])?;
        registry.register(Box::new(gauge.clone()))?;
        gauge.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(())
    }
}

pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    shared.probes.refresh_metrics();
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&shared.registry.gather(), &mut text) {
        Ok(()) => (
            [(header::CONTENT_TYPE, encoder.format_type().to_owned())],
            text,
        )
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
