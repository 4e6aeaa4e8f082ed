//! What a call that is not carried out is told.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Returns `{"error": message}`. The message holds nothing foreign that is not made printable.
pub(super) fn problem(code: StatusCode, message: &str) -> Response {
    (code, Json(json!({"error": message}))).into_response()
}
