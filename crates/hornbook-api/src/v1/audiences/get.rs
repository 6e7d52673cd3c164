//! Gets one audience.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::AudienceView;
use crate::extract::{Conditional, reference};
use crate::v1::version::version_tag;
use crate::{AppState, CanRead, Problem};

/// One audience: `name` for its latest version, `name@version` for that one.
#[utoipa::path(
    get, path = "/v1/audiences/{slug}", tag = "audiences",
    params(("slug" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 200, description = "The audience", body = AudienceView),
        (status = 304, description = "The client has this version already"),
        (status = 404, description = "No such audience or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_audience(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference("audience", &slug)?;
    let audience = hornbook_db::audiences::get(&state.db, &reference).await?;
    let tag = version_tag(&audience.pinned);
    Ok(Conditional::tagged(&headers, &tag, &AudienceView::from(audience)))
}
