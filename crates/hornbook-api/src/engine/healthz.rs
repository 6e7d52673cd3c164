//! `GET /healthz`: whether the process is alive.

use axum::Json;
use serde_json::{Value, json};

/// Answers as long as the process does; the models were loaded before it listened.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}
