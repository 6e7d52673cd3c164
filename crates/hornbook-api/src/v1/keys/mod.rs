//! `/v1/keys`: who may ask.

mod create;
mod delete;
mod list;

use hornbook_db::keys::ApiKey;
use hornbook_types::{KeyQuota, Scope};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list::list_keys)).routes(routes!(delete::delete_key))
}

/// The operations that create, which take an `Idempotency-Key`.
pub(crate) fn creating() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create::create_key))
}

/// An API key, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct KeyView {
    /// The public part of the key.
    id: String,
    /// Name shown to people.
    name: String,
    /// What it may do; `admin` includes `write`, which includes `read`.
    scopes: Vec<Scope>,
    /// What its jobs may use; an absent quota is none.
    quota: KeyQuota,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            quota: key.quota,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}
