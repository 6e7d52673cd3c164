//! Asks for a new revision of a mixed corpus.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use hornbook_db::corpora::mixed;
use hornbook_types::Invalid;
use http::StatusCode;
use http::header::LOCATION;

use super::view::MixedView;
use crate::extract::{corpus_id, optional_json};
use crate::v1::benchmarks::pin_benchmarks;
use crate::v1::corpus::AssembleRequest;
use crate::v1::corpus::check_tokenizer;
use crate::{AppState, CanWrite, Problem};

/// Assembles what its sources hold now as a new revision; with `assembly`, the corpus is assembled
/// so from now on.
///
/// The reply does not wait for it, and what was published before can be pulled until then.
#[utoipa::path(
    post, path = "/v1/corpora/{id}/corpus", tag = "corpora",
    params(
        ("id" = uuid::Uuid, Path, description = "The corpus"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send the same request again within 24 hours"),
    ),
    request_body(content = Option<AssembleRequest>, description = "How to assemble; may be absent"),
    responses(
        (status = 202, description = "It will be assembled; Location names it", body = MixedView),
        (status = 404, description = "No such corpus", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn assemble_mixed_corpus(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = corpus_id(&id)?;
    let AssembleRequest { mut assembly } = optional_json(request).await?.unwrap_or_default();
    if let Some(assembly) = &mut assembly {
        let mut faults = Vec::new();
        assembly.check("/assembly", &mut faults);
        pin_benchmarks(&state, assembly, "/assembly", &mut faults).await?;
        Invalid::from_faults(faults)?;
        check_tokenizer(&state, assembly)?;
    }
    mixed::request(&state.db, id, assembly.as_ref()).await?;
    let corpus = mixed::get(&state.db, id).await?;
    let location = [(LOCATION, format!("/v1/corpora/{id}/corpus"))];
    Ok((StatusCode::ACCEPTED, location, Json(MixedView::from(corpus))).into_response())
}
