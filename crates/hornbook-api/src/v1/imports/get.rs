//! Gets one import.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::ImportView;
use crate::extract::{Conditional, reference};
use crate::{AppState, CanRead, Problem};

/// One import with its files: `name` for its latest version, `name@version` for that one.
#[utoipa::path(
    get, path = "/v1/imports/{slug}", tag = "imports",
    params(("slug" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 200, description = "The import", body = ImportView),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "No such import or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_import(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference("import", &slug)?;
    let import = hornbook_db::imports::get(&state.db, &reference).await?;
    // A version's state may change, so its name alone would be no validator.
    Conditional::json(&headers, &ImportView::whole(import))
}
