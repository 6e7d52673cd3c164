//! Changes what may be changed of a job that is there.

use axum::Json;
use axum::extract::{Path, State};
use hornbook_db::jobs;
use hornbook_types::{Budget, BudgetEnd, FieldError, Invalid};
use serde::{Deserialize, Deserializer};

use super::JobView;
use crate::extract::{JsonBody, job_id};
use crate::{AppState, CanWrite, Problem};

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobChange {
    /// Bounds to change; null takes a bound away.
    #[serde(default)]
    budget: Option<BudgetChange>,
    /// Higher goes first.
    #[serde(default)]
    priority: Option<i32>,
}

/// Bounds to change; what is absent stays, null takes a bound away.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BudgetChange {
    /// Prompt and completion tokens.
    #[serde(deserialize_with = "present")]
    tokens: Option<Option<u64>>,
    /// US dollars.
    #[serde(deserialize_with = "present")]
    usd: Option<Option<f64>>,
    /// Failed prompts.
    #[serde(deserialize_with = "present")]
    failures: Option<Option<u64>>,
    /// What happens when one of them is spent.
    then: Option<BudgetEnd>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

impl BudgetChange {
    fn applied_to(self, budget: Budget) -> Budget {
        Budget {
            tokens: self.tokens.unwrap_or(budget.tokens),
            usd: self.usd.unwrap_or(budget.usd),
            failures: self.failures.unwrap_or(budget.failures),
            then: self.then.unwrap_or(budget.then),
        }
    }
}

/// Changes a job's budget or priority; they hold from the next prompts on.
///
/// A job that was paused because its budget was spent stays paused until it is resumed; one that
/// ended so goes on with `/retry`.
#[utoipa::path(
    patch, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    request_body(content = JobChange, description = "What to change"),
    responses(
        (status = 200, description = "The job as it is now", body = JobView),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Some values are wrong; `errors` points to each",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["write"]), ("session" = ["write"]))
)]
pub(crate) async fn set_job(
    _: CanWrite,
    State(state): State<AppState>,
    Path(id): Path<String>,
    JsonBody(change): JsonBody<JobChange>,
) -> Result<Json<JobView>, Problem> {
    let id = job_id(&id)?;
    let JobChange { budget, priority } = change;
    // Applied to the budget as it is under the job's lock: of two changes at once both hold.
    let budget = budget.map(|change| {
        |before: Budget| {
            let after = change.applied_to(before);
            let mut faults: Vec<FieldError> = Vec::new();
            after.check("/budget", &mut faults);
            Invalid::from_faults(faults)?;
            Ok::<_, Problem>(after)
        }
    });
    jobs::change(&state.db, id, budget, priority).await?;
    let job = jobs::get(&state.db, id).await?;
    Ok(Json(JobView::whole(&state, job).await?))
}
