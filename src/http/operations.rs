//! What an operator may look at and change while the service runs. Looking is free to whoever reaches
//! the port; every change needs the token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::codec::printable;
use crate::http::health::standing;
use crate::http::operator::Operator;
use crate::http::problem::problem;
use crate::http::server::Shared;

/// Something the service depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependency {
    /// Its name, such as `redis`.
    pub name: &'static str,
    /// `up`, `waiting` or `down`.
    pub status: &'static str,
    /// How long it took to answer, in milliseconds; `null` where it is not asked or does not answer.
    pub latency_ms: Option<f64>,
    /// What it waits for, in words that hold nothing foreign.
    pub waiting_for: Vec<&'static str>,
    /// The name of the breaker before it.
    pub breaker: Option<&'static str>,
}

/// A breaker, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreakerState {
    /// Its name.
    pub name: &'static str,
    /// `closed`, `half_open` or `open`.
    pub state: &'static str,
    /// How often it has opened since the start.
    pub opened: u64,
}

/// A partition that takes nothing more until somebody says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HaltedPartition {
    /// The input's name without its prefix.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
}

/// Why an operation is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// There is nothing of this name.
    #[error("{0}")]
    Unknown(String),
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// What it needs does not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// What a role lets operators do. Every call may block.
pub trait Operations: Send + Sync + 'static {
    /// Returns what the service depends on, asked now.
    fn dependencies(&self) -> Vec<Dependency>;
    /// Returns the partitions that are halted, whoever owns them.
    fn halted(&self) -> Vec<HaltedPartition>;
    /// Returns the breakers.
    fn breakers(&self) -> Vec<BreakerState>;
    /// Closes a breaker.
    ///
    /// # Errors
    /// [`OperationError::Unknown`] tells which there are.
    fn reset_breaker(&self, name: &str) -> Result<BreakerState, OperationError>;
    /// Returns the statistics of exact memory, as JSON.
    fn memory(&self) -> Value;
    /// Forgets what is remembered of one CVE, or everything; returns how much that was.
    ///
    /// # Errors
    /// [`OperationError`] if the id is none or the store does not answer.
    fn forget(&self, cve_id: Option<&str>) -> Result<u64, OperationError>;
    /// Returns what comparisons of so many days say of the judges, as JSON; of all that are held without.
    ///
    /// # Errors
    /// [`OperationError::Invalid`] if that is no number of days.
    fn ab_results(&self, days: Option<f64>) -> Result<Value, OperationError>;
    /// Stops all approvals on every replica, or lets them go on.
    ///
    /// # Errors
    /// [`OperationError::Unavailable`] if `control` cannot be written.
    fn set_kill_switch(&self, on: bool) -> Result<(), OperationError>;
    /// Returns whether approvals are stopped.
    fn kill_switch(&self) -> bool;
    /// Switches the sample for A/B comparisons on every replica, at this rate or as it was.
    ///
    /// # Errors
    /// [`OperationError`] if the rate is no share or `control` cannot be written.
    fn set_ab(&self, enabled: bool, rate: Option<f64>) -> Result<(), OperationError>;
    /// Returns whether outcomes are sampled, and at which rate.
    fn ab(&self) -> (bool, f64);
}

pub(super) async fn detailed(State(shared): State<Shared>) -> Response {
    let live = shared.probes.is_live();
    let uptime = shared.probes.uptime_seconds();
    let ready = shared
        .probes
        .parts()
        .iter()
        .all(|part| part.not_ready.is_empty());
    let found = blocking(&shared, |operations| {
        Ok((
            operations.dependencies(),
            operations.breakers(),
            operations.halted(),
        ))
    });
    let (dependencies, breakers, halted) = match found.await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let all_up = dependencies.iter().all(|one| one.status == "up");
    let (status, code) = standing(live, ready && all_up && halted.is_empty());
    let body = json!({
        "status": status,
        "service": "crisol",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime,
        "dependencies": dependencies,
        "circuit_breakers": breakers,
        "halted": halted,
    });
    (code, Json(body)).into_response()
}

pub(super) async fn breakers(State(shared): State<Shared>) -> Response {
    let found = blocking(&shared, |operations| Ok(operations.breakers()));
    found
        .await
        .map(|breakers| Json(json!({"circuit_breakers": breakers})))
        .into_response()
}

pub(super) async fn reset_breaker(
    _: Operator,
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Response {
    blocking(&shared, move |operations| operations.reset_breaker(&name))
        .await
        .map(Json)
        .into_response()
}

pub(super) async fn cache(State(shared): State<Shared>) -> Response {
    blocking(&shared, |operations| Ok(operations.memory()))
        .await
        .map(Json)
        .into_response()
}

/// What to forget.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invalidate {
    /// The CVE; everything without it, but only if `all` says so.
    apv_id: Option<String>,
    /// Everything.
    #[serde(default)]
    all: bool,
}

