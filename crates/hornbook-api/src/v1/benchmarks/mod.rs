//! `/v1/benchmarks`: items that no corpus may hold.

mod get;
mod items;
mod list;
mod pin;
mod put;
mod read;

use hornbook_db::benchmarks::Benchmark;
use hornbook_types::{Pinned, Slug};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

pub(crate) use pin::pin_benchmarks;

/// The operations of this resource that answer at once.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_benchmarks))
        .routes(routes!(get::get_benchmark))
        .routes(routes!(items::list_items))
}

/// The upload, whose length in time only its client knows.
pub(crate) fn uploads() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(put::put_benchmark))
}

/// One version of a benchmark.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Benchmark)]
pub(crate) struct BenchmarkView {
    /// Name.
    name: Slug,
    /// Version, from 1.
    version: u32,
    /// `name@version`.
    reference: Pinned,
    /// Number of items.
    items: u64,
    /// Bytes of the items as JSON lines.
    bytes: u64,
    /// SHA-256 of those lines, 64 hex digits.
    sha256: String,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<Benchmark> for BenchmarkView {
    fn from(benchmark: Benchmark) -> Self {
        Self {
            name: benchmark.pinned.slug.clone(),
            version: benchmark.pinned.version,
            reference: benchmark.pinned,
            items: benchmark.content.items,
            bytes: benchmark.content.bytes,
            sha256: benchmark.content.sha256,
            created_at: benchmark.created_at,
        }
    }
}
