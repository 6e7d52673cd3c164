//! Lists the versions of a template.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::TemplateView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams, reference};
use crate::{AppState, CanRead, Problem};

/// Every version of one template, newest first.
#[utoipa::path(
    get, path = "/v1/templates/{slug}/versions", tag = "templates",
    params(("slug" = String, Path, description = "Name"), ListQuery),
    responses(
        (status = 200, description = "One page of versions", body = Page<TemplateView>),
        (status = 404, description = "No such template", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_template_versions(
    _: CanRead,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    let (below, limit) = query.position::<u32>()?;
    let slug = reference("template", &slug)?.slug;
    let mut versions = hornbook_db::templates::versions(&state.db, &slug).await?;
    versions.retain(|template| below.is_none_or(|below| template.pinned.version < below));
    let page = Page::cut(versions, limit, |last| last.pinned.version);
    Conditional::json(&headers, &page.map(TemplateView::from))
}
