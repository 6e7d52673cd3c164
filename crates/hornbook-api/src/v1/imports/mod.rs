//! `/v1/imports`: text that was written elsewhere, as a source of corpora.

mod delete;
mod get;
mod list;
mod put;
mod request;
mod upload;

use hornbook_db::imports::Import;
use hornbook_types::{CorpusFile, ImportOrigin, ImportState, Pinned, Redistribution, Slug};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::AppState;

/// The operations of this resource that answer at once.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_imports))
        .routes(routes!(get::get_import))
        .routes(routes!(delete::delete_import))
}

/// The upload, whose length in time only its client knows.
pub(crate) fn uploads() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(put::put_import))
}

/// One version of an import.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportView {
    /// Id.
    id: Uuid,
    /// Name.
    slug: Slug,
    /// Version, from 1.
    version: u32,
    /// `name@version`.
    reference: Pinned,
    /// Where it stands.
    state: ImportState,
    /// Where the documents come from.
    origin: ImportOrigin,
    /// Licence of the documents.
    license: String,
    /// What that licence says of passing them on; the card of a corpus warns unless it is `allowed`.
    redistribution: Redistribution,
    /// Where they come from, in words.
    source: Option<String>,
    /// Column that held the documents.
    column: String,
    /// Documents; while it is imported, those that were read so far.
    rows: u64,
    /// Bytes of their texts.
    text_bytes: u64,
    /// Tokens: as counted where the documents say so, else a quarter of their bytes.
    tokens: u64,
    /// SHA-256 over the files, 64 hex digits; empty until it is ready.
    sha256: String,
    /// The files; only where one import is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<CorpusFile>>,
    /// Why it failed, if it did.
    error: Option<String>,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it became ready or failed.
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

impl From<Import> for ImportView {
    fn from(import: Import) -> Self {
        Self {
            id: import.id,
            slug: import.pinned.slug.clone(),
            version: import.pinned.version,
            reference: import.pinned,
            state: import.state,
            origin: import.origin,
            license: import.license,
            redistribution: import.redistribution,
            source: import.source,
            column: import.text_column,
            rows: import.rows_so_far,
            text_bytes: import.content.text_bytes,
            tokens: import.content.tokens,
            sha256: import.content.sha256,
            files: None,
            error: import.error,
            created_at: import.created_at,
            finished_at: import.finished_at,
        }
    }
}

impl ImportView {
    /// The same with the files.
    fn whole(mut import: Import) -> Self {
        let files = std::mem::take(&mut import.content.files);
        Self { files: Some(files), ..Self::from(import) }
    }
}
