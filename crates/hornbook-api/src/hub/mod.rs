//! `/datasets` and `/api/datasets`: corpora as the clients of the Hugging Face Hub read datasets.
//!
//! `HF_ENDPOINT=http://HOST:PORT` makes them work on `jobs/{id}` and `corpora/{id}`. What they need in which answer was
//! found by running them; `tests/tests/hub_clients.rs` runs them again. Handlers answer with ordinary
//! problems; [`speak_hub`] says those in the headers that such clients read.

mod dataset;
mod entry;
mod info;
mod listing;
mod paths_info;
mod refs;
mod resolve;
mod source;
mod tree;
mod words;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

pub(crate) use words::speak_hub;

/// Every read of the Hub's protocol.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(resolve::resolve_dataset_file))
        .routes(routes!(info::get_dataset))
        .routes(routes!(info::get_dataset_revision))
        .routes(routes!(tree::list_dataset_root))
        .routes(routes!(tree::list_dataset_directory))
        .routes(routes!(paths_info::list_dataset_paths))
        .routes(routes!(refs::list_dataset_refs))
}
