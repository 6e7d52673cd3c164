//! Gets what a mixed corpus became: its manifest, as far as clients need it to pull the files.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::corpora::mixed::{self, Mixed, MixedRevision};
use hornbook_db::corpora::{self, Owner};
use hornbook_types::{CorpusFile, CorpusState, MixSource, RowFunnel};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::extract::{Conditional, corpus_id};
use crate::v1::version::found;
use crate::{AppState, CanRead, Problem};

/// The published revision of a mixed corpus.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MixedCorpusManifest)]
pub(crate) struct MixedManifestView {
    /// The corpus.
    corpus: Uuid,
    /// Where it stands.
    state: CorpusState,
    /// 40 hex digits that name this very content.
    commit: String,
    /// Number of the revision, from 1.
    revision: u32,
    /// True unless every prompt of every job had ended.
    partial: bool,
    /// Rows.
    rows: u64,
    /// Tokens of those rows.
    tokens: u64,
    /// Every file, each below `files_url`.
    files: Vec<CorpusFile>,
    /// Put a file's path behind it to get the file.
    files_url: String,
    /// Path of the dataset card.
    card: &'static str,
    /// Path of the whole manifest.
    manifest: &'static str,
    /// What it was built from, by content, and how.
    #[schema(value_type = Object)]
    spec: Value,
    /// Which jobs and imports the sources were.
    sources: Vec<MixSource>,
    /// Documents at each stage between sources and corpus.
    counts: RowFunnel,
    /// Whatever else the manifest says of the content.
    #[schema(value_type = Object)]
    content: Map<String, Value>,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// The current revision of a mixed corpus.
#[utoipa::path(
    get, path = "/v1/corpora/{id}/corpus", tag = "corpora",
    params(("id" = uuid::Uuid, Path, description = "The corpus")),
    responses(
        (status = 200, description = "The corpus", body = MixedManifestView),
        (status = 304, description = "The client has it as it is"),
        (status = 404, description = "No such corpus", body = crate::ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "There is none yet; `state` says how far it is",
            body = crate::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("key" = ["read"]), ("session" = ["read"]))
)]
pub(crate) async fn get_mixed_manifest(
    _: CanRead,
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mixed = mixed::get(&state.db, corpus_id(&id)?).await?;
    let Some(revision) = found(mixed::by_id(&state.db, mixed.id).await)? else {
        return Err(not_ready(&mixed));
    };
    let commit = Some(revision.commit.as_str());
    let files = corpora::files(&state.db, Owner::Mixed(mixed.id), commit).await?;
    let files = files.into_iter().map(|stored| stored.file).collect();
    Conditional::json(&headers, &view(&mixed, revision, files))
}

fn view(mixed: &Mixed, revision: MixedRevision, files: Vec<CorpusFile>) -> MixedManifestView {
    let (content, run) = (revision.manifest.content, revision.manifest.run);
    MixedManifestView {
        corpus: mixed.id,
        state: mixed.state,
        commit: revision.commit,
        revision: revision.revision,
        partial: revision.partial,
        rows: content.rows,
        tokens: content.tokens,
        files,
        files_url: format!("/v1/corpora/{}/corpus/files/", mixed.id),
        card: "README.md",
        manifest: "manifest.json",
        spec: content.spec,
        sources: run.sources,
        counts: content.counts,
        content: content.more,
        created_at: revision.created_at,
    }
}

/// 409 with how far the corpus is.
pub(crate) fn not_ready(mixed: &Mixed) -> Problem {
    let state = mixed.state.as_str();
    let detail = match &mixed.error {
        Some((code, message)) => format!("this corpus could not be assembled ({code}): {message}"),
        None => format!("this corpus is {state}; nothing was published of it yet"),
    };
    Problem::new(StatusCode::CONFLICT, "not_ready", detail).member("state", state)
}
