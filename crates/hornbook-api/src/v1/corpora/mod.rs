//! `/v1/corpora`: corpora mixed from several jobs and imports.

mod assemble;
mod create;
mod delete;
mod file;
mod get;
mod list;
mod manifest;
mod plan;
mod resolve;
mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

pub(crate) use manifest::not_ready;

pub(crate) use create::submit;

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_corpora))
        .routes(routes!(plan::plan_corpus))
        .routes(routes!(get::get_mixed_corpus, delete::delete_mixed_corpus))
        .routes(routes!(manifest::get_mixed_manifest))
        .routes(routes!(file::get_mixed_file))
}

/// The operations that create, which take an `Idempotency-Key`.
pub(crate) fn creating() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::create_corpus))
        .routes(routes!(assemble::assemble_mixed_corpus))
}
