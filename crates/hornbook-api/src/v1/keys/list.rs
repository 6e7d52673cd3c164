//! Lists API keys.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::KeyView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams};
use crate::{AppState, CanAdmin, Problem};

/// API keys by id, revoked ones included; never their secrets.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", params(ListQuery),
    responses((status = 200, description = "One page of keys", body = Page<KeyView>)),
    security(("key" = ["admin"]), ("session" = ["admin"]))
)]
pub(crate) async fn list_keys(
    _: CanAdmin,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = query.position::<String>()?;
    let rows = hornbook_db::keys::list(&state.db, after.as_deref(), limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.id.clone());
    Conditional::json(&headers, &page.map(KeyView::from))
}
