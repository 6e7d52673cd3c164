//! Removes a mixed corpus.

use axum::extract::{Path, State};
use hornbook_db::corpora::mixed;
use http::StatusCode;

use crate::extract::corpus_id;
use crate::{AppState, CanWrite, Problem};

/// Removes a mixed corpus in any state; its files go after the reply, its sources stay.
#[utoipa::path(
    delete, path = "/v1/corpora/{id}", tag = "corpora",
    params(("id" = uuid::Uuid, Path, description = "The corpus")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such corpus", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn delete_mixed_corpus(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    mixed::delete(&state.db, corpus_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
