//! `/v1/jobs`: what users submit, and how it goes.

mod cancel;
mod create;
mod delete;
mod document;
mod documents;
mod dry_run;
mod events;
mod get;
mod list;
mod pause;
mod resolve;
mod resume;
mod retry;
mod set;
mod stats;
mod view;
mod watch;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

pub(crate) use create::submit;
pub(crate) use view::JobView;

/// The operations of this resource.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list_jobs))
        .routes(routes!(get::get_job, delete::delete_job, set::set_job))
        .routes(routes!(cancel::cancel_job))
        .routes(routes!(pause::pause_job))
        .routes(routes!(resume::resume_job))
        .routes(routes!(retry::retry_job))
        .routes(routes!(events::list_job_events))
        .routes(routes!(documents::list_job_documents))
        .routes(routes!(document::get_job_document))
        .routes(routes!(stats::get_job_stats))
}

/// The operations that create, which take an `Idempotency-Key`.
pub(crate) fn creating() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create::create_job))
}
