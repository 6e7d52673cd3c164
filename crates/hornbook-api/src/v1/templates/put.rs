//! Writes a template: its first version, or the next, after it was tried for every audience.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::templates;
use hornbook_prompt::lint_template;
use hornbook_types::{Reference, TemplateSpec};
use http::HeaderMap;

use super::trial::{Tried, try_template};
use super::{TemplateView, Warning};
use crate::extract::{JsonBody, slug};
use crate::v1::version::{expectation, found, written};
use crate::{AppState, CanWrite, Problem};

/// Makes version 1 of a template, or the next version (then `If-Match` must name the latest).
///
/// The body is parsed and rendered for every audience first.
#[utoipa::path(
    put, path = "/v1/templates/{slug}", tag = "templates",
    params(
        ("slug" = String, Path, description = "Name"),
        ("If-Match" = Option<String>, Header, description = "ETag of the latest version"),
    ),
    request_body(content = TemplateSpec, description = "The content"),
    responses(
        (status = 200, description = "The latest version already had this content", body = TemplateView),
        (status = 201, description = "A new version was stored", body = TemplateView),
        (status = 412, description = "If-Match is not the latest version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong, or the body does not parse or render; `line` and `column` say where",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "It exists, and If-Match is missing", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn put_template(
    _: CanWrite,
    State(state): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(spec): JsonBody<TemplateSpec>,
) -> Result<Response, Problem> {
    let slug = slug(&name)?;
    spec.check()?;
    let latest = Reference { slug: slug.clone(), version: None };
    let latest = found(templates::get(&state.db, &latest).await)?;
    let expect = expectation(&headers, latest.as_ref().map(|template| &template.pinned))?;
    let Tried { fields, untried } = try_template(&state, &spec.body).await?;
    let warnings: Vec<Warning> =
        lint_template(&spec).into_iter().map(Warning::from).chain(untried).collect();
    let stored = templates::put(&state.db, &slug, &spec, expect).await?;
    let reference = Reference { slug, version: Some(stored.version) };
    let template = templates::get(&state.db, &reference).await?;
    let pinned = template.pinned.clone();
    let mut view = TemplateView::from(template);
    view.seed_fields = Some((&fields).into());
    view.warnings = Some(warnings);
    Ok(written(stored.created, &pinned, format!("/v1/templates/{pinned}"), &view))
}
