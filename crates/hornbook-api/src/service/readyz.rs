//! Whether the service can do its work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::{AppState, Problem};

/// That the service can do its work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Readiness {
    /// Always `ready`.
    status: &'static str,
}

/// Answers 200 when the database does, else 503.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses(
        (status = 200, description = "The service is ready", body = Readiness),
        (status = 503, description = "The database does not answer", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn readyz(State(state): State<AppState>) -> Result<Json<Readiness>, Problem> {
    state.db.ping().await?;
    Ok(Json(Readiness { status: "ready" }))
}
