//! `/v1/audiences`: whom texts are written for.

mod get;
mod list;
mod put;

use hornbook_db::audiences::Audience;
use hornbook_types::{AudienceSpec, Pinned, Slug};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_audiences))
        .routes(routes!(get::get_audience, put::put_audience))
}

/// One version of an audience.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Audience)]
pub(crate) struct AudienceView {
    /// Name.
    slug: Slug,
    /// Version, from 1.
    version: u32,
    /// `name@version`.
    reference: Pinned,
    /// `builtin` or `user`.
    origin: &'static str,
    /// When this version was stored.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// The content.
    #[serde(flatten)]
    spec: AudienceSpec,
}

impl From<Audience> for AudienceView {
    fn from(audience: Audience) -> Self {
        Self {
            slug: audience.pinned.slug.clone(),
            version: audience.pinned.version,
            reference: audience.pinned,
            origin: super::version::origin(audience.origin),
            created_at: audience.created_at,
            spec: audience.spec,
        }
    }
}
