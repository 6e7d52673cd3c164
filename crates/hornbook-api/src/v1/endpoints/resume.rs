//! Resumes an endpoint.

use axum::Json;
use axum::extract::{Path, State};

use super::{EndpointView, existing};
use crate::{AppState, CanAdmin, Problem};

/// Lets an endpoint take prompts again, whatever stopped it.
#[utoipa::path(
    post, path = "/v1/endpoints/{name}/resume", tag = "endpoints",
    params(("name" = String, Path, description = "Name")),
    responses(
        (status = 200, description = "It is ready again", body = EndpointView),
        (status = 404, description = "No such endpoint", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn resume_endpoint(
    _: CanAdmin,
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<EndpointView>, Problem> {
    let endpoint = hornbook_db::endpoints::resume(&state.db, &existing(&name)?).await?;
    Ok(Json(endpoint.into()))
}
