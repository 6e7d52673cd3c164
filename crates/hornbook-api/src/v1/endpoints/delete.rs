//! Removes an endpoint.

use axum::extract::{Path, State};
use hornbook_types::LOCAL_ENDPOINT;
use http::StatusCode;

use super::existing;
use crate::{AppState, CanAdmin, Problem};

/// Removes an endpoint that no unended job names.
#[utoipa::path(
    delete, path = "/v1/endpoints/{name}", tag = "endpoints",
    params(("name" = String, Path, description = "Name")),
    responses(
        (status = 204, description = "It is gone, and its key with it"),
        (status = 404, description = "No such endpoint", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "A job that has not ended names it, or it is `local`",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn delete_endpoint(
    _: CanAdmin,
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let name = existing(&name)?;
    if name.as_str() == LOCAL_ENDPOINT {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "built_in",
            "every installation has the endpoint local; pause it instead",
        ));
    }
    hornbook_db::endpoints::delete(&state.db, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
