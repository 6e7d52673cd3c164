//! Gets one benchmark.

use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

use super::BenchmarkView;
use crate::extract::{Conditional, reference};
use crate::v1::version::version_tag;
use crate::{AppState, CanRead, Problem};

/// One benchmark: `name` for its latest version, `name@version` for that one.
#[utoipa::path(
    get, path = "/v1/benchmarks/{name}", tag = "benchmarks",
    params(("name" = String, Path, description = "`name` or `name@version`")),
    responses(
        (status = 200, description = "The benchmark", body = BenchmarkView),
        (status = 304, description = "The client has this version already"),
        (status = 404, description = "No such benchmark or version", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_benchmark(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference("benchmark", &name)?;
    let benchmark = hornbook_db::benchmarks::get(&state.db, &reference).await?;
    let tag = version_tag(&benchmark.pinned);
    Ok(Conditional::tagged(&headers, &tag, &BenchmarkView::from(benchmark)))
}
