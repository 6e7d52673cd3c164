//! Removes an import.

use axum::extract::{Path, State};
use http::StatusCode;

use crate::extract::reference;
use crate::{AppState, CanWrite, Problem};

/// Removes every version of an import, or with `name@version` that one; its files go soon after.
#[utoipa::path(
    delete, path = "/v1/imports/{slug}", tag = "imports",
    params(("slug" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such import or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn delete_import(
    _: CanWrite,
    State(state): State<AppState>,
    Path(slug): Path<String>,
) -> Result<StatusCode, Problem> {
    let reference = reference("import", &slug)?;
    hornbook_db::imports::delete(&state.db, &reference).await?;
    Ok(StatusCode::NO_CONTENT)
}
