//! The audience x format grid.

use axum::extract::State;
use axum::response::Response;
use hornbook_db::templates;

use super::chrome::Chrome;
use super::view::{GridRow, TemplatesPage};
use super::{CATALOG_ROWS, audiences, show, text};
use crate::{AppState, CanRead, Problem};

/// `GET /templates`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let stored = templates::list(&state.db, &Default::default(), None, CATALOG_ROWS).await?;
    let view = TemplatesPage {
        audiences: audiences::ladder(&state).await?.all(),
        rows: stored
            .into_iter()
            .map(|template| GridRow {
                slug: template.pinned.slug.to_string(),
                version: template.pinned.version,
                format: template.spec.format.to_string(),
                output: template.spec.output.as_str(),
                description: template.spec.description.as_deref().map(text::tame),
            })
            .collect(),
        put_line: format!(
            "curl -X PUT --json @template.json {}/v1/templates/my-template",
            state.config.base_url
        ),
    };
    show("templates.html", &Chrome::new(&caller, "templates").exact(), &view)
}
