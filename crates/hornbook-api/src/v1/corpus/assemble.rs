//! Asks for a corpus of what is accepted now.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use hornbook_db::{assembly, jobs};
use hornbook_types::{AssemblySpec, Invalid};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;

use super::check_tokenizer;
use crate::extract::{job_id, optional_json};
use crate::v1::benchmarks::pin_benchmarks;
use crate::v1::jobs::JobView;
use crate::{AppState, CanWrite, Problem};

/// How to assemble.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssembleRequest {
    /// Default: as the job's own spec says.
    #[serde(default)]
    pub(crate) assembly: Option<AssemblySpec>,
}

/// Assembles what is accepted now, in any state of the job, as a new revision of its corpus.
///
/// The corpus is partial unless every prompt has ended. The reply does not wait for it.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/corpus", tag = "corpora",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send the same request again within 24 hours"),
    ),
    request_body(content = Option<AssembleRequest>, description = "How to assemble; may be absent"),
    responses(
        (status = 202, description = "It will be assembled; Location names it", body = JobView),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn assemble_corpus(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let AssembleRequest { mut assembly } = optional_json(request).await?.unwrap_or_default();
    if let Some(assembly) = &mut assembly {
        let mut faults = Vec::new();
        assembly.check("/assembly", &mut faults);
        pin_benchmarks(&state, assembly, "/assembly", &mut faults).await?;
        Invalid::from_faults(faults)?;
        check_tokenizer(&state, assembly)?;
    }
    assembly::request(&state.db, id, assembly.as_ref()).await?;
    let job = jobs::get(&state.db, id).await?;
    let location = [(LOCATION, format!("/v1/jobs/{id}/corpus"))];
    let view = JobView::whole(&state, job).await?;
    Ok((StatusCode::ACCEPTED, location, Json(view)).into_response())
}
