//! Lists the branches of a dataset: `main`.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::dataset::{Asked, Dataset, MAIN};
use super::source;
use crate::{AppState, CanRead, Problem};

/// Branches and tags of a dataset.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetRefs)]
pub(super) struct RefsView {
    /// `main` alone.
    branches: Vec<BranchView>,
    /// None: a revision is named by its commit.
    tags: Vec<BranchView>,
    /// None: nothing is converted.
    converts: Vec<BranchView>,
}

/// A name for a commit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DatasetBranch)]
pub(super) struct BranchView {
    /// Its name.
    name: &'static str,
    /// The same in full.
    r#ref: &'static str,
    /// The commit that it names now.
    #[serde(rename = "targetCommit")]
    target_commit: String,
}

/// The branches of a dataset; `main` is the newest revision.
#[utoipa::path(
    get, path = "/api/datasets/{ns}/{id}/refs", tag = "hub",
    params(
        ("ns" = String, Path, description = "`jobs` or `corpora`"),
        ("id" = String, Path, description = "The job, or the mixed corpus"),
    ),
    responses(
        (status = 200, description = "The branches", body = RefsView),
        (status = 404, description = "No such dataset", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "Nothing is published yet", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(super) async fn list_dataset_refs(
    _: CanRead,
    State(state): State<AppState>,
    Path((namespace, id)): Path<(String, String)>,
) -> Result<Json<RefsView>, Problem> {
    let dataset = Dataset::parse(&namespace, &id)?;
    let main = source::revision(&state, dataset, &Asked::Main).await?;
    let main = BranchView { name: MAIN, r#ref: "refs/heads/main", target_commit: main.commit };
    Ok(Json(RefsView { branches: vec![main], tags: Vec::new(), converts: Vec::new() }))
}
