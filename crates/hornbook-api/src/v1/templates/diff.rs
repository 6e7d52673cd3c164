//! Tells two versions of a template apart.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_types::{Pinned, Reference, TemplateSpec};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::lines::{LineChange, diff_lines};
use crate::extract::{Conditional, QueryParams, reference};
use crate::{AppState, CanRead, Problem};

/// Which versions to compare.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Versions {
    /// The older version.
    from: u32,
    /// The newer version; default: the latest.
    to: Option<u32>,
}

/// What changed between two versions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TemplateDiff {
    /// The older version.
    from: Pinned,
    /// The newer version.
    to: Pinned,
    /// Fields other than the body that changed.
    fields: Vec<FieldChange>,
    /// Lines of the body, in order: kept, removed and added.
    body: Vec<LineChange>,
}

/// One field that changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct FieldChange {
    /// The field.
    field: &'static str,
    /// Before.
    from: Option<String>,
    /// After.
    to: Option<String>,
}

/// The difference between two versions of one template, line by line.
#[utoipa::path(
    get, path = "/v1/templates/{slug}/diff", tag = "templates",
    params(("slug" = String, Path, description = "Name"), Versions),
    responses(
        (status = 200, description = "The difference", body = TemplateDiff),
        (status = 404, description = "No such template or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn diff_template(
    _: CanRead,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<Versions>,
) -> Result<Response, Problem> {
    let slug = reference("template", &slug)?.slug;
    let version = |version| Reference { slug: slug.clone(), version };
    let old = hornbook_db::templates::get(&state.db, &version(Some(query.from))).await?;
    let new = hornbook_db::templates::get(&state.db, &version(query.to)).await?;
    let diff = TemplateDiff {
        fields: changed_fields(&old.spec, &new.spec),
        body: diff_lines(&old.spec.body, &new.spec.body),
        from: old.pinned,
        to: new.pinned,
    };
    Conditional::json(&headers, &diff)
}

fn changed_fields(old: &TemplateSpec, new: &TemplateSpec) -> Vec<FieldChange> {
    let name = |spec: &TemplateSpec| {
        [
            ("format", Some(spec.format.to_string())),
            ("output", Some(spec.output.as_str().to_owned())),
            ("description", spec.description.clone()),
        ]
    };
    name(old)
        .into_iter()
        .zip(name(new))
        .filter(|((_, from), (_, to))| from != to)
        .map(|((field, from), (_, to))| FieldChange { field, from, to })
        .collect()
}
