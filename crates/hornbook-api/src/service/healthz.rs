//! Whether the process is alive.

use axum::Json;
use serde::Serialize;

/// That the process answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// Version of the software.
    version: &'static str,
}

/// Answers as long as the process does, whatever the database says.
#[utoipa::path(
    get, path = "/healthz", tag = "service",
    responses((status = 200, description = "The process is alive", body = Health))
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
