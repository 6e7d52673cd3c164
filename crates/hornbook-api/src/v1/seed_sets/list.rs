//! Lists seed sets by name.

use axum::extract::State;
use axum::response::Response;
use hornbook_types::Slug;
use http::HeaderMap;

use super::SeedSetView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams};
use crate::{AppState, CanRead, Problem};

/// The latest version of each seed set, by name.
#[utoipa::path(
    get, path = "/v1/seed-sets", tag = "seed sets", params(ListQuery),
    responses((status = 200, description = "One page of seed sets", body = Page<SeedSetView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_seed_sets(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = query.position::<Slug>()?;
    let rows = hornbook_db::seed_sets::list(&state.db, after.as_ref(), limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.pinned.slug.clone());
    Conditional::json(&headers, &page.map(SeedSetView::from))
}
