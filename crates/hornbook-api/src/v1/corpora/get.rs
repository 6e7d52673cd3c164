//! Gets one mixed corpus.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::corpora::mixed;
use http::HeaderMap;

use super::view::MixedView;
use crate::extract::{Conditional, corpus_id};
use crate::{AppState, CanRead, Problem};

/// One mixed corpus: where it stands, and what it is made of.
#[utoipa::path(
    get, path = "/v1/corpora/{id}", tag = "corpora",
    params(("id" = uuid::Uuid, Path, description = "The corpus")),
    responses(
        (status = 200, description = "The corpus", body = MixedView),
        (status = 304, description = "The client has it as it is"),
        (status = 404, description = "No such corpus", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_mixed_corpus(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let corpus = mixed::get(&state.db, corpus_id(&id)?).await?;
    Conditional::json(&headers, &MixedView::from(corpus))
}
