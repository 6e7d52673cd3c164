//! `/v1/seed-sets`: numbered sets of input records.

mod get;
mod import;
mod list;
mod put;
mod seeds;

use std::collections::BTreeMap;

use hornbook_db::seed_sets::SeedSet;
use hornbook_types::{Pinned, SeedRecord, Slug};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// The operations of this resource that answer at once.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_seed_sets))
        .routes(routes!(get::get_seed_set))
        .routes(routes!(seeds::list_seeds))
}

/// The upload, whose length in time only its client knows.
pub(crate) fn uploads() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(put::put_seed_set))
}

/// One version of a seed set.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SeedSet)]
pub(crate) struct SeedSetView {
    /// Name.
    slug: Slug,
    /// Version, from 1.
    version: u32,
    /// `name@version`.
    reference: Pinned,
    /// `builtin` or `user`.
    origin: &'static str,
    /// Licence of the records.
    license: String,
    /// Where they came from.
    source: Option<String>,
    /// Number of records.
    count: u64,
    /// How many records have each field.
    fields: BTreeMap<String, u64>,
    /// The first records; only where one seed set is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Vec<SeedView>>,
    /// SHA-256 over licence and records, 64 hex digits.
    sha256: String,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// One record of a seed set.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Seed)]
pub(crate) struct SeedView {
    /// Number of the record, from 0.
    seq: u64,
    /// The record.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

impl From<SeedRecord> for SeedView {
    fn from(record: SeedRecord) -> Self {
        Self { seq: record.seq, data: record.data }
    }
}

impl From<SeedSet> for SeedSetView {
    fn from(set: SeedSet) -> Self {
        Self {
            slug: set.pinned.slug.clone(),
            version: set.pinned.version,
            reference: set.pinned,
            origin: super::version::origin(set.origin),
            license: set.license,
            source: set.source,
            count: set.count,
            fields: set.fields,
            sample: None,
            sha256: set.sha256,
            created_at: set.created_at,
        }
    }
}
