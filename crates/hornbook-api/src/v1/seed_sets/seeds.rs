//! Lists the records of a seed set.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::SeedView;
use crate::extract::{Conditional, ListQuery, Page, QueryParams, reference};
use crate::{AppState, CanRead, Problem};

/// The records of a seed set, by number.
#[utoipa::path(
    get, path = "/v1/seed-sets/{slug}/seeds", tag = "seed sets",
    params(("slug" = String, Path, description = "`name` or `name@version`"), ListQuery),
    responses(
        (status = 200, description = "One page of records", body = Page<SeedView>),
        (status = 404, description = "No such seed set or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_seeds(
    _: CanRead,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Response, Problem> {
    // The cursor pins the version, so that an import meanwhile does not change what is being read.
    let (position, limit) = query.position::<(u32, u64)>()?;
    let mut reference = reference("seed set", &slug)?;
    if let Some((version, _)) = position {
        reference.version.get_or_insert(version);
    }
    let set = hornbook_db::seed_sets::get(&state.db, &reference).await?;
    let from = position.map_or(0, |(_, seq)| seq);
    let rows = hornbook_db::seeds::page(&state.db, &set.pinned, from, limit + 1).await?;
    let page = Page::cut(rows, limit, |last| (set.pinned.version, last.seq + 1));
    Conditional::json(&headers, &page.map(SeedView::from))
}
