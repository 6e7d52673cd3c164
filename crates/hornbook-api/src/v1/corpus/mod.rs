//! `/v1/jobs/{id}/corpus`: what a job's accepted documents became.

mod assemble;
mod file;
mod manifest;
mod range;
mod tokenizer;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use tokenizer::check_tokenizer;

use crate::AppState;

pub(crate) use assemble::AssembleRequest;
pub(crate) use file::{Revision, overloaded, serve_file};
pub(crate) use manifest::not_ready;

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(manifest::get_corpus))
        .routes(routes!(file::get_corpus_file))
}

/// The operations that create, which take an `Idempotency-Key`.
pub(crate) fn creating() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(assemble::assemble_corpus))
}