impl Example for Invalidate {
    const EXAMPLE: &'static str = r#"{"apv_id": "CVE-..."} or {"all": true}"#;
}

pub(super) async fn invalidate(
    _: Operator,
    State(shared): State<Shared>,
    Asked(asked): Asked<Invalidate>,
) -> Response {
    let cve_id = match (asked.apv_id, asked.all) {
        (Some(cve_id), false) => Some(cve_id),
        (None, true) => None,
        _ => {
            let either = ["say either ", Invalidate::EXAMPLE].concat();
            return problem(StatusCode::BAD_REQUEST, &either);
        }
    };
    blocking(&shared, move |operations| {
        operations.forget(cve_id.as_deref())
    })
    .await
    .map(|forgotten| Json(json!({"forgotten": forgotten})))
    .into_response()
}

/// How the switch should stand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    on: bool,
}

impl Example for Switch {
    const EXAMPLE: &'static str = r#"{"on": true} or {"on": false}"#;
}

pub(super) async fn kill_switch(State(shared): State<Shared>) -> Response {
    blocking(&shared, |operations| Ok(operations.kill_switch()))
        .await
        .map(|on| Json(json!({"kill_switch": on})))
        .into_response()
}

pub(super) async fn set_kill_switch(
    _: Operator,
    State(shared): State<Shared>,
    Asked(Switch { on }): Asked<Switch>,
) -> Response {
    // Every replica reads it back from `control`, this one too, so the answer is of what was written.
    blocking(&shared, move |operations| operations.set_kill_switch(on))
        .await
        .map(|()| Json(json!({"kill_switch": on})))
        .into_response()
}

/// How large the sample should be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    rate: Option<f64>,
}

impl Example for Sample {
    const EXAMPLE: &'static str = r#"{} or {"rate": 0.1}"#;
}

pub(super) async fn ab_status(State(shared): State<Shared>) -> Response {
    blocking(&shared, |operations| Ok(operations.ab()))
        .await
        .map(|(enabled, rate)| Json(json!({"enabled": enabled, "rate": rate})))
        .into_response()
}

/// Which stretch of time results are of.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    days: Option<f64>,
}

pub(super) async fn ab_results(
    State(shared): State<Shared>,
    Query(Stretch { days }): Query<Stretch>,
) -> Response {
    blocking(&shared, move |operations| operations.ab_results(days))
        .await
        .map(Json)
        .into_response()
}

pub(super) async fn ab_enable(
    _: Operator,
    State(shared): State<Shared>,
    Asked(Sample { rate }): Asked<Sample>,
) -> Response {
    blocking(&shared, move |operations| operations.set_ab(true, rate))
        .await
        .map(|()| Json(json!({"enabled": true})))
        .into_response()
}

pub(super) async fn ab_disable(_: Operator, State(shared): State<Shared>) -> Response {
    blocking(&shared, |operations| operations.set_ab(false, None))
        .await
        .map(|()| Json(json!({"enabled": false})))
        .into_response()
}

/// A body that says what to do, and how it is written.
trait Example: DeserializeOwned {
    const EXAMPLE: &'static str;
}

/// What a call says to do; one that does not say it is told how to.
pub(super) struct Asked<T>(T);

impl<T: Example> FromRequest<Shared> for Asked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Response> {
        match Json::from_request(request, shared).await {
            Ok(Json(asked)) => Ok(Self(asked)),
            Err(rejection) => {
                let found = printable(&rejection.body_text());
                let wanted = T::EXAMPLE;
                Err(problem(
                    rejection.status(),
                    &format!("{found}; the body is {wanted}, as application/json"),
                ))
            }
        }
    }
}

/// Runs what may block where it holds up no probe.
async fn blocking<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&dyn Operations) -> Result<T, OperationError> + Send + 'static,
) -> Result<T, Response> {
    let operations = Arc::clone(&shared.operations);
    let Ok(permit) = Arc::clone(&shared.blocking).try_acquire_owned() else {
        return Err(problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many operations at once; ask again",
        ));
    };
    let work = move || {
        // Held for as long as it runs, also if nobody waits for it any more.
        let _permit = permit;
        work(&*operations)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            let code = match error {
                OperationError::Unknown(_) => StatusCode::NOT_FOUND,
                OperationError::Invalid(_) => StatusCode::BAD_REQUEST,
                OperationError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            Err(problem(code, &error.to_string()))
        }
        Err(_) => Err(problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the operation ended without an answer; see the log",
        )),
    }
}
