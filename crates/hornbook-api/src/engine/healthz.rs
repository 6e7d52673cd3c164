//! `GET /healthz`: whether prompts can be answered.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::EngineState;

/// 503 once the backend can answer nothing any more, so that whoever watches starts it anew; the
/// models were loaded before the engine listened.
pub(super) async fn healthz(State(state): State<EngineState>) -> (StatusCode, Json<Value>) {
    let (status, word) = match state.backend.is_alive() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "dead"),
    };
    (status, Json(json!({"status": word, "version": env!("CARGO_PKG_VERSION")})))
}
