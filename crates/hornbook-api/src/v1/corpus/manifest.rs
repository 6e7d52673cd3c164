//! Gets a job's corpus: its manifest, as far as clients need it to pull the files.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::corpora::{self, Corpus};
use hornbook_db::jobs::{self, Job};
use hornbook_types::{CorpusFile, JobState, PinnedJobSpec, RowFunnel};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::extract::{Conditional, job_id};
use crate::v1::version::found;
use crate::{AppState, CanRead, Problem};

/// A job's corpus.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Corpus)]
pub(crate) struct CorpusView {
    /// The job.
    job: Uuid,
    /// Where the job stands.
    state: JobState,
    /// 40 hex digits that name this very content.
    commit: String,
    /// Number of the revision within the job, from 1.
    revision: u32,
    /// True unless every prompt of the job had ended.
    partial: bool,
    /// Rows.
    rows: u64,
    /// Completion tokens of those rows.
    tokens: u64,
    /// Every file, each below `files_url`.
    files: Vec<CorpusFile>,
    /// Put a file's path behind it to get the file.
    files_url: String,
    /// Path of the dataset card.
    card: &'static str,
    /// Path of the whole manifest.
    manifest: &'static str,
    /// What the documents were made from, every reference pinned.
    spec: PinnedJobSpec,
    /// Documents at each stage between prompt and corpus.
    counts: RowFunnel,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// The current corpus of a job; its ETag is its commit and the job's state.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/corpus", tag = "corpora",
    params(("id" = uuid::Uuid, Path, description = "The job")),
    responses(
        (status = 200, description = "The corpus", body = CorpusView),
        (status = 304, description = "The client has it as it is"),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "There is none yet; `state` and `counts` say how far the job is",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_corpus(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let job = jobs::get(&state.db, job_id(&id)?).await?;
    let Some(corpus) = found(corpora::by_job(&state.db, job.id).await)? else {
        return Err(not_ready(&job));
    };
    let files = corpora::files(&state.db, job.id, Some(&corpus.commit)).await?;
    let files = files.into_iter().map(|stored| stored.file).collect();
    Conditional::json(&headers, &view(&job, corpus, files))
}

fn view(job: &Job, corpus: Corpus, files: Vec<CorpusFile>) -> CorpusView {
    let content = corpus.manifest.content;
    CorpusView {
        job: job.id,
        state: job.state,
        commit: corpus.commit,
        revision: corpus.revision,
        partial: corpus.partial,
        rows: content.rows,
        tokens: content.tokens,
        files,
        files_url: format!("/v1/jobs/{}/corpus/files/", job.id),
        card: "README.md",
        manifest: "manifest.json",
        spec: content.spec,
        counts: content.counts,
        created_at: corpus.created_at,
    }
}

/// 409 with how far the job is.
pub(crate) fn not_ready(job: &Job) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not_ready",
        format!(
            "this job is {} and has no corpus yet; {} of {} prompts have ended",
            job.state.as_str(),
            job.counts.ended(),
            job.counts.total
        ),
    )
    .member("state", job.state.as_str())
    .member("counts", json!(job.counts))
    .member("assembling", job.assembly_pending || job.state == JobState::Assembling)
}
