//! Says how many tokens, epochs and documents models need.

use axum::Json;
use axum::extract::State;
use hornbook_types::{Plan, PlanRequest, plan};

use crate::extract::QueryParams;
use crate::{AppState, CanRead, Problem};

/// How many tokens, epochs and documents models of some sizes need: for a budget of tokens or of
/// operations, or else for published goals; with `available_tokens`, held against what there is.
#[utoipa::path(
    get, path = "/v1/corpora/plan", tag = "corpora", params(PlanRequest),
    responses(
        (status = 200, description = "The plan; every figure has its source", body = Plan),
        (status = 422, description = "Some values make no sense; `errors` points to each",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn plan_corpus(
    _: CanRead,
    State(_): State<AppState>,
    QueryParams(request): QueryParams<PlanRequest>,
) -> Result<Json<Plan>, Problem> {
    Ok(Json(plan(&request)?))
}
