//! Pauses an endpoint.

use axum::Json;
use axum::extract::{Path, State};

use super::{EndpointView, existing};
use crate::{AppState, CanAdmin, Problem};

/// Sends an endpoint nothing more until it is resumed.
#[utoipa::path(
    post, path = "/v1/endpoints/{name}/pause", tag = "endpoints",
    params(("name" = String, Path, description = "Name")),
    responses(
        (status = 200, description = "It is paused", body = EndpointView),
        (status = 404, description = "No such endpoint", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn pause_endpoint(
    _: CanAdmin,
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<EndpointView>, Problem> {
    let endpoint = hornbook_db::endpoints::pause(&state.db, &existing(&name)?).await?;
    Ok(Json(endpoint.into()))
}
