//! Gets one template.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_prompt::CompiledTemplate;
use http::HeaderMap;

use super::TemplateView;
use crate::extract::{Conditional, not_modified, reference};
use crate::v1::version::version_tag;
use crate::{AppState, CanRead, Problem};

/// One template: `name` for its latest version, `name@version` for that one.
#[utoipa::path(
    get, path = "/v1/templates/{slug}", tag = "templates",
    params(("slug" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 200, description = "The template", body = TemplateView),
        (status = 304, description = "The client has this version already"),
        (status = 404, description = "No such template or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_template(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference("template", &slug)?;
    let template = hornbook_db::templates::get(&state.db, &reference).await?;
    let tag = version_tag(&template.pinned);
    let mut view = TemplateView::from(template);
    if !not_modified(&headers, &tag) {
        let body = view.spec.body.clone();
        let parsed = state.render.run(move || CompiledTemplate::parse(&body)).await?;
        view.seed_fields = parsed.ok().map(|compiled| compiled.fields().into());
    }
    Ok(Conditional::tagged(&headers, &tag, &view))
}
