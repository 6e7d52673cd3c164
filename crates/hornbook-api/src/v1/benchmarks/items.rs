//! Gives a benchmark's items back.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue};
use http::{HeaderMap, StatusCode};
use object_store::ObjectStoreExt as _;

use crate::extract::{not_modified, reference};
use crate::{AppState, CanRead, Problem};

/// The items of a benchmark, one `{item_id, text}` a line, in the order in which they were sent.
#[utoipa::path(
    get, path = "/v1/benchmarks/{name}/items", tag = "benchmarks",
    params(("name" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 200, description = "Every item; the ETag is the SHA-256 of the body", body = String,
            content_type = "application/x-ndjson"),
        (status = 304, description = "The client has these items already"),
        (status = 404, description = "No such benchmark or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_items(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference("benchmark", &name)?;
    let content = hornbook_db::benchmarks::get(&state.db, &reference).await?.content;
    let tag = format!("\"{}\"", content.sha256);
    let mut response = if not_modified(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let place = object_store::path::Path::from(content.location.as_str());
        let found = state.store.get(&place).await.map_err(|error| Problem::internal(&error))?;
        let mut response = Response::new(Body::from_stream(found.into_stream()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(content.bytes));
        response
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}
