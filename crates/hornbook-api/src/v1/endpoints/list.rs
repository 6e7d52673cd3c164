//! Lists endpoints by name.

use axum::extract::State;
use axum::response::Response;
use hornbook_types::Slug;
use http::HeaderMap;

use super::EndpointView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams};
use crate::{AppState, CanRead, Problem};

/// Endpoints, by name.
#[utoipa::path(
    get, path = "/v1/endpoints", tag = "endpoints", params(ListQuery),
    responses((status = 200, description = "One page of endpoints", body = Page<EndpointView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_endpoints(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = query.position::<Slug>()?;
    let rows = hornbook_db::endpoints::list(&state.db, after.as_ref(), limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.name.clone());
    Conditional::json(&headers, &page.map(EndpointView::from))
}
