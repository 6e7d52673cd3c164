//! Lists a job's documents by number.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::documents::{Filter, StoredDocument};
use hornbook_db::{documents, jobs};
use hornbook_types::{Document, FinishReason, Pinned, Slug, Usage, Verdict};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::extract::{
    Conditional, Page, QueryParams, decode_cursor, encode_cursor, job_id, page_limit,
};
use crate::limits::{DOCUMENT_PAGE_BYTES, DOCUMENTS_AT_ONCE};
use crate::{AppState, CanRead, Problem};

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// Documents on the page, 1 to 200; default 50. A page of very long documents ends early.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only this verdict.
    verdict: Option<Verdict>,
    /// Only this gate's name or error code.
    reason: Option<String>,
    /// Only this audience.
    #[param(value_type = Option<String>)]
    audience: Option<Slug>,
    /// Only this format.
    #[param(value_type = Option<String>)]
    format: Option<Slug>,
}

/// One prompt and what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Document)]
pub(crate) struct DocumentView {
    /// Number of the prompt within its job, from 0.
    seq: u64,
    /// The prompt as sent.
    prompt: String,
    /// The answer; empty when the prompt failed.
    text: String,
    /// Accepted, rejected or failed.
    verdict: Verdict,
    /// The gate's name when rejected, the error's code when failed.
    reason: Option<String>,
    /// The error's message when failed.
    error: Option<String>,
    /// Audience, `name@version`.
    audience: Pinned,
    /// Template, `name@version`.
    template: Pinned,
    /// Format of that template.
    format: Slug,
    /// Number of the seed within the job's seed set.
    seed_seq: u64,
    /// The seed record.
    #[schema(value_type = Object)]
    seed_data: Map<String, Value>,
    /// Endpoint that answered, or failed, last.
    endpoint: Slug,
    /// Model that the endpoint said it was.
    model: String,
    /// Seed that the prompt drew with; a string, because JavaScript rounds larger numbers.
    sampling_seed: String,
    /// Why generation stopped.
    #[schema(value_type = String)]
    finish_reason: FinishReason,
    /// Tokens as the endpoint counted them.
    usage: Usage,
    /// Time from sending to the whole answer, in milliseconds.
    latency_ms: u32,
    /// Numbers that gates measured.
    #[schema(value_type = Object)]
    scores: Map<String, Value>,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<StoredDocument> for DocumentView {
    fn from(StoredDocument { document, created_at }: StoredDocument) -> Self {
        let Document { usage, .. } = document;
        Self {
            seq: document.seq,
            prompt: document.prompt,
            text: document.text,
            verdict: document.verdict,
            reason: document.reason,
            error: document.error,
            audience: document.audience,
            template: document.template,
            format: document.format,
            seed_seq: document.seed_seq,
            seed_data: document.seed_data,
            endpoint: document.endpoint,
            model: document.model,
            sampling_seed: document.sampling_seed.to_string(),
            finish_reason: document.finish_reason,
            usage,
            latency_ms: document.latency_ms,
            scores: document.scores,
            created_at,
        }
    }
}

/// A job's documents by number: accepted, rejected and failed ones alike unless filtered.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/documents", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job"), Filters),
    responses(
        (status = 200, description = "One page of documents", body = Page<DocumentView>),
        (status = 404, description = "No such job", body = crate::ProblemBody,
            content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn list_job_documents(
    _: CanRead,
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<Filters>,
) -> Result<Response, Problem> {
    let id = job_id(&id)?;
    let after = decode_cursor(query.cursor.as_deref())?;
    let limit = page_limit(query.limit)?;
    jobs::state(&state.db, id).await?;
    let filter = Filter {
        verdict: query.verdict,
        reason: query.reason,
        audience: query.audience,
        format: query.format,
    };
    let page = read_page(&state, id, &filter, after, limit).await?;
    Conditional::json(&headers, &page)
}

/// Reads a page a few documents at a time, so that 200 of the largest never lie in memory.
async fn read_page(
    state: &AppState,
    job: Uuid,
    filter: &Filter,
    mut after: Option<u64>,
    limit: u32,
) -> Result<Page<DocumentView>, Problem> {
    let mut page = Page { data: Vec::new(), next_cursor: None };
    let mut bytes = 0;
    loop {
        let rows = documents::page(&state.db, job, filter, after, DOCUMENTS_AT_ONCE).await?;
        let more = rows.len() == DOCUMENTS_AT_ONCE as usize;
        for row in rows {
            if page.data.len() >= limit as usize || bytes > DOCUMENT_PAGE_BYTES {
                page.next_cursor = after.map(|after| encode_cursor(&after));
                return Ok(page);
            }
            bytes += row.document.text.len() + row.document.prompt.len();
            after = Some(row.document.seq);
            page.data.push(row.into());
        }
        if !more {
            return Ok(page);
        }
    }
}
