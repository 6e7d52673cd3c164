//! Asks for a mixed corpus.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hornbook_db::corpora::mixed;
use hornbook_types::{CorpusSpec, Invalid};
use http::StatusCode;
use http::header::LOCATION;
use uuid::Uuid;

use super::resolve::resolve;
use super::view::MixedView;
use crate::extract::JsonBody;
use crate::v1::benchmarks::pin_benchmarks;
use crate::v1::corpus::check_tokenizer;
use crate::{AppState, CanWrite, Problem};

/// Mixes a corpus from several jobs and imports. The reply does not wait for it: `state` goes from
/// `queued` over `assembling` to `ready` or `failed`.
///
/// A job that still runs gives what it has accepted by then, and the corpus is partial; one that has
/// accepted nothing yet is refused with 409 `not_ready`.
#[utoipa::path(
    post, path = "/v1/corpora", tag = "corpora",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send the same request again within 24 hours"),
    ),
    request_body(content = CorpusSpec, description = "The corpus"),
    responses(
        (status = 201, description = "It will be assembled; Location names it", body = MixedView),
        (status = 409, description = "A job has accepted no document yet (`not_ready`; `pointer`, `state` and `counts` say which and how far it is), or a request with this Idempotency-Key has not been answered yet",
            body = crate::ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong; `errors` points to each",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn create_corpus(
    _: CanWrite,
    State(state): State<AppState>,
    JsonBody(spec): JsonBody<CorpusSpec>,
) -> Result<Response, Problem> {
    let id = submit(&state, spec).await?;
    let corpus = mixed::get(&state.db, id).await?;
    let location = [(LOCATION, format!("/v1/corpora/{id}"))];
    Ok((StatusCode::CREATED, location, Json(MixedView::from(corpus))).into_response())
}

/// Names and pins every source of `spec` and stores the corpus; its id.
pub(crate) async fn submit(state: &AppState, mut spec: CorpusSpec) -> Result<Uuid, Problem> {
    spec.check()?;
    check_tokenizer(state, &spec.assembly)?;
    resolve(state, &mut spec).await?;
    let mut faults = Vec::new();
    pin_benchmarks(state, &mut spec.assembly, "/assembly", &mut faults).await?;
    Invalid::from_faults(faults)?;
    let id = state.new_id();
    mixed::submit(&state.db, id, &spec).await?;
    Ok(id)
}
