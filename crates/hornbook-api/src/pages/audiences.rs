//! The ladder of audiences, and one audience.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::{audiences, templates};
use hornbook_types::Reference;
use serde::Deserialize;

use super::chrome::Chrome;
use super::view::{AudiencePage, AudiencesPage, LabelledLink, Ladder, Step, VersionLink};
use super::{CATALOG_ROWS, show, slug};
use crate::extract::QueryParams;
use crate::{AppState, CanRead, Problem};

/// All audiences as stored.
pub(super) async fn ladder(state: &AppState) -> Result<Ladder, Problem> {
    let stored = audiences::list(&state.db, None, CATALOG_ROWS).await?;
    let step = |audience: &audiences::Audience| {
        Step::new(audience.pinned.slug.as_str(), audience.pinned.version, &audience.spec)
    };
    Ok(Ladder::new(stored.iter().map(step).collect()))
}

/// `GET /audiences`.
pub(super) async fn all(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
) -> Result<Response, Problem> {
    let ladder = ladder(&state).await?;
    let view = AudiencesPage {
        all: ladder.all(),
        ladder,
        put_line: format!(
            "curl -X PUT --json @audience.json {}/v1/audiences/my-readers",
            state.config.base_url
        ),
    };
    show("audiences.html", &Chrome::new(&caller, "audiences").exact(), &view)
}

/// Which version to show.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    pub(super) version: Option<u32>,
}

/// `GET /audiences/{slug}`.
pub(super) async fn one(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(name): Path<String>,
    QueryParams(which): QueryParams<Which>,
) -> Result<Response, Problem> {
    let slug = slug("audience", &name)?;
    let reference = Reference { slug: slug.clone(), version: which.version };
    let audience = audiences::get(&state.db, &reference).await?;
    let versions = audiences::versions(&state.db, &slug).await?;
    let templates = templates::list(&state.db, &Default::default(), None, CATALOG_ROWS).await?;
    let current = audience.pinned.version;
    let view = AudiencePage {
        rank_text: audience.spec.rank.map(|rank| format!("rung {} of the ladder", rank + 1)),
        outdated: versions.first().is_some_and(|latest| latest.pinned.version != current),
        versions: versions
            .iter()
            .map(|version| VersionLink {
                number: version.pinned.version,
                current: version.pinned.version == current,
                created: version.created_at.into(),
            })
            .collect(),
        templates: templates
            .iter()
            .map(|template| LabelledLink {
                href: format!("/templates/{}?audience={slug}#preview", template.pinned.slug),
                label: template.pinned.slug.to_string(),
            })
            .collect(),
        step: Step::new(slug.as_str(), current, &audience.spec),
    };
    show("audience.html", &Chrome::new(&caller, "audiences"), &view)
}
