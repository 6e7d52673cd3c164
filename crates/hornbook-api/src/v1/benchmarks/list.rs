//! Lists benchmarks by name.

use axum::extract::State;
use axum::response::Response;
use hornbook_types::Slug;
use http::HeaderMap;

use super::BenchmarkView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams};
use crate::{AppState, CanRead, Problem};

/// The latest version of each benchmark, by name.
#[utoipa::path(
    get, path = "/v1/benchmarks", tag = "benchmarks", params(ListQuery),
    responses((status = 200, description = "One page of benchmarks", body = Page<BenchmarkView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_benchmarks(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = query.position::<Slug>()?;
    let rows = hornbook_db::benchmarks::list(&state.db, after.as_ref(), limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.pinned.slug.clone());
    Conditional::json(&headers, &page.map(BenchmarkView::from))
}
