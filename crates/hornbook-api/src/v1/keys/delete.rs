//! Revokes an API key.

use axum::extract::{Path, State};
use http::StatusCode;

use crate::{AppState, CanAdmin, Problem};

/// Ends a key for good, and every session made with it. Revoking it again is no error.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The public part of the key")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, description = "No such key", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn delete_key(
    _: CanAdmin,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if id.contains('\0') {
        return Err(Problem::not_found("this api key"));
    }
    hornbook_db::keys::revoke(&state.db, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
