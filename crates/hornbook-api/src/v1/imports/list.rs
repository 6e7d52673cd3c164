//! Lists imports by name.

use axum::extract::State;
use axum::response::Response;
use hornbook_types::Slug;
use http::HeaderMap;

use super::ImportView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams};
use crate::{AppState, CanRead, Problem};

/// The latest version of each import, by name.
#[utoipa::path(
    get, path = "/v1/imports", tag = "imports", params(ListQuery),
    responses((status = 200, description = "One page of imports", body = Page<ImportView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_imports(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = query.position::<Slug>()?;
    let rows = hornbook_db::imports::list(&state.db, after.as_ref(), limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.pinned.slug.clone());
    Conditional::json(&headers, &page.map(ImportView::from))
}
