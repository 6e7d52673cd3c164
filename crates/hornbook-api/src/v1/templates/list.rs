//! Lists templates by name.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::templates::Filter;
use hornbook_types::{Reference, Slug};
use http::HeaderMap;
use serde::Deserialize;

use super::TemplateView;
use crate::extract::{Conditional, Page, QueryParams, decode_cursor, page_limit};
use crate::limits::SEARCH_BYTES;
use crate::v1::version::found;
use crate::{AppState, CanRead, Problem};

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// Items on the page, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that serve this audience. A template is stored only if it renders for every
    /// audience, so this is all of them, or none when there is no such audience.
    #[param(value_type = Option<String>)]
    audience: Option<Reference>,
    /// Only this format.
    #[param(value_type = Option<String>)]
    format: Option<Slug>,
    /// Only those whose name, description or body holds this text, whatever its case.
    q: Option<String>,
}

/// The latest version of each template, by name.
#[utoipa::path(
    get, path = "/v1/templates", tag = "templates", params(Filters),
    responses((status = 200, description = "One page of templates", body = Page<TemplateView>)),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_templates(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<Filters>,
) -> Result<Response, Problem> {
    let limit = page_limit(query.limit)?;
    let after: Option<Slug> = decode_cursor(query.cursor.as_deref())?;
    if query.q.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES) {
        return Err(Problem::query(format!("q is longer than {SEARCH_BYTES} bytes")));
    }
    let rows = if serves(&state, query.audience.as_ref()).await? {
        let filter = Filter { format: query.format, text: query.q };
        hornbook_db::templates::list(&state.db, &filter, after.as_ref(), limit + 1).await?
    } else {
        Vec::new()
    };
    let page = Page::cut(rows, limit, |last| last.pinned.slug.clone());
    Conditional::json(&headers, &page.map(TemplateView::from))
}

async fn serves(state: &AppState, audience: Option<&Reference>) -> Result<bool, Problem> {
    let Some(audience) = audience else { return Ok(true) };
    Ok(found(hornbook_db::audiences::get(&state.db, audience).await)?.is_some())
}
