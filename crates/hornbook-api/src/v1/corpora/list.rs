//! Lists mixed corpora, newest first.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::corpora::mixed;
use hornbook_types::CorpusState;
use http::HeaderMap;
use serde::Deserialize;
use uuid::Uuid;

use super::view::MixedView;
use crate::extract::{Conditional, Page, QueryParams, decode_cursor, page_limit};
use crate::{AppState, CanRead, Problem};

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// Corpora on the page, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those in this state.
    state: Option<CorpusState>,
}

/// Corpora mixed from several sources, newest first; a job's own is at `/v1/jobs/{id}/corpus`.
#[utoipa::path(
    get, path = "/v1/corpora", tag = "corpora", params(Filters),
    responses((status = 200, description = "One page of corpora", body = Page<MixedView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_corpora(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<Filters>,
) -> Result<Response, Problem> {
    let before: Option<Uuid> = decode_cursor(query.cursor.as_deref())?;
    let limit = page_limit(query.limit)?;
    let rows = mixed::list(&state.db, before, query.state, limit + 1).await?;
    let page = Page::cut(rows, limit, |last| last.id);
    Conditional::json(&headers, &page.map(MixedView::from))
}
