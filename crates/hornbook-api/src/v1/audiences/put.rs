//! Writes an audience: its first version, or the next.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::audiences;
use hornbook_types::{AudienceSpec, Reference};
use http::HeaderMap;

use super::AudienceView;
use crate::extract::{JsonBody, slug};
use crate::v1::version::{expectation, found, written};
use crate::{AppState, CanWrite, Problem};

/// Makes version 1 of an audience, or the next version (then `If-Match` must name the latest).
#[utoipa::path(
    put, path = "/v1/audiences/{slug}", tag = "audiences",
    params(
        ("slug" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "ETag of the latest version"),
    ),
    request_body(content = AudienceSpec, description = "The content"),
    responses(
        (status = 200, description = "The latest version already had this content", body = AudienceView),
        (status = 201, description = "A new version was stored", body = AudienceView),
        (status = 412, description = "If-Match is not the latest version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 428, description = "It exists, and If-Match is missing", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn put_audience(
    _: CanWrite,
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(spec): JsonBody<AudienceSpec>,
) -> Result<Response, Problem> {
    let slug = slug(&name)?;
    spec.check()?;
    let latest = Reference { slug: slug.clone(), version: None };
    let latest = found(audiences::get(&state.db, &latest).await)?;
    let expect = expectation(&headers, latest.as_ref().map(|audience| &audience.pinned))?;
    let stored = audiences::put(&state.db, &slug, &spec, expect).await?;
    let reference = Reference { slug, version: Some(stored.version) };
    let audience = audiences::get(&state.db, &reference).await?;
    let pinned = audience.pinned.clone();
    let location = format!("/v1/audiences/{pinned}");
    Ok(written(stored.created, &pinned, location, &AudienceView::from(audience)))
}
