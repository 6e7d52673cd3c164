//! Gets one seed set.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::{SeedSetView, SeedView};
use crate::extract::{Conditional, reference};
use crate::v1::version::version_tag;
use crate::{AppState, CanRead, Problem};

/// Records shown with a seed set.
const SAMPLE_SEEDS: u32 = 3;

/// One seed set with its first records: `name` for its latest version, `name@version` for that one.
#[utoipa::path(
    get, path = "/v1/seed-sets/{slug}", tag = "seed sets",
    params(("slug" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 200, description = "The seed set", body = SeedSetView),
        (status = 304, description = "The client has this version already"),
        (status = 404, description = "No such seed set or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_seed_set(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference("seed set", &slug)?;
    let set = hornbook_db::seed_sets::get(&state.db, &reference).await?;
    let sample = hornbook_db::seeds::page(&state.db, &set.pinned, 0, SAMPLE_SEEDS).await?;
    let tag = version_tag(&set.pinned);
    let mut view = SeedSetView::from(set);
    view.sample = Some(sample.into_iter().map(SeedView::from).collect());
    Ok(Conditional::tagged(&headers, &tag, &view))
}
