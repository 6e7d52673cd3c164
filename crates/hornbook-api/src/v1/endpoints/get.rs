//! Gets one endpoint.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::{EndpointView, existing};
use crate::extract::Conditional;
use crate::{AppState, CanRead, Problem};

/// One endpoint.
#[utoipa::path(
    get, path = "/v1/endpoints/{name}", tag = "endpoints",
    params(("name" = String, Path, description = "Name")),
    responses(
        (status = 200, description = "The endpoint", body = EndpointView),
        (status = 304, description = "The client has it as it is"),
        (status = 404, description = "No such endpoint", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_endpoint(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let endpoint = hornbook_db::endpoints::get(&state.db, &existing(&name)?).await?;
    Conditional::json(&headers, &EndpointView::from(endpoint))
}
